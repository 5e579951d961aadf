"""Variations of recordings. The rules write captions of them as they do of any movement.

A thousand clips show an encoder a thousand movements, and it learns them by heart. Kinematic captions are read off the
skeleton, so a changed skeleton gets a caption of its own, and no label is needed for it:

    mirror     left and right exchanged: the other hand does it
    reverse    played backwards: who sat down stands up
    arms       the arms of another recording of the same camera, on this one's trunk (3-D only)

Trunk and legs, and each arm, move as somebody moved them; only that they did so together is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.archive_files import COLUMNS
from edge_c2vl.skeletons.resample import resample
from edge_c2vl.skeletons.skeleton import NTU25, Array, body_unit, mirror
from edge_c2vl.skeletons.splits import split_columns
from edge_c2vl.utils.progress import track

# The columns of a varied archive: what may be learnt from; and the names of the clips that a variation was made of,
# body and arms, empty for a clip as it was recorded.
LEARN = "pretrain"
BODY, ARMS_OF = "variation_of", "arms_of"
# What is made of a clip, in this order; then the arms of others.
PLAIN = ("mirror", "reverse", "mirror-reverse")
_ARM = ("elbow", "wrist", "hand", "hand_tip", "thumb")
SHOULDERS = tuple(NTU25.index(f"{side}_shoulder") for side in ("left", "right"))
ARMS = tuple([NTU25.index(f"{side}_{joint}") for joint in _ARM] for side in ("left", "right"))


class Variation(NamedTuple):
    """kind: what was done; arms_of: the row whose arms it has, -1 for its own."""

    kind: str
    sequence: Array
    arms_of: int = -1


def vary(
    archive: Archive,
    path: Path,
    split: str = "",
    arms: int = 4,
    seed: int = 0,
    overwrite: bool = False,
    plain: int = len(PLAIN),
) -> tuple[int, int]:
    """Writes the archive at `path`: all clips of `archive`, and variations of those in train of the column `split`
    (empty: of all); returns how many clips and how many variations. plain: how many of PLAIN are made of each clip;
    arms: how many times it gets the arms of another one.

    3-D bodies are put upright first (Archive.axes), for arms are turned about the vertical. The column "pretrain" has
    train for the clips that were varied and for their variations; in all other columns a variation is in no part, and
    it has no label, so that probes see recorded clips only. Raises UsageError where there is no such column or part.
    """
    clips = archive.clips
    if split and split not in clips.columns:
        raise UsageError(f"--split {split}: {archive.path} has no such column")
    train = np.flatnonzero(clips[split] == "train") if split else np.arange(len(archive))
    if not len(train):
        raise UsageError(f"--split {split}: no recording of {archive.path} is in train")
    from pandas.api.types import is_numeric_dtype

    names = clips["name"].astype(str).to_numpy()
    further = [name for name in clips.columns if name not in (*COLUMNS, BODY, ARMS_OF)]
    numbers = {name for name in further if is_numeric_dtype(clips[name])}
    learnt = np.isin(np.arange(len(archive)), train)
    with ArchiveWriter(
        path,
        labels=archive.labels,
        source=f"{archive.meta['source']}, and variations of it",
        licence=archive.meta["licence"],
        source_layout=archive.meta["source_layout"],
        dimensions=archive.meta["dimensions"],
        overwrite=overwrite,
    ) as writer:

        def append(row: int, variation: Variation, label: int, columns: dict[str, Any], labels: Any = None) -> None:
            clip, kind = clips.iloc[row], variation.kind
            stamps = archive.timestamps(row)
            if kind.endswith("reverse"):
                stamps = stamps[0] + stamps[-1] - stamps[::-1]
            writer.append(
                f"{names[row]}{kind and '+'}{kind}", variation.sequence, float(clip["fps"]), label,
                str(clip["subject"]), str(clip["camera"]), str(clip["group"]),
                None if archive.evenly_spaced else stamps, labels, **columns,
            )  # fmt: skip

        for row in range(len(archive)):
            columns = {name: clips[name].iloc[row] for name in further} | {LEARN: "train" if learnt[row] else ""}
            columns |= {BODY: "", ARMS_OF: ""}
            label = int(clips["label"].iloc[row])
            append(row, Variation("", np.array(archive.upright(row))), label, columns, archive.frame_labels(row))
        made = 0
        for row in track(train.tolist(), "varying"):
            for variation in _variations(archive, row, train, plain, arms, seed):
                # Numbers are facts of the clip; of what is written, a variation is in no split.
                columns = {name: clips[name].iloc[row] if name in numbers else "" for name in further}
                columns |= {LEARN: "train", BODY: names[row]}
                columns[ARMS_OF] = names[variation.arms_of] if variation.arms_of >= 0 else ""
                append(row, variation, -1, columns)
                made += 1
        writer.meta |= {"varied": {"split": split, "plain": plain, "arms": arms, "seed": seed}, "upright": True}
        writer.meta["licences"] = archive.licences
    return len(archive), made


def learnable(varied: Archive, names: NDArray[np.str_]) -> NDArray[np.int64]:
    """The rows of a varied archive that are these clips (by name), or were made of none but these."""
    clips = varied.clips
    body, arms_of = clips[BODY].to_numpy().astype(str), clips[ARMS_OF].to_numpy().astype(str)
    own = np.isin(clips["name"].to_numpy().astype(str), names) & (body == "")
    return np.flatnonzero(own | (np.isin(body, names) & ((arms_of == "") | np.isin(arms_of, names))))


def _variations(
    archive: Archive, row: int, rows: NDArray[np.int64], plain: int, arms: int, seed: int
) -> Iterator[Variation]:
    """The variations of a row; the arms come from others of `rows`, of the same camera and of the same part of every
    split that the archive has, so that they may be learnt from wherever the row may."""
    sequence = archive.upright(row)
    turned = {"mirror": mirror(sequence), "reverse": sequence[::-1], "mirror-reverse": mirror(sequence)[::-1]}
    for kind in PLAIN[:plain]:
        yield Variation(kind, turned[kind])
    cameras = archive.clips["camera"].astype(str).to_numpy()
    others = rows[(cameras[rows] == cameras[row]) & (rows != row)]
    for column in split_columns(archive):
        part = archive.clips[column].to_numpy()
        others = others[part[others] == part[row]]
    if not len(others) or archive.meta["dimensions"] == 2:
        return
    random = np.random.default_rng([seed, row])
    for number in range(arms):
        other = int(random.choice(others))
        stamps = archive.timestamps(other)
        times = np.linspace(stamps[0], stamps[-1], len(sequence))
        changed = with_arms(sequence, resample(archive.upright(other), stamps, times))
        # Every second one in a mirror, so that both hands do what either did.
        yield Variation(f"arms{number}", mirror(changed) if number % 2 else changed, other)


def with_arms(sequence: Array, other: Array) -> Array:
    """`sequence` (T, 25, 4) with the arms of `other` (T, 25, 4), turned about the vertical as the line of its own
    shoulders lies, and scaled to its size.

    Each arm hangs on its own shoulder. A frame in which a shoulder of either was not seen has no arms.
    """
    result = sequence.copy()
    scale = body_unit(sequence) / max(body_unit(other), 1e-6)
    shoulders = list(SHOULDERS)
    seen = np.all((sequence[:, shoulders, 3] > 0) & (other[:, shoulders, 3] > 0), axis=1, keepdims=True)
    turn = _heading(sequence) - _heading(other)
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    for shoulder, arm in zip(SHOULDERS, ARMS, strict=True):
        x, y, z = np.moveaxis((other[:, arm, :3] - other[:, [shoulder], :3]) * scale, -1, 0)
        turned = np.stack([x * cos - z * sin, y, x * sin + z * cos], axis=-1)
        result[:, arm, :3] = sequence[:, [shoulder], :3] + turned
        result[:, arm, 3] = other[:, arm, 3] * seen
        result[:, arm] *= result[:, arm, 3:] > 0
    return result


def _heading(sequence: Array) -> Array:
    """The angle (T,) of the line of the shoulders in the horizontal plane, radians."""
    across = sequence[:, SHOULDERS[0], :3] - sequence[:, SHOULDERS[1], :3]
    angle: Array = np.arctan2(across[:, 2], across[:, 0])
    return angle
