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
import onnxruntime

from edge_c2vl.bundle import Bundle
from edge_c2vl.infrared import Brightener
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.progress import track
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.sources.simulated import make_film, parse
from edge_c2vl.window import Window
from train.metrics import softmax

ACTIVITIES = ("attentive", "phoning", "texting", "drinking")
CAMERAS = ("inner_mirror", "a_column_co_driver", "steering_wheel", "a_column_driver", "kinect_color")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--drivers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=9.0, help="of each activity; the first window is left out")
    parser.add_argument("--fps", type=float, default=8.0)
    parser.add_argument("--cameras", default=",".join(CAMERAS), help=f"of {', '.join(VIEWS)}")
    parser.add_argument("--true", action="store_true", help="the true joints in place of MediaPipe's")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = Bundle.open(given.bundle)
    spec, labels = bundle.manifest.clip, bundle.manifest.labels
    distraction = [labels.index(name) for name in bundle.manifest.distraction]
    session = onnxruntime.InferenceSession(str(bundle.model_path()), providers=["CPUExecutionProvider"])
    cameras = given.cameras.split(",")
    found: dict[tuple[str, str], list[float]] = {(c, a): [] for c in cameras for a in ACTIVITIES}
    asked = dict.fromkeys(found, 0)
    with nullcontext() if given.true else PoseEstimator() as pose:
        work = [(c, number, a) for c in cameras for number in range(1, given.drivers + 1) for a in ACTIVITIES]
        for camera, number, activity in track(work, "films", len(work)):
            film = make_film(parse(f"simulated:{activity}?camera={camera}&driver={number}&look=rgb"), 480)
            if pose is not None:
                pose.reset()
            brightener, window = Brightener("auto"), Window(spec, "mediapipe33")
            for picture in range(round(given.seconds * given.fps)):
                time_s = picture / given.fps
                if pose is None:
                    window.add(time_s, film.truth(time_s).pixels)
                else:
                    window.add(time_s, pose.estimate(brightener.apply(film.image(time_s), time_s), time_s))
                if time_s < spec.seconds + 1 or picture % round(given.fps):
                    continue
                clip = window.clip()
                asked[camera, activity] += 1
                if clip.arms >= spec.min_arms:
                    logits = session.run(["logits"], {"clip": clip.data[None]})[0]
                    found[camera, activity].append(float(softmax(logits)[0, distraction].sum()))
    print(f"| camera | {' | '.join(ACTIVITIES)} | cannot see |")
    print("|---" * (len(ACTIVITIES) + 2) + "|")
    for camera in cameras:
        cells = [f"{np.mean(found[camera, a]):.2f}" if found[camera, a] else "–" for a in ACTIVITIES]
        blind = 1 - sum(len(found[camera, a]) for a in ACTIVITIES) / sum(asked[camera, a] for a in ACTIVITIES)
        print(f"| {camera} | {' | '.join(cells)} | {blind:.0%} |")


if __name__ == "__main__":
    main()
