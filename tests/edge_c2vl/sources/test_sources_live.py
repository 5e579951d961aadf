"""Live sources: the reader thread with scripted sources, and real streams on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from edge_c2vl.camera import CameraOptions, open_camera
from edge_c2vl.errors import CameraError
from edge_c2vl.sources import Picture, Source, csi
from edge_c2vl.sources.latest import Latest
from tests.conftest import needs

BLACK = np.zeros((16, 16, 3), np.uint8)


class Scripted(Source):
    """Gives a picture whenever the test lets it; records which thread did what to it."""

    live = True

    def __init__(self, count=None, error=None):
        self.turns = threading.Semaphore(0)
        self.count, self.error, self.given = count, error, 0
        self.threads = {}

    def read(self):
        self.threads["read"] = threading.get_ident()
        self.turns.acquire()
        if self.count is not None and self.given >= self.count:
            if self.error:
                raise self.error
            return None
        self.given += 1
        return Picture(BLACK, float(self.given), 0.0)

    def give(self, count=1):
        """Lets it give `count` pictures and waits until the reader has come back for more."""
        for _ in range(count):
            target = self.given + 1
            self.turns.release()
            while self.given < target:
                time.sleep(0.001)
        time.sleep(0.02)

    def close(self):
        self.threads["close"] = threading.get_ident()

    def reopen(self):
        raise NotImplementedError


def stalled():
    threading.Event().wait(30)


class TestLatest:
    def test_the_newest_is_kept_and_the_others_are_counted(self):
        source = Scripted()
        camera = Latest("test", lambda: source, 1, 1)
        source.give(5)
        assert camera.read().timestamp_s == 5
        source.give()
        assert camera.read().timestamp_s == 6
        assert camera.dropped == 4
        source.turns.release()
        camera.close()

    def test_a_picture_is_given_once(self):
        source = Scripted()
        camera = Latest("test", lambda: source, 1, read_timeout_s=0.1)
        source.give()
        camera.read()
        with pytest.raises(CameraError, match=r"test delivered no picture for 0\.1 s"):
            camera.read()
        source.turns.release()
        camera.close()

    def test_one_thread_opens_reads_and_closes(self):
        source, opened_by = Scripted(), []

        def open_source():
            opened_by.append(threading.get_ident())
            return source

        camera = Latest("test", open_source, 1, 1)
        source.give()
        source.turns.release()
        camera.close()
        assert opened_by == [source.threads["read"]] == [source.threads["close"]]
        assert opened_by[0] != threading.get_ident()

    def test_what_came_before_the_end_is_still_given(self):
        source = Scripted(1, CameraError("unplugged"))
        camera = Latest("test", lambda: source, 1, 1)
        source.turns.release(2)
        time.sleep(0.05)
        assert camera.read().timestamp_s == 1
        with pytest.raises(CameraError, match="unplugged"):
            camera.read()

    def test_the_end_of_a_file_is_none(self):
        source = Scripted(1)
        camera = Latest("test", lambda: source, 1, 1)
        source.turns.release(2)
        assert camera.read().timestamp_s == 1
        assert camera.read() is None

    def test_an_error_while_opening_is_raised(self):
        def fail():
            raise CameraError("no such camera")

        with pytest.raises(CameraError, match="no such camera"):
            Latest("test", fail, 1, 1)

    def test_an_opening_that_hangs_is_given_up(self):
        with pytest.raises(CameraError, match=r"cannot open test: no answer within 0\.1 s"):
            Latest("test", stalled, 0.1, 1)

    def test_interrupt_wakes_a_waiting_reader(self):
        source = Scripted()
        camera = Latest("test", lambda: source, 1, 20)
        threading.Timer(0.05, camera.interrupt).start()
        assert camera.read() is None
        source.turns.release()
        camera.close()

    def test_reopen_connects_anew_and_keeps_the_count(self):
        sources = [Scripted(3, CameraError("ended")), Scripted()]
        opened = list(sources)
        camera = Latest("test", lambda: opened.pop(0), 1, 1)
        sources[0].give(3)
        sources[0].turns.release()
        camera.read()
        with pytest.raises(CameraError):
            camera.read()
        camera.reopen()
        sources[1].give(2)
        assert camera.read().timestamp_s == 2
        assert camera.dropped == 2 + 1
        sources[1].turns.release()
        camera.close()

    def test_a_reader_that_is_stuck_does_not_block_closing_nor_the_next_one(self, monkeypatch):
        monkeypatch.setattr("edge_c2vl.sources.latest.JOIN_TIMEOUT_S", 0.05)
        stuck, fresh = Scripted(), Scripted()
        opened = [stuck, fresh]
        camera = Latest("test", lambda: opened.pop(0), 1, 0.1)
        camera.reopen()
        fresh.give(7)
        stuck.give(1)  # comes back to life: its picture must not appear
        assert camera.read().timestamp_s == 7
        fresh.turns.release()
        camera.close()


def read_to_the_end(camera):
    while camera.read() is not None:
        pass


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stream:
    """A real ffmpeg that sends a test picture."""

    def __init__(self, *output, seconds=60, rate=30):
        source = f"testsrc=size=320x240:rate={rate}:duration={seconds}"
        command = [needs("ffmpeg"), "-loglevel", "error", "-re", "-f", "lavfi", "-i", source, *output]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve():
    """serve(seconds) -> URL of an MJPEG stream over HTTP."""
    streams = []

    def start(seconds=60, rate=30):
        url = f"http://127.0.0.1:{free_port()}/driver"
        streams.append(Stream("-f", "mpjpeg", "-listen", "1", url, seconds=seconds, rate=rate))
        wait_for_port(int(url.split(":")[2].split("/")[0]))
        return url, streams[-1]

    yield start
    for stream in streams:
        stream.stop()


def wait_for_port(port):
    """Waits until something listens, without connecting: ffmpeg takes one connection only."""
    wanted = f":{port:04X} "
    for _ in range(200):
        with open("/proc/net/tcp") as table:
            if any(wanted in line.split("0A")[0] + " " for line in table if " 0A " in line):
                return
        time.sleep(0.05)
    raise AssertionError("ffmpeg did not start to listen")


@pytest.mark.timeout(60)
class TestStreams:
    def test_mjpeg_over_http(self, serve):
        url, _ = serve()
        opened = time.monotonic()
        with open_camera(url) as camera:
            assert camera.live
            frames = [camera.read() for _ in range(10)]
        assert frames[0].image.shape == (240, 320, 3)
        assert frames[0].image.std() > 30
        times = [frame.timestamp_s for frame in frames]
        assert times == sorted(set(times))
        assert [frame.captured_s for frame in frames] == times
        assert opened < times[0] < times[-1] < time.monotonic()

    def test_a_slow_reader_gets_new_pictures_and_the_rest_is_counted(self, serve):
        url, _ = serve(rate=50)
        with open_camera(url) as camera:
            camera.read()
            for _ in range(8):
                read = time.monotonic()
                time.sleep(0.2)
                assert camera.read().captured_s > read
            assert camera.dropped >= 8

    def test_a_stream_that_ends_is_an_error(self, serve):
        url, _ = serve(seconds=1)
        with open_camera(url) as camera, pytest.raises(CameraError, match="stream ended"):
            read_to_the_end(camera)

    def test_an_unplugged_stream_is_told_and_can_be_reopened(self, serve):
        url, stream = serve()
        with open_camera(url, CameraOptions(read_timeout_s=3)) as camera:
            camera.read()
            stream.stop()
            with pytest.raises(CameraError, match=r"stopped|delivered no picture"):
                read_to_the_end(camera)
            port = url.split(":")[2].split("/")[0]
            again = Stream("-f", "mpjpeg", "-listen", "1", url)
            wait_for_port(int(port))
            camera.reopen()
            assert camera.read().image.shape == (240, 320, 3)
            again.stop()

    def test_a_stream_that_freezes_is_an_error_after_the_timeout(self, serve):
        url, stream = serve()
        with open_camera(url, CameraOptions(read_timeout_s=1)) as camera:
            camera.read()
            os.kill(stream.process.pid, 19)  # SIGSTOP: connected, and silent
            with pytest.raises(CameraError, match="no picture for 1 s|stopped"):
                read_to_the_end(camera)
            stream.stop()

    def test_mpegts_over_udp(self):
        port = free_port(socket.SOCK_DGRAM)
        url = f"udp://127.0.0.1:{port}"
        stream = Stream("-c:v", "mpeg2video", "-g", "10", "-f", "mpegts", f"{url}?pkt_size=1316")
        try:
            with open_camera(url) as camera:
                assert camera.read().image.shape == (240, 320, 3)
        finally:
            stream.stop()

    def test_a_named_pipe(self, tmp_path):
        path = tmp_path / "pipe"
        os.mkfifo(path)
        stream = Stream("-y", "-c:v", "mpeg2video", "-f", "mpegts", str(path))
        try:
            with open_camera(str(path)) as camera:
                assert camera.live
                assert camera.read().image.shape == (240, 320, 3)
        finally:
            stream.stop()

    def test_a_video_over_http_is_read_as_a_file(self, tmp_path):
        import functools
        import http.server

        picture = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1"]
        command = [needs("ffmpeg"), "-loglevel", "error", *picture, "-c:v", "mpeg4", tmp_path / "clip.mp4"]
        subprocess.run(command, check=True)
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
        handler.func.log_message = lambda *_: None
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            with open_camera(f"http://127.0.0.1:{server.server_port}/clip.mp4") as camera:
                assert not camera.live
                assert len(list(iter(camera.read, None))) == 10
            server.shutdown()


@pytest.mark.timeout(30)
class TestUnreachable:
    @pytest.mark.parametrize(
        ("uri", "says"),
        [("rtsp://user:secret@127.0.0.1:{port}/x", "Connection refused"),
         ("http://127.0.0.1:{port}/x", "Connection refused"), ("tcp://127.0.0.1:{port}", "Connection refused"),
         ("http://nobody.invalid/x", "there is no host nobody.invalid"), ("rtsp://[::1/x", "no valid URL"),
         ("https://127.0.0.1:{port}/a.mp4", "Connection refused")],
    )  # fmt: skip
    def test_says_why(self, uri, says):
        with pytest.raises(CameraError, match=says) as caught:
            open_camera(uri.format(port=free_port()))
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        "uri", ["udp://127.0.0.1:{port}", "tcp://127.0.0.1:{silent}", "http://127.0.0.1:{silent}/x"]
    )
    def test_silence_ends_within_the_time_allowed(self, uri):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(8)
            uri = uri.format(port=free_port(socket.SOCK_DGRAM), silent=server.getsockname()[1])
            with pytest.raises(CameraError, match="cannot open"):
                open_camera(uri, CameraOptions(open_timeout_s=1))

    def test_a_pipe_that_nobody_writes_to(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CameraError, match="no answer"):
            open_camera(str(tmp_path / "pipe"), CameraOptions(open_timeout_s=0.5))

    def test_no_such_device(self):
        with pytest.raises(CameraError, match=r"no camera /dev/video99 .*plugged in"):
            open_camera("99")


class TestCsi:
    def test_without_gstreamer_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr(csi, "has_gstreamer", lambda: False)
        monkeypatch.setattr(shutil, "which", lambda _: None)
        with pytest.raises(CameraError, match="apt-get install gstreamer"):
            open_camera("csi://0")

    def test_the_pipeline_asks_for_what_was_asked(self):
        text = csi.pipeline(1, 1920, 1080, 59.94)
        assert text.startswith("nvarguscamerasrc sensor-id=1 ! ")
        assert "width=1920,height=1080,framerate=60/1" in text
        assert text.endswith("format=BGR")

    @pytest.mark.parametrize("width", [320, 318])
    def test_pictures_through_gst_launch(self, width, monkeypatch):
        """The real program, with GStreamer's test picture in the sensor's place; 318 has padded rows."""
        needs("gst-launch-1.0", "gstreamer1.0-tools")
        test_picture = (
            f"videotestsrc is-live=true num-buffers=5 ! video/x-raw,format=BGR,width={width},height=240,framerate=30/1"
        )
        monkeypatch.setattr(csi, "has_gstreamer", lambda: False)
        monkeypatch.setattr(csi, "pipeline", lambda *_: test_picture)
        with open_camera("csi://0", CameraOptions(width=width, height=240, mode="rgb")) as camera:
            image = camera.read().image
            with pytest.raises(CameraError, match="csi://0 stopped"):
                read_to_the_end(camera)
        assert image.shape == (240, width, 3)
        # Colour bars: white first, then yellow (in BGR).
        assert image[10, 5].tolist() == [255, 255, 255]
        assert image[10, width * 3 // 14].tolist() == [0, 255, 255]
        assert image[150, width * 3 // 14].tolist() == [0, 255, 255]

    def test_messages_on_standard_output_do_not_reach_the_pictures(self, tmp_path, monkeypatch):
        """nvarguscamerasrc prints there."""
        program = tmp_path / "gst-launch-1.0"
        program.write_text(
            f"#!{sys.executable}\nimport os, sys\n"
            "print('GST_ARGUS: Creating output stream', flush=True)\n"
            "fd = next(int(word[3:]) for word in sys.argv if word.startswith('fd='))\n"
            "os.write(fd, b'\\7' * 768)\n"
            "sys.exit('ERROR: sensor lost')\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        source = csi.GstLaunch("csi://0", "a ! b ! c", 16, 16, 30, 2)
        assert (source.read().image == 7).all()
        with pytest.raises(CameraError, match="csi://0 stopped: ERROR: sensor lost"):
            source.read()
        source.close()
