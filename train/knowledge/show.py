"""What `edge-c2vl knowledge show` shows: a clip beside its captions, a bank's statistics."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl import plots
from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import normalise
from edge_c2vl.skeletons.windows import Windows
from train.knowledge.bank import Bank, BankError
from train.knowledge.kinematics import Describer
from train.knowledge.sketch import sketch
from train.knowledge.spectrum import statistics


def find_clip(archive: Archive, clip: str) -> int:
    """The row of a clip by name or number. Raises UsageError."""
    names = archive.clips["name"].astype(str).to_numpy()
    found = np.flatnonzero(names == clip)
    if len(found):
        return int(found[0])
    if clip.isdigit() and int(clip) < len(archive):
        return int(clip)
    raise UsageError(f"{archive.path} has no clip {clip!r}: its {len(archive)} clips are called like {names[0]}")


def facts_of(archive: Archive, row: int) -> dict[str, Any]:
    """What the archive says of a clip."""
    clip, stamps = archive.clips.iloc[row], archive.timestamps(row)
    number = int(clip["label"])
    return {
        "name": str(clip["name"]),
        "label": archive.labels[number] if number >= 0 else "",
        "frames": len(stamps),
        "seconds": round(float(stamps[-1] - stamps[0]), 3),
        "subject": str(clip["subject"]),
        "camera": str(clip["camera"]),
    }


def clip_facts(
    archive_path: Path, clip: str | None, bank_path: Path | None, output: Path | None, parts: bool, size: int
) -> dict[str, Any]:
    """All that is to be printed. Without a bank the captions are the kinematic ones, made now."""
    archive = Archive.open(archive_path)
    bank = Bank.open(bank_path) if bank_path else None
    shown: dict[str, Any] = {}
    if clip is not None:
        row = find_clip(archive, clip)
        facts, stamps = facts_of(archive, row), archive.timestamps(row)
        shown |= {name: facts[name] for name in ("name", "frames", "seconds")}
        shown["captions"] = _of_bank(bank, facts["name"]) if bank else _made(archive, row, parts)
        poses = upright(archive, row)
        shown["sketch"] = sketch(poses)
        if output:
            plots.save(plots.film_strip(poses, stamps, shown["captions"][0]["captions"][0]), output)
    if bank:
        rows, count, dimension = bank.embeddings.shape
        shown["bank"] = {"rows": rows, "per_row": count, "dimension": dimension, **bank.meta}
        shown["statistics"] = statistics(bank.embeddings, size=size)
    return shown


def _made(archive: Archive, row: int, parts: bool) -> list[dict[str, Any]]:
    stamps = archive.timestamps(row)
    window = Windows.make([(row, stamps[0], stamps[-1], -1)])
    said = next(Describer(archive).captions(window, parts))
    return [{"start_s": float(stamps[0]), "end_s": float(stamps[-1]), "captions": said}]


def _of_bank(bank: Bank, name: str) -> list[dict[str, Any]]:
    rows = set(bank.rows_of(name).tolist())
    if not rows:
        raise BankError(f"bank {bank.path} knows nothing of {name}")
    return [
        {"start_s": float(bank.spans[row, 0]), "end_s": float(bank.spans[row, 1]), "captions": said}
        for row, said in enumerate(bank.captions())
        if row in rows
    ]


def upright(archive: Archive, row: int) -> np.ndarray:
    """The clip as it is read: levelled, and (3-D) facing; then turned to the viewer, left and right as in a picture."""
    dimensions = archive.meta["dimensions"]
    poses = normalise(archive.upright(row), dimensions, facing=dimensions == 3)
    if dimensions == 3:
        poses[..., [0, 2]] *= -1  # half a turn: `facing` looks away from the viewer
    return poses


def print_clip(shown: dict[str, Any]) -> str:
    """The clip as text: sketch, then its captions with the seconds they tell of."""
    lines = [f"{shown['name']}: {shown['frames']} frames, {shown['seconds']:g} s", "", shown["sketch"], ""]
    for window in shown["captions"]:
        for index, said in enumerate(window["captions"]):
            lead = f"{window['start_s']:6.2f}-{window['end_s']:.2f} s  " if index == 0 else " " * 16
            lines += textwrap.wrap(said, 110, initial_indent=lead, subsequent_indent=" " * 16)
    return "\n".join(lines)


def print_statistics(shown: dict[str, Any]) -> str:
    """The bank's facts and a table of its statistics."""
    bank, rows = shown["bank"], shown["statistics"]
    temperatures = list(rows[0]["target_entropy"])
    lines = [
        "",
        f"bank of {bank['kind']}: {bank['rows']} windows, {bank['per_row']} embedding(s) each, {bank['dimension']} "
        f"dimensions, by {bank['encoder']} from {bank['source']}",
        f"{'prepared':<14}{'dimensions':>11}{'mean cosine':>13}{'effective rank':>16}   entropy of targets (nats, of "
        f"{np.log(128):.2f}) at temperature " + ", ".join(temperatures),
    ]
    for row in rows:
        entropies = "  ".join(f"{row['target_entropy'][t]:.2f}" for t in temperatures)
        lines.append(
            f"{row['prepared']:<14}{row['dimensions']:>11}{row['mean_cosine']:>13.3f}{row['effective_rank']:>16.1f}   "
            + entropies
        )
    return "\n".join(lines)
