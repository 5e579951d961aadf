"""Does MediaPipe find the simulated driver, and how near to the truth? Prints a Markdown table.

    python benchmarks/simulated_pose.py --drivers 5 --seconds 2 --fps 4

Every driver does all of Drive&Act's 34 mid-level activities one after the other, so many seconds each; the pose
estimator follows as it does live, behind the camera's own brightening. Error: the distance in the picture between a
landmark and the projection of the true joint, in breadths between the true shoulder joints seen from the front; of
landmarks with a visibility of 0.5 or more whose true joint lies in the picture. "inside": without the four activities
that are wholly or partly done outside of the car.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass, field

import cv2
import numpy as np

from edge_c2vl.cameras.infrared import Brightener
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.simulated.activities import MIDLEVEL, OUTSIDE
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.film import Film
from edge_c2vl.simulated.scripts import once
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from edge_c2vl.utils.progress import track

JOINTS = {
    "nose": ("nose",),
    **{f"{name}s": (f"left_{name}", f"right_{name}") for name in ("shoulder", "elbow", "wrist", "hip")},
}
# camera, look, exposure
ROWS = (
    [(name, view.look, 1.0) for name, view in VIEWS.items()]
    + [(name, "rgb", 1.0) for name, view in VIEWS.items() if view.suffix.startswith("ids_")]
    + [("inner_mirror", "ir", 0.1), ("kinect_depth", "depth", 1.0)]
)


@dataclass
class Row:
    """What was found with one camera and look."""

    pictures: int = 0
    inside: int = 0
    found: int = 0
    found_inside: int = 0
    brightness: list[float] = field(default_factory=list)
    draw_s: float = 0.0
    errors: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in JOINTS})
    missed: Counter[str] = field(default_factory=Counter)

    def median(self, name: str) -> float:
        return float(np.median(self.errors[name])) if self.errors[name] else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each activity")
    parser.add_argument("--fps", type=float, default=4.0)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--cameras", default=",".join(VIEWS))
    parser.add_argument("--static", action="store_true", help="every picture by itself: nothing is followed")
    parser.add_argument("--json", help="also write the figures to this file")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    chosen = [row for row in ROWS if row[0] in arguments.cameras.split(",")]
    results = {row: Row() for row in chosen}
    with PoseEstimator(static=arguments.static) as pose:
        work = [(number, row) for number in range(1, arguments.drivers + 1) for row in chosen]
        for number, row in track(work, "films", len(work)):
            driver = make_driver(number)
            camera, look, exposure = row
            view = VIEWS[camera]
            height = round(view.height * arguments.width / view.width)
            script = once(list(MIDLEVEL), arguments.seconds)
            film = Film(driver, script, view, look, arguments.width, height, exposure)
            pose.reset()
            watch(film, pose, results[row], arguments.seconds * len(MIDLEVEL), arguments.fps)
    report(results)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump([summary(row, result) for row, result in results.items()], file, indent=1)


def watch(film: Film, pose: PoseEstimator, row: Row, seconds: float, fps: float) -> None:
    """Adds one film to a row."""
    brightener = Brightener("auto")
    for number in range(int(seconds * fps)):
        time_s = number / fps
        started_s = time.process_time()
        image = film.image(time_s)
        row.draw_s += time.process_time() - started_s
        truth = film.truth(time_s)
        row.brightness.append(float(image.mean()))
        skeleton = pose.estimate(brightener.apply(image, time_s), time_s)
        inside = truth.activity not in OUTSIDE
        row.pictures += 1
        row.inside += inside
        if skeleton is None:
            row.missed[truth.activity] += 1
            continue
        row.found += 1
        row.found_inside += inside
        distance = np.hypot(*(skeleton[:, :2] - truth.pixels[:, :2]).T) / truth.shoulder_px
        sure = (skeleton[:, 3] >= 0.5) & (truth.pixels[:, 3] > 0)
        for name, joints in JOINTS.items():
            for joint in joints:
                index = MEDIAPIPE33.index(joint)
                if sure[index]:
                    row.errors[name].append(float(distance[index]))


def summary(key: tuple[str, str, float], row: Row) -> dict[str, object]:
    camera, look, exposure = key
    return {
        "camera": camera,
        "look": look,
        "exposure": exposure,
        "pictures": row.pictures,
        "found": row.found / row.pictures,
        "found_inside": row.found_inside / max(row.inside, 1),
        "mean_brightness": float(np.mean(row.brightness)),
        "draw_cpu_ms": 1000 * row.draw_s / row.pictures,
        "median_error": {name: row.median(name) for name in JOINTS},
        "median_error_all": float(np.median([error for errors in row.errors.values() for error in errors] or [np.nan])),
        "missed": dict(row.missed.most_common()),
    }


def report(results: dict[tuple[str, str, float], Row]) -> None:
    print(f"| camera | look | pictures | found | inside | error | {' | '.join(JOINTS)} | brightness | draw, CPU ms |")
    print("|---" * (8 + len(JOINTS)) + "|")
    for key, row in results.items():
        values = summary(key, row)
        look = f"{key[1]}, exposure {key[2]:g}" if key[2] != 1 else key[1]
        joints = " | ".join(f"{row.median(name):.2f}" for name in JOINTS)
        print(
            f"| {key[0]} | {look} | {row.pictures} | {values['found']:.1%} | {values['found_inside']:.1%} | "
            f"{values['median_error_all']:.2f} | {joints} | {values['mean_brightness']:.0f} | "
            f"{values['draw_cpu_ms']:.0f} |"
        )
    for key, row in results.items():
        print(f"missed, {key}: {', '.join(f'{name} {count}' for name, count in row.missed.most_common(8))}")


if __name__ == "__main__":
    main()
