"""What the pose network sees in recordings, and what it costs. Writes the table of docs/camera.md.

    python benchmarks/pose.py sample ../shared/data/video/*

For each recording: share of frames with a pose; for shoulders, elbows and wrists (left / right) the mean visibility
and the share of frames at 0.5 or above, inside the picture; the share of a last default window in which arms were seen;
processor time and elapsed time a frame; memory of the process that does nothing else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time

import numpy as np
import psutil

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.skeletons.clip import ClipBuffer, ClipSpec
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33

JOINTS = [f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist") for side in ("left", "right")]


def measure(uri: str, mode: str) -> str:
    window = ClipBuffer(ClipSpec(), "mediapipe33")
    poses, elapsed_ms, frames = [], [], 0
    with open_camera(uri, CameraOptions(mode=mode)) as camera, PoseEstimator() as network:
        started_cpu = time.process_time()
        while (frame := camera.read()) is not None:
            started = time.perf_counter()
            pose = network.estimate(frame.image, frame.timestamp_s)
            elapsed_ms.append((time.perf_counter() - started) * 1e3)
            frames += 1
            window.add(frame.timestamp_s, pose)
            if pose is not None:
                poses.append(pose)
        cpu_ms = (time.process_time() - started_cpu) * 1e3 / frames
    seen = np.array(poses)[:, [MEDIAPIPE33.index(joint) for joint in JOINTS], 3] if poses else np.zeros((1, 6))
    cells = [
        f"{seen[:, j].mean():.2f} / {seen[:, j + 1].mean():.2f} "
        f"({100 * (seen[:, j] >= 0.5).mean():.0f} / {100 * (seen[:, j + 1] >= 0.5).mean():.0f} %)"
        for j in (0, 2, 4)
    ]
    name = uri.rsplit("/", 1)[-1]
    memory_mb = psutil.Process().memory_info().rss / 1e6
    return (
        f"| {name} | {len(poses)} of {frames} | " + " | ".join(cells) + f" | {100 * window.clip().arms:.0f} % | "
        f"{cpu_ms:.0f} | {np.median(elapsed_ms):.0f} | {memory_mb:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+", metavar="URI")
    parser.add_argument("--mode", choices=["auto", "rgb", "ir"], default="auto")
    arguments = parser.parse_args()
    print("| recording | poses | shoulders | elbows | wrists | arms in window | CPU ms | elapsed ms | MB |")
    print("|" + "---|" * 9)
    for uri in arguments.recordings:
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            print(alone.apply(measure, (uri, arguments.mode)), flush=True)


if __name__ == "__main__":
    main()
