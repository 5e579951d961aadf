"""How MediaPipe errs on rendered drivers: what it finds of joints in the picture and out of it, and how far it is off.

    python benchmarks/false_alerts.py --drivers 3,4 --minutes 5 --fps 5 --keep seen
    python benchmarks/pose_errors.py seen

Prints a Markdown row for each camera and joint; lengths are in shoulder breadths. inside, outside: shares of the
pictures in which the joint lies in the picture and out of it; found: the share of those in which MediaPipe places it in
the picture with a visibility that the encoder takes; error: of those found, median / 95 %; beyond: how far the joint
lies beyond the picture's edge, median; from edge: how far from that place of the edge it is found, median; changes: how
many times a second it is lost or found again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from kept_drives import read_drive
from numpy.typing import NDArray

from edge_c2vl.cameras.simulated import make_film, parse
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from edge_c2vl.utils.progress import track

PARTS = ("nose", "eye", "ear", "shoulder", "elbow", "wrist", "hip")
COLUMNS = ("camera", "joint", "inside", "found", "error", "outside", "beyond", "found", "from edge", "changes")


class Errors:
    """Of the drives before one camera; arrays (T, 33)."""

    def __init__(self) -> None:
        self.inside: list[NDArray[np.bool_]] = []
        self.found: list[NDArray[np.bool_]] = []
        self.error: list[NDArray[np.float64]] = []  # from the true place, or, outside, from the nearest of the edge
        self.beyond: list[NDArray[np.float64]] = []
        self.changes: list[NDArray[np.float64]] = []  # (33,), a second

    def add(self, path: Path, every: int) -> None:
        camera, driver, fps, _, minutes = path.stem.split("-")
        looks = {time_s: look for time_s, look in read_drive(path).items() if look.landmarks is not None}
        times_s = list(looks)[::every]
        height, width = looks[times_s[0]].size[:2]
        uri = f"simulated:commuting?camera={camera}&driver={driver}&fps={fps}&seconds={60 * float(minutes):g}"
        film, view = make_film(parse(uri), width, height), VIEWS[camera].scaled(width, height)
        truths = [film.truth(time_s) for time_s in times_s]
        unit = np.array([[truth.shoulder_px] for truth in truths])
        places = view.project([truth.car for truth in truths])[..., :2]
        edges = np.clip(places, 0, [width, height])
        inside = np.array([truth.pixels[:, 3] > 0 for truth in truths])
        landmarks = np.array([look.landmarks for look in looks.values()])
        seen = landmarks[..., 3] >= ClipSpec().min_confidence
        landmarks, found = landmarks[::every], seen[::every]
        off = landmarks[..., :2] * [1, -1] - np.where(inside[..., None], places, edges)
        self.inside.append(inside)
        self.found.append(found)
        self.error.append(np.linalg.norm(off, axis=-1) / unit)
        self.beyond.append(np.linalg.norm(places - edges, axis=-1) / unit)
        self.changes.append((seen[1:] != seen[:-1]).mean(axis=0) * float(fps))

    def row(self, part: str) -> list[str]:
        joints = [index for index, name in enumerate(MEDIAPIPE33.joints) if part in name.split("_")]
        inside, found = np.concatenate(self.inside)[:, joints], np.concatenate(self.found)[:, joints]
        error, beyond = np.concatenate(self.error)[:, joints], np.concatenate(self.beyond)[:, joints]
        return [
            f"{inside.mean():.0%}",
            _share(found[inside]),
            _quantiles(error[inside & found], 0.5, 0.95),
            f"{(~inside).mean():.0%}",
            _quantiles(beyond[~inside], 0.5),
            _share(found[~inside]),
            _quantiles(error[~inside & found], 0.5),
            f"{np.mean(self.changes, axis=0)[joints].mean():.2f}",
        ]


def _share(found: NDArray[np.bool_]) -> str:
    return f"{found.mean():.0%}" if len(found) >= 30 else ""


def _quantiles(values: NDArray[np.float64], *at: float) -> str:
    return " / ".join(f"{value:.2f}" for value in np.quantile(values, at)) if len(values) >= 30 else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of false_alerts.py --keep")
    parser.add_argument("--every", type=int, default=5, help="take one of so many pictures")
    asked = parser.parse_args()
    found: dict[str, Errors] = {}
    drives = sorted(asked.folder.glob("*.npy"))
    if not drives:
        parser.error(f"there are no drives in {asked.folder}")
    for path in track(drives, "drives", len(drives)):
        found.setdefault(path.stem.split("-")[0], Errors()).add(path, asked.every)
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for camera, errors in found.items():
        for part in PARTS:
            print(f"| {' | '.join([camera, part, *errors.row(part)])} |")


if __name__ == "__main__":
    main()
