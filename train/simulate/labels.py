"""Drive&Act's label files: chunks of at most three seconds in each camera's own frame numbers, and splits by driver."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from edge_c2vl.simulated.activities import NOTHING
from edge_c2vl.simulated.cameras import View
from edge_c2vl.simulated.motion import Motion
from train.simulate.protocol import Step

CHUNK_S = 3.0
LEVELS = ("midlevel", "tasklevel", "objectlevel")
SPLITS, PARTS = 3, ("train", "val", "test")
_COLUMNS = ("participant_id", "file_id", "annotation_id", "frame_start", "frame_end")
# The drivers whom the authors test and validate on in split 0; the rest is for training.
_FIRST_OF_15 = (5, 11, 13, 14, 15)


@dataclass(frozen=True)
class Annotation:
    """What is the case from start_s to end_s: one name, or (action, object, location)."""

    start_s: float
    end_s: float
    names: tuple[str, ...]


def annotate(steps: list[Step], motion: Motion) -> dict[str, list[Annotation]]:
    """All of a session, by level. `motion` plays these steps."""
    tasks = []
    for task, group in groupby(steps, key=lambda step: step.task):
        members = list(group)
        if task is not None:
            tasks.append(Annotation(members[0].start_s, members[-1].end_s, (task,)))
    return {
        "midlevel": [Annotation(step.start_s, step.end_s, (step.activity,)) for step in steps],
        "tasklevel": tasks,
        "objectlevel": [Annotation(*stretch) for stretch in motion.actions(steps[-1].end_s) if stretch[2] != NOTHING],
    }


def rows(stretches: list[Annotation], participant: int, run: str, view: View, frames: int) -> list[list[str | int]]:
    """The rows of one level and camera: participant_id to frame_end, the names, chunk_id. frames: of the recording,
    beyond which no chunk reaches. Frame numbers count this camera's pictures; frame_end is the first one after."""
    result: list[list[str | int]] = []
    for number, stretch in enumerate(stretches):
        count = max(1, math.ceil((stretch.end_s - stretch.start_s) / CHUNK_S - 1e-6))
        for chunk in range(count):
            start_s = stretch.start_s + CHUNK_S * chunk
            end_s = min(start_s + CHUNK_S, stretch.end_s)
            start, end = (min(round(time_s * view.fps), frames) for time_s in (start_s, end_s))
            if end > start:
                file_id = f"vp{participant}/{run}.{view.suffix}"
                result.append([participant, file_id, number, start, end, *stretch.names, chunk])
    return result


def split_of(drivers: int, split: int) -> dict[int, str]:
    """Driver -> train, val or test; of 15 drivers 10, 2 and 3 as in Drive&Act, split 0 with the authors' own drivers.
    Nobody is tested in two splits. Raises ValueError below three drivers."""
    if drivers < SPLITS:
        raise ValueError(f"{drivers} drivers cannot be split by driver into train, val and test: {SPLITS} or more")
    order = list(range(1, drivers + 1))
    if drivers == 15:
        order = [*_FIRST_OF_15, *(number for number in order if number not in _FIRST_OF_15)]
    test, val = max(1, drivers // 5), max(1, round(drivers * 2 / 15))
    turned = order[split * test :] + order[: split * test]
    parts = dict.fromkeys(order, "train")
    parts |= dict.fromkeys(turned[:test], "test") | dict.fromkeys(turned[test : test + val], "val")
    return parts


def write(folder: Path, level: str, table: list[list[str | int]], drivers: int) -> int:
    """<level>.chunks_90.csv and its nine parts in `folder`. Returns how many files."""
    names = ("activity", "object", "location") if level == "objectlevel" else ("activity",)
    header = [*_COLUMNS, *names, "chunk_id"]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{level}.chunks_90.csv", header, table)
    for split in range(SPLITS):
        parts = split_of(drivers, split)
        for part in PARTS:
            chosen = [row for row in table if parts[int(row[0])] == part]
            _write(folder / f"{level}.chunks_90.split_{split}.{part}.csv", header, chosen)
    return 1 + SPLITS * len(PARTS)


def _write(path: Path, header: list[str], table: list[list[str | int]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(table)
