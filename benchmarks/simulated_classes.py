"""What a bundle says of the simulated driver, seen through MediaPipe: mean probability of distraction.

    python benchmarks/simulated_classes.py --drivers 3 --fps 8
    python benchmarks/simulated_classes.py --true          # the true joints, to tell the pose network's share

To see whether a model leans to one side from some place of the camera. The driver is drawn by rules: these figures are
no accuracy. A window a second; one in which no arm was seen counts in "cannot see" only.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext

import cv2
import numpy as np

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.cameras.infrared import Brightener
from edge_c2vl.cameras.simulated import make_film, parse
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.skeletons.clip import ClipBuffer
from edge_c2vl.utils.progress import track
from edge_c2vl.utils.scores import softmax

ACTIVITIES = ("attentive", "phoning", "texting", "drinking")
CAMERAS = ("inner_mirror", "a_column_co_driver", "steering_wheel", "a_column_driver", "kinect_color")


class Judge:
    """One bundle: its window, and what it said of each camera and activity."""

    def __init__(self, name: str) -> None:
        self.bundle = Bundle.open(name)
        self.spec = self.bundle.manifest.clip
        self.distraction = [self.bundle.manifest.labels.index(label) for label in self.bundle.manifest.distraction]
        import onnxruntime

        self.session = onnxruntime.InferenceSession(str(self.bundle.model_path()), providers=["CPUExecutionProvider"])
        self.found: dict[tuple[str, str], list[float]] = {}

    def judge(self, key: tuple[str, str], window: ClipBuffer) -> None:
        """Adds the window's probability of distraction, NaN where no arm was seen."""
        clip, value = window.clip(), float("nan")
        if clip.arms >= self.spec.min_arms:
            logits = self.session.run(["logits"], {"clip": clip.data[None]})[0]
            value = float(softmax(logits)[0, self.distraction].sum())
        self.found.setdefault(key, []).append(value)

    def table(self, cameras: list[str]) -> str:
        lines = [f"| camera | {' | '.join(ACTIVITIES)} | cannot see |", "|---" * (len(ACTIVITIES) + 2) + "|"]
        for camera in [*cameras, "all"]:
            chosen = cameras if camera == "all" else [camera]
            said = [np.concatenate([self.found[name, activity] for name in chosen]) for activity in ACTIVITIES]
            cells = [f"{np.nanmean(values):.2f}" if np.isfinite(values).any() else "–" for values in said]
            lines.append(f"| {camera} | {' | '.join(cells)} | {np.isnan(np.concatenate(said)).mean():.0%} |")
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", action="append", help="several are judged on the same pictures  [default: default]")
    parser.add_argument("--drivers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=9.0, help="of each activity; the first window is left out")
    parser.add_argument("--fps", type=float, default=8.0)
    parser.add_argument("--cameras", default=",".join(CAMERAS), help=f"of {', '.join(VIEWS)}")
    parser.add_argument("--true", action="store_true", help="the true joints in place of MediaPipe's")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    judges, cameras = [Judge(name) for name in given.bundle or ["default"]], given.cameras.split(",")
    with nullcontext() if given.true else PoseEstimator() as pose:
        work = [(c, number, a) for c in cameras for number in range(1, given.drivers + 1) for a in ACTIVITIES]
        for camera, number, activity in track(work, "films", len(work)):
            film = make_film(parse(f"simulated:{activity}?camera={camera}&driver={number}&look=rgb"), 480)
            if pose is not None:
                pose.reset()
            brightener, windows = Brightener("auto"), [ClipBuffer(judge.spec, "mediapipe33") for judge in judges]
            for picture in range(round(given.seconds * given.fps)):
                time_s = picture / given.fps
                if pose is None:
                    skeleton = film.truth(time_s).pixels
                else:
                    skeleton = pose.estimate(brightener.apply(film.image(time_s), time_s), time_s)
                for judge, window in zip(judges, windows, strict=True):
                    window.add(time_s, skeleton)
                    if time_s >= judge.spec.seconds + 1 and picture % round(given.fps) == 0:
                        judge.judge((camera, activity), window)
    for judge in judges:
        print(f"{judge.bundle.path}\n{judge.table(cameras)}\n")


if __name__ == "__main__":
    main()
