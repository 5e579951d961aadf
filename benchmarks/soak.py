"""A long run of the live pipeline: memory, threads, file descriptors and latency over time.

    python benchmarks/soak.py [--frames 100000] [--beside] [--pose scripted|blazepose|mediapipe] [--fps 1000]

The source is live (frames that nobody takes are dropped) and paced at --fps; it stops after --frames frames that were
looked at. With --pose scripted the pose network is replaced by recorded-looking skeletons, so that 100,000 frames take
minutes; the encoder, the policy and all outputs (JSON lines with rotation, metrics, alert clips) are real. The driver
picks up the phone every few seconds, so that there are alerts.

A machine that others share is faster and slower by turns, and that has nothing to do with how long the pipeline has
run. So with --beside a second pipeline runs at the same time, which is begun anew every 15 s; printed is, by tenths of
the long run, its p99 as a multiple of the young ones' in the same seconds (but for their first 5, in which a process
that starts takes a core). The last tenth by the first then tells what age does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.inference.select import open_backend
from edge_c2vl.monitoring.events import Decision
from edge_c2vl.monitoring.stats import Summary
from edge_c2vl.outputs.alert_clips import SkeletonClips
from edge_c2vl.outputs.base import Sink
from edge_c2vl.outputs.jsonl import JsonLines
from edge_c2vl.outputs.prometheus import Prometheus
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, Array

YOUNG_S, START_S = 15.0, 5.0


@dataclass
class Frame:
    image: Any
    timestamp_s: float
    captured_s: float


class Source:
    """Live pictures from a video that was decoded beforehand, with noise, so that none repeats. The time that a frame
    carries runs at 30 a second, however fast they come."""

    live, dropped = True, 0

    def __init__(self, video: str, fps: float) -> None:
        with open_camera(video, CameraOptions()) as camera:
            self._images = [frame.image for frame in iter(camera.read, None)]
        self._period_s, self._count = 1 / fps, 0
        self._due_s = time.monotonic()
        self._stopping = threading.Event()

    def read(self) -> Frame | None:
        self._due_s = max(self._due_s + self._period_s, time.monotonic() - 1)
        if self._stopping.wait(max(0.0, self._due_s - time.monotonic())):
            return None
        self._count += 1
        image = self._images[self._count % len(self._images)].copy()
        image[0, 0] = (self._count % 256, self._count // 256 % 256, self._count // 65536)
        return Frame(image, self._count / 30, time.monotonic())

    def interrupt(self) -> None:
        self._stopping.set()


class ScriptedPose:
    """A seated driver whose right hand is at the ear for 6 s out of 20."""

    def __init__(self) -> None:
        body = np.zeros((33, 4), np.float32)
        for name, x, y in (
            ("nose", 300, -120), ("left_ear", 330, -115), ("right_ear", 275, -115), ("left_shoulder", 400, -240),
            ("right_shoulder", 220, -240), ("left_elbow", 420, -350), ("right_elbow", 200, -350),
            ("left_wrist", 350, -400), ("right_wrist", 270, -400), ("left_hip", 370, -460), ("right_hip", 250, -460),
        ):  # fmt: skip
            body[MEDIAPIPE33.index(name)] = (x, y, 0, 0.95)
        phone = body.copy()
        phone[MEDIAPIPE33.index("right_elbow"), :2] = (190, -250)
        phone[MEDIAPIPE33.index("right_wrist"), :2] = (265, -130)
        self._poses = (body, phone)
        self._generator = np.random.default_rng(0)

    def estimate(self, image_bgr: Any, timestamp_s: float) -> Array:  # noqa: ARG002
        pose = self._poses[timestamp_s % 20 < 6].copy()
        pose[pose[:, 3] > 0, :2] += self._generator.normal(0, 1.5, ((pose[:, 3] > 0).sum(), 2)).astype(np.float32)
        return pose


class Watcher(Sink):
    """Notes time, age, memory, threads and descriptors at each decision."""

    def __init__(self, room: int) -> None:
        # Touched now, so that what is noted does not look like a leak.
        self._table = np.ones((room, 5))
        self._count = 0
        self._process = psutil.Process()

    @property
    def rows(self) -> np.ndarray:
        return self._table[: self._count]

    def decision(self, decision: Decision) -> None:
        threads = threading.active_count()
        rss_mb = self._process.memory_info().rss / 1e6
        self._table[self._count] = (time.monotonic(), decision.age_ms, rss_mb, threads, self._process.num_fds())
        self._count += 1


def soak(asked: argparse.Namespace) -> tuple[np.ndarray, Summary]:
    """The watcher's rows, and the pipeline's summary."""
    watcher = Watcher(asked.frames)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bundle = Bundle.open(asked.bundle)
        backend = stack.enter_context(open_backend(bundle))
        if asked.pose != "scripted":
            from edge_c2vl.pose import PoseEstimator

            pose: Any = stack.enter_context(PoseEstimator(kind=asked.pose))
        else:
            pose = ScriptedPose()
        sinks = [
            watcher,
            JsonLines(str(folder / "events.jsonl"), "state", rotate_bytes=1_000_000),
            JsonLines(str(folder / "decisions.jsonl"), "decision", rotate_bytes=1_000_000),
            Prometheus("127.0.0.1:0"),
            SkeletonClips(str(folder / "clips"), keep=20),
        ]
        manifest = bundle.manifest
        pipeline = Pipeline(
            Source(asked.video, asked.fps),
            pose,
            ClipModel(backend, manifest.labels, manifest.distraction, manifest.clip),
            sinks=sinks,
            hop_s=asked.hop,
        )

        def stop_when_done() -> None:
            end_s = time.monotonic() + asked.seconds
            while pipeline.summary.frames < asked.frames and time.monotonic() < end_s:
                time.sleep(0.2)
            pipeline.stop()

        threading.Thread(target=stop_when_done, daemon=True).start()
        summary = pipeline.run()
    return watcher.rows, summary


def told(rows: np.ndarray) -> dict[str, Any]:
    tenth = len(rows) // 10
    parts = np.array_split(rows, 10)
    return {
        "rss_mb_by_tenth": [round(float(part[:, 2].mean()), 1) for part in parts],
        "rss_growth_mb": round(float(rows[-tenth:, 2].mean() - rows[tenth : 2 * tenth, 2].mean()), 2),
        "threads_first_last": [int(rows[tenth, 3]), int(rows[-1, 3])],
        "descriptors_first_last": [int(rows[tenth, 4]), int(rows[-1, 4])],
        "age_p99_ms_by_tenth": [p99(part) for part in parts],
    }


def p99(rows: np.ndarray) -> float:
    return round(float(np.percentile(rows[:, 1], 99)), 2)


class Young(threading.Thread):
    """Pipelines of their own process, one after another."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.ended, self.count = folder, threading.Event(), 0

    def run(self) -> None:
        while not self.ended.is_set():
            command = [sys.executable, *sys.argv, "--young", str(self.folder / f"{self.count}.npy")]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            self.count += 1

    def rows(self) -> list[np.ndarray]:
        return [np.load(self.folder / f"{number}.npy") for number in range(self.count)]


def compared(rows: np.ndarray, young: list[np.ndarray]) -> dict[str, Any]:
    """By tenths of the long run: p99 of both in the seconds in which a young one was warm."""
    both = []
    for part in np.array_split(rows, 10):
        old, new = [], []
        for run in young:
            first_s, last_s = max(run[0, 0] + START_S, part[0, 0]), min(run[-1, 0], part[-1, 0])
            old.append(part[(part[:, 0] >= first_s) & (part[:, 0] < last_s)])
            new.append(run[(run[:, 0] >= first_s) & (run[:, 0] < last_s)])
        both.append((np.concatenate(old), np.concatenate(new)))
    if not all(len(old) and len(new) for old, new in both):
        raise SystemExit(f"--beside: a tenth of the run has to last some {YOUNG_S + START_S:g} s: more --frames")
    ratios = [p99(old) / p99(new) for old, new in both]
    return {
        "decisions_by_tenth_old_young": [[len(old), len(new)] for old, new in both],
        "age_p99_ms_by_tenth_young": [p99(new) for _, new in both],
        "age_p99_old_over_young_by_tenth": [round(ratio, 3) for ratio in ratios],
        "last_over_first": round(ratios[-1] / ratios[0], 3),
        "last_over_first_95": interval(both[0], both[-1]),
    }


def interval(first: tuple[np.ndarray, np.ndarray], last: tuple[np.ndarray, np.ndarray]) -> list[float]:
    """95 % of the ratio of ratios, by resampling seconds, of old and young alike."""
    random = np.random.default_rng(0)

    def seconds(part: tuple[np.ndarray, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        old, new = part
        return [(old[old[:, 0] // 1 == when], new[new[:, 0] // 1 == when]) for when in np.unique(new[:, 0] // 1)]

    def ratio(of: list[tuple[np.ndarray, np.ndarray]]) -> float:
        old, new = zip(*(of[index] for index in random.integers(0, len(of), len(of))), strict=True)
        return p99(np.concatenate(old)) / p99(np.concatenate(new))

    begun, ended = seconds(first), seconds(last)
    ratios = [ratio(ended) / ratio(begun) for _ in range(1000)]
    return np.percentile(ratios, (2.5, 97.5)).round(3).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--beside", action="store_true", help="compare with young pipelines in the same seconds")
    parser.add_argument("--pose", choices=["scripted", "blazepose", "mediapipe"], default="scripted")
    parser.add_argument("--fps", type=float, default=1000)
    parser.add_argument("--hop", type=float, default=0.25, help="seconds between decisions, of 30 frames each")
    parser.add_argument("--video", default="sample")
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--young", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.seconds = YOUNG_S if asked.young else float("inf")
    if asked.young:
        np.save(asked.young, soak(asked)[0])
        return
    with tempfile.TemporaryDirectory() as folder:
        young = Young(Path(folder))
        if asked.beside:
            young.start()
        rows, summary = soak(asked)
        young.ended.set()
        beside: dict[str, Any] = {}
        if asked.beside:
            young.join()
            beside = compared(rows, young.rows())
    result = {
        "pose": asked.pose,
        "frames": summary.frames,
        "dropped": summary.dropped_frames,
        "decisions": len(rows),
        "alerts": summary.alerts,
        "seconds": round(summary.wall_s, 1),
    }
    print(json.dumps(result | told(rows) | beside, indent=1))


if __name__ == "__main__":
    main()
