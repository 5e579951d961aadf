"""MediaPipe's code and ours, in FP32 and INT8, over the same recording, in turns of a few frames.

What else the machine does then weighs on both alike. Each estimator has a process of its own, and waits while the other
one works.
"""

from __future__ import annotations

import multiprocessing
import time
from contextlib import ExitStack
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.utils.own_process import peak_rss_mb

KINDS = ("mediapipe", "blazepose", "blazepose:int8")
TURN = 10  # frames


def bench_pose(camera: str, crop: str | None, threads: list[int], rounds: int = 3) -> dict[str, Any]:
    """rows: what each estimator takes with so many threads, over the recording `rounds` times. ratio: threads ->
    how many times as many frames a second each of ours does, the median over the turns; where MediaPipe runs."""
    rows: list[dict[str, Any]] = []
    ratio: dict[int, dict[str, float]] = {}
    for number in threads:
        with ExitStack() as stack:
            runners = []
            for kind in KINDS:
                try:
                    runners.append(stack.enter_context(_Runner(camera, crop, kind, number)))
                except UsageError as error:  # MediaPipe is an extra
                    if kind != "mediapipe":
                        raise
                    rows.append({"pose": kind, "threads": number, "unavailable": str(error)})
            turns = -(-runners[0].frames // TURN)
            for turn in range(rounds * turns):
                for runner in runners if turn % 2 else reversed(runners):
                    runner.turn(turn % turns)
            rows += [runner.row() for runner in runners]
            if len(runners) == len(KINDS):
                theirs, *ours = (np.array(runner.turns_ms) for runner in runners)
                gains = [round(float(np.median(theirs / turns_ms)), 2) for turns_ms in ours]
                ratio[number] = dict(zip(KINDS[1:], gains, strict=True))
    return {"camera": camera, "rows": rows, "ratio": ratio}


class _Runner:
    """Opens an estimator in a separate process. frames: how many the recording has. Raises what opening it raised."""

    def __init__(self, camera: str, crop: str | None, kind: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, camera, crop, kind, threads), daemon=True)
        self._process.start()
        other.close()
        self._taken_ms: list[float] = []
        self.turns_ms: list[float] = []
        try:
            self._about = self._hear(None)
        except BaseException:
            self._process.join()
            raise
        self._about |= {"threads": threads}
        self.frames: int = self._about["frames"]

    def turn(self, number: int) -> None:
        taken_ms = self._hear(number)
        self._taken_ms += taken_ms
        self.turns_ms.append(sum(taken_ms))

    def row(self) -> dict[str, Any]:
        p50, p95 = np.percentile(self._taken_ms, (50, 95))
        figures = {"p50_ms": p50, "p95_ms": p95, "fps": 1e3 / np.mean(self._taken_ms)}
        return self._about | {name: round(float(value), 3) for name, value in figures.items()} | self._hear("end")

    def _hear(self, asked: int | str | None) -> Any:
        try:
            if asked is not None:
                self._pipe.send(asked)
            answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            raise EdgeC2VLError(f"the process ended with code {self._process.exitcode} before it answered") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __enter__(self) -> _Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(5)
        self._process.kill()


def _work(pipe: Connection, camera: str, crop: str | None, kind: str, threads: int) -> None:
    """Answers with what there is, then to a turn's number with its frames' times in ms, then to anything else with the
    process's own figures."""
    import cv2

    from edge_c2vl.cameras.camera import open_camera
    from edge_c2vl.cameras.options import CameraOptions, parse_crop
    from edge_c2vl.pose import PoseEstimator

    try:
        # First: MediaPipe writes lines of its own to stderr, and a wrong camera's is one.
        with open_camera(camera, CameraOptions(crop=parse_crop(crop) if crop else None)) as source:
            frames = []
            while (frame := source.read()) is not None:
                if frame.image is not None:
                    frames.append(frame)
        started = time.perf_counter()
        pose = PoseEstimator(kind=kind, threads=threads)
        start_s = time.perf_counter() - started
    except EdgeC2VLError as error:
        pipe.send(error)
        return
    cv2.setNumThreads(threads)
    pipe.send({"pose": pose.name, "frames": len(frames), "start_s": round(start_s, 3)})
    found = seen = 0
    cpu_s = 0.0
    while isinstance(turn := pipe.recv(), int):
        taken_ms, cpu_started = [], time.process_time()
        for frame in frames[turn * TURN : (turn + 1) * TURN]:
            started = time.perf_counter()
            found += pose.estimate(frame.image, frame.timestamp_s) is not None
            taken_ms.append((time.perf_counter() - started) * 1e3)
        seen += len(taken_ms)
        cpu_s += time.process_time() - cpu_started
        pipe.send(taken_ms)
    cpu_ms = round(cpu_s / max(1, seen) * 1e3, 3)
    pipe.send({"found": round(found / max(1, seen), 4), "cpu_ms": cpu_ms, "peak_rss_mb": peak_rss_mb()})
    pose.close()
