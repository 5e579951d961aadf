"""Drive&Act's own files, written small: four activities that differ by where the hands are, three splits by driver."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

# activity -> height of the right wrist over the hip, metres
ACTIVITIES = {"drinking": 0.55, "eating": 0.35, "sitting_still": 0.05, "reading (magazine)": 0.2}
TRIPLETS = {
    "drinking": ("drinking", "bottle", "face"),
    "eating": ("eating", "food", "face"),
    "sitting_still": ("no_interaction", "no_object", "lap"),
    "reading (magazine)": ("reading", "magazine", "lap"),
}
DRIVERS = range(1, 7)
# Split s tests drivers 2s + 1 and validates on 2s + 2.
FRAMES = 30  # of a chunk
ROUNDS = 3  # chunks of each activity a driver

# The order in the data set's files.
JOINTS_TEXT = (
    "nose lElbow lWrist rHeel rHip rSmallToe neck lSmallToe rWrist rAnkle lHip lHeel lKnee lEye midHip background "
    "lEar rElbow rShoulder rKnee lShoulder lBigToe rEye rEar rBigToe lAnkle"
)
JOINTS = JOINTS_TEXT.split()
HEADER = "participant_id,file_id,annotation_id,frame_start,frame_end,activity,chunk_id"


def run_of(driver: int, suffix: str = "ids_1") -> str:
    return f"vp{driver}/run1_2018-05-0{driver}-10-00-00.{suffix}"


def part_of(driver: int, split: int) -> str:
    return {2 * split + 1: "test", 2 * split + 2: "val"}.get(driver, "train")


def chunks() -> list[tuple[int, int, str]]:
    """(start, end, activity) of a driver's chunks, one after another."""
    names = [name for _ in range(ROUNDS) for name in ACTIVITIES]
    return [(FRAMES * place, FRAMES * (place + 1), name) for place, name in enumerate(names)]


def write_labels(root: Path, suffix: str = "ids_1", camera: str = "inner_mirror") -> None:
    folder = root / "activities_3s" / camera
    folder.mkdir(parents=True, exist_ok=True)
    for split in range(3):
        for part in ("train", "val", "test"):
            rows: dict[str, list[str]] = {"midlevel": [HEADER], "objectlevel": []}
            rows["objectlevel"] = [HEADER.replace("activity", "activity,object,location")]
            rows["tasklevel"] = [HEADER]
            for driver in (driver for driver in DRIVERS if part_of(driver, split) == part):
                for number, (start, end, name) in enumerate(chunks()):
                    lead = f"{driver},{run_of(driver, suffix)},{number},{start},{end}"
                    rows["midlevel"].append(f"{lead},{name},0")
                    rows["objectlevel"].append(f"{lead},{','.join(TRIPLETS[name])},0")
                    rows["tasklevel"].append(f"{lead},{'work' if number % 2 else 'eat_drink'},0")
            for level, lines in rows.items():
                (folder / f"{level}.chunks_90.split_{split}.{part}.csv").write_text("\n".join(lines) + "\n")


def write_skeletons(root: Path) -> None:
    """openpose_3d: a person of a metre's size who holds the right wrist where the activity wants it."""
    for driver in DRIVERS:
        path = root / "openpose_3d" / f"{run_of(driver)}.openpose.3d.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_skeletons(driver))


@functools.cache
def _skeletons(driver: int) -> str:
    places = {
        "nose": (0, 0.65), "neck": (0, 0.45), "midHip": (0, 0), "lShoulder": (0.2, 0.45), "rShoulder": (-0.2, 0.45),
        "lElbow": (0.25, 0.2), "rElbow": (-0.25, 0.2), "lWrist": (0.2, 0.05), "rHip": (-0.15, 0), "lHip": (0.15, 0),
    }  # fmt: skip
    random = np.random.default_rng(driver)
    lines = [",".join(["frame_id", "timestamp"] + [f"{joint}_{axis}" for joint in JOINTS for axis in "xyzp"])]
    for start, end, name in chunks():
        for frame in range(start, end):
            at = places | {"rWrist": (-0.2, ACTIVITIES[name])}
            cells = [str(frame), f"{frame / 30:.4f}"]
            for joint in JOINTS:
                x, y = at.get(joint, (0, 0))
                x, y, z = np.array([x, -y, 1.0]) + random.normal(0, 0.005, 3)
                cells += [f"{x:.4f}", f"{y:.4f}", f"{z:.4f}", "0.9" if joint in at else "0.0"]
            lines.append(",".join(cells))
    return "\n".join(lines) + "\n"
