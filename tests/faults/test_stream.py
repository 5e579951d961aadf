"""What cameras and networks do to a run: real ffmpeg, and `edge-c2vl run` as a process of its own."""

from __future__ import annotations

import itertools
import os
import random
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pytest

from tests.support.live_run import LiveRun, Stream
from tests.support.programs import free_port, needs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
JUDGED = ("attentive", "distracted")


@pytest.fixture
def stream(film):
    playing = Stream(film)
    yield playing
    playing.kill()


def test_a_stream_is_killed_and_restarted_twenty_times(stream, tmp_path):
    generator = random.Random(0)
    stream.start()
    with LiveRun(tmp_path, stream.url, "--reconnect", "--quiet") as run:
        run.wait_for_state(*JUDGED)
        footprints = []
        for kill in range(1, 21):
            stream.kill()
            if kill % 5 == 1:
                run.wait_for_state("cannot see")
            else:
                time.sleep(generator.uniform(0.0, 1.0))
            stream.start()
            run.wait(lambda kill=kill: run.metrics().get("edge_c2vl_reconnects_total") == kill)
            run.wait_for_frames(5)
            footprints.append(run.footprint())
        run.wait_for_state(*JUDGED)
        changes = [event for event in run.events if event["kind"] == "state"]
    states = {event["state"] for event in changes}
    assert "cannot see" in states
    assert states & set(JUDGED)
    # No gap: each state begins where the last one ended.
    assert all(a["end_s"] == b["start_s"] for a, b in itertools.pairwise(changes))
    # Nothing is left behind by a connection that is gone. (Before the first two all has not been loaded yet.)
    (threads, descriptors, mb), last = footprints[2], footprints[-1]
    assert abs(last[0] - threads) <= 1
    assert abs(last[1] - descriptors) <= 2
    assert last[2] - mb < 20


def test_a_frozen_camera_cannot_see_and_a_living_one_can_again(film, stream, tmp_path):
    frozen = Stream(film, "-vf", "tpad=stop=-1:stop_mode=clone", loop=False)
    frozen.port, frozen.url = stream.port, stream.url
    frozen.start()
    try:
        with LiveRun(tmp_path, stream.url, "--reconnect", "--quiet") as run:
            run.wait_for_state(*JUDGED)
            run.wait_for_state("cannot see")
            run.wait_for_decisions(20)  # pictures do come, and it knows better
            assert {decision["state"] for decision in run.decisions[-10:]} == {"cannot see"}
            assert run.metrics()["edge_c2vl_reconnects_total"] == 0
            assert run.decisions[-1]["label"] is None
            frozen.kill()
            stream.start()
            run.wait_for_state(*JUDGED)
    finally:
        frozen.kill()


def test_a_camera_that_comes_back_in_another_size(film, stream, tmp_path):
    """Of the same shape it is watched on, with the crop in its place; of another it is not, and that is told."""

    def again(*scale):
        other = Stream(film, *scale)
        other.port, other.url = stream.port, stream.url
        other.start()
        return other

    width, height = size_of(film)
    crop = f"{width // 4},0,{width // 2},{height}"
    stream.start()
    playing = stream
    try:
        with LiveRun(tmp_path, stream.url, "--reconnect", "--quiet", "--crop", crop) as run:
            run.wait_for_state(*JUDGED)
            playing.kill()
            playing = again("-vf", f"scale={width // 2}:{height // 2}")
            run.wait(lambda: "it is scaled with the picture" in run.errors)
            run.wait_for_state(*JUDGED)
            assert run.metrics()["edge_c2vl_crop_misfit"] == 0
            playing.kill()
            # With square pixels: scale alone would keep the shape, by pixels that are wider than high.
            playing = again("-vf", f"scale={width // 2}:{width // 2},setsar=1")
            run.wait(lambda: run.metrics().get("edge_c2vl_crop_misfit") == 1)
            run.wait_for_state("cannot see")
            frames = run.metrics()["edge_c2vl_frames_total"]
            run.wait_for_decisions(10)
            assert run.metrics()["edge_c2vl_frames_total"] == frames
            assert (
                f"the picture is {width // 2}x{width // 2}, and the crop was given for {width}x{height}" in run.errors
            )
            playing.kill()
            playing = again()
            run.wait_for_state(*JUDGED)
            assert run.metrics()["edge_c2vl_crop_misfit"] == 0
    finally:
        playing.kill()


def size_of(film):
    capture = cv2.VideoCapture(str(film))
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def test_a_recording_with_a_gap_is_played_at_its_own_speed_without_it(film, tmp_path):
    """Five seconds, nothing for ten minutes, five seconds: a dash camera that was parked."""
    parts = []
    for number, start_s in enumerate((0, 600)):
        parts.append(tmp_path / f"{number}.ts")
        cut = ["-i", str(film), "-t", "5", "-output_ts_offset", str(start_s), "-c:v", "mpeg2video", "-q:v", "3"]
        subprocess.run([needs("ffmpeg"), "-loglevel", "error", *cut, str(parts[-1])], check=True)
    gap = tmp_path / "gap.ts"
    gap.write_bytes(b"".join(part.read_bytes() for part in parts))
    run = LiveRun(tmp_path, str(gap), "--realtime", "--quiet")
    assert run.process.wait(60) == 0, run.errors
    stamps = [decision["timestamp_s"] for decision in run.decisions]
    assert stamps[0] < 5 < 600 < stamps[-1]
    assert run.errors.count("its time jumps by") == 1


def test_a_named_pipe_whose_writer_goes_and_comes(film, tmp_path):
    """One of a name that is no UTF-8."""
    pipe = tmp_path / os.fsdecode(b"cam\xe9ra:0")
    os.mkfifo(pipe)

    def write():
        with pipe.open("wb") as target:
            played = ["-re", "-stream_loop", "-1", "-i", str(film), "-q:v", "4", "-f", "mpjpeg", "-"]
            return subprocess.Popen([needs("ffmpeg"), "-loglevel", "quiet", *played], stdout=target)

    writers = [start_later(write)]
    try:
        with LiveRun(tmp_path, str(pipe), "--reconnect", "--quiet") as run:
            run.wait_for_state(*JUDGED)
            writers[0].result().kill()
            run.wait_for_state("cannot see")
            writers.append(start_later(write))
            run.wait(lambda: run.metrics().get("edge_c2vl_reconnects_total") == 1)
            run.wait_for_state(*JUDGED)
    finally:
        for writer in writers:
            writer.result().kill()
            writer.result().wait()


def start_later(start):
    """Opening a pipe to write waits for its reader."""
    pool = ThreadPoolExecutor(1)
    return pool.submit(start)


class Garbage(threading.Thread):
    """A server that promises a motion JPEG stream and sends noise for `seconds`."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._server = socket.create_server(("127.0.0.1", port))
        self.served = 0

    def run(self) -> None:
        self._server.settimeout(0.2)
        end_s = time.monotonic() + self._seconds
        generator = random.Random(0)
        head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=ffmpeg\r\n\r\n"
        while time.monotonic() < end_s:
            try:
                client, _ = self._server.accept()
            except TimeoutError:
                continue
            self.served += 1
            try:
                client.sendall(head)
                for _ in range(20):
                    part = b"--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 5000\r\n\r\n\xff\xd8"
                    client.sendall(part + generator.randbytes(5000))
                    time.sleep(0.02)
            except OSError:
                pass  # it hung up, which is what it should do
            client.close()
        self._server.close()


def test_corrupt_frames_end_nothing(film, stream, tmp_path):
    """Of every third picture some bytes are wrong; then nothing but noise comes; then all is well."""
    broken = Stream(film, "-c:v", "mjpeg", "-bsf:v", "noise=amount=if(mod(n\\,3)\\,0\\,500)")
    broken.port, broken.url = stream.port, stream.url
    broken.start()
    try:
        with LiveRun(tmp_path, stream.url, "--reconnect", "--quiet") as run:
            run.wait_for_frames(60)
            run.wait_for_state(*JUDGED)
            assert run.metrics()["edge_c2vl_reconnects_total"] == 0
            broken.kill()
            garbage = Garbage(stream.port, 8)
            garbage.start()
            garbage.join()
            assert garbage.served >= 1
            stream.start()
            run.wait_for_state(*JUDGED)
            assert run.process.poll() is None
    finally:
        broken.kill()


FAKETIME = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu" / "faketime" / "libfaketimeMT.so.1"


@pytest.mark.skipif(not FAKETIME.exists(), reason="needs libfaketime: apt install faketime")
def test_the_system_clock_is_set_back_an_hour(stream, broker, tmp_path):
    clock = tmp_path / "clock"
    clock.write_text("+0")
    stream.start()
    env = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    mqtt = f"mqtt://127.0.0.1:{broker.port}/edge"
    with LiveRun(
        tmp_path, stream.url, "--quiet", "--mqtt", mqtt, "--alert-clips", str(tmp_path / "clips"), env=env
    ) as run:
        run.wait_for_state(*JUDGED)
        before = len(run.decisions)
        clock.write_text("-3600")
        run.wait_for_decisions(40)
        decisions = run.decisions
    times = [decision["time"] for decision in decisions]
    assert any(later < earlier for earlier, later in itertools.pairwise(times))
    stamps = [decision["timestamp_s"] for decision in decisions]
    assert stamps == sorted(stamps)
    # It does not begin anew: the window goes by the camera's time.
    assert "starting" not in {decision["state"] for decision in decisions[before:]}
    assert all(0 <= decision["age_ms"] < 5000 for decision in decisions)


def test_a_port_where_nobody_listens_is_one_line_and_exit_code_one(tmp_path):
    run = LiveRun(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert run.process.wait(60) == 1
    assert run.errors.count("\n") == 1
