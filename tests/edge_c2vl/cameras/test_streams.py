"""Real streams on 127.0.0.1, and addresses that do not answer."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time

import pytest

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.errors import CameraError
from tests.support.camera_files import read_to_the_end
from tests.support.programs import needs


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
