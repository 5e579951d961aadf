"""PKU-MMD parts I and II (Liu et al., 2017): long Kinect v2 recordings in which actions are labelled.

As the authors publish them, a recording is two text files of the same name, 0002-L.txt (part I: video, view) or
A01N02-L.txt (part II: action group, subject, view; views are Left, Middle, Right):

    skeletons   a line a frame: 150 numbers, 2 bodies x 25 joints x (x, y, z) in metres; zeros where nobody is
    labels      a line an action: class 1 to 51, first frame, last frame, confidence

Read here as well: the clips that AimCLR's scripts cut from them, F002V001C044L001.skeleton (video, view, class, number)
and A001N002V001C044L001.skeleton. Clips cut here get the same names, by which C2VL's captions are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import NTU25, Array
from edge_c2vl.utils.atomic import files_below
from train.datasets.action_names import PKU_MMD
from train.datasets.source import (
    MAX_FRAMES,
    LeftOut,
    Options,
    Recording,
    Source,
    bodies,
    from_kinect,
    names_in,
    numbers,
    read_lines,
)

FPS = 30.0
_VIDEO = re.compile(r"(?:0(?P<video>\d{3})|A(?P<group>\d\d)N(?P<subject>\d\d))-(?P<view>[LMR])")
_CLIP = re.compile(
    r"(?<![A-Za-z0-9])(?:F(?P<video>\d{3})|A0(?P<group>\d\d)N0(?P<subject>\d\d))V00(?P<view>[123])C(?P<label>\d{3})L(?P<index>\d{3})(?!\d)"
)
_VIEWS = "LMR"
# What the official split files say, for where they are not beside the data: part I tests videos 291 to 334, part II
# subjects 2, 3 and 7; cross-view tests the left camera in both.
_TEST_VIDEOS = range(291, 335)
_TEST_SUBJECTS = (2, 3, 7)
_SPLIT_FILE = re.compile(r"cross[-_](subject|view)(_v\d)?\.txt", re.IGNORECASE)


@dataclass(frozen=True)
class _Item:
    """A recording to cut, or a clip that was cut before; `video` as the split files write it: 0002-L, A01N02-L."""

    video: str
    skeletons: Path | None = None
    labels: Path | None = None
    clip: Path | None = None


def open_source(folder: Path, options: Options) -> Source:
    """`folder` holds both parts or one of them. Raises DatasetError where nothing is found."""
    missing = frozenset[str]() if options.missing is None else names_in(options.missing, _CLIP)
    cut = [path for path in files_below(folder, "*.skeleton") if _CLIP.fullmatch(path.stem)]
    items = [_Item(_video_of_clip(path.stem), clip=path) for path in cut if path.stem not in missing]
    items += _recordings(folder)
    if not items:
        raise DatasetError(
            f"no PKU-MMD recording in {folder}: expected text files like 0002-L.txt or A01N02-L.txt, skeletons and "
            "labels in two folders (unpack Skeleton.7z and Label_PKUMMD.7z), or clips like F002V001C044L001.skeleton"
        )
    items.sort(key=lambda item: (item.video, item.clip.name if item.clip else ""))
    return Source(
        labels=PKU_MMD,
        source="PKU-MMD (https://www.icst.pku.edu.cn/struct/Projects/PKUMMD.html)",
        licence="academic research only; not for distribution (Peking University)",
        source_layout=NTU25.name,
        dimensions=3,
        items=items,
        read=partial(read, train=read_splits(folder), missing=missing),
        left_out=[LeftOut(path.stem, "listed") for path in cut if path.stem in missing],
        listed=missing,
    )


def _recordings(folder: Path) -> list[_Item]:
    """Skeletons and labels paired. Both are NAME.txt; what a file is, its first line tells: labels have commas."""
    pairs: dict[str, dict[str, Path]] = {}
    for path in files_below(folder, "*.txt"):
        if not _VIDEO.fullmatch(path.stem):
            continue
        with path.open("rb") as file:
            kind = "labels" if b"," in file.readline(10_000) else "skeletons"
        pairs.setdefault(path.stem, {})[kind] = path
    return [_Item(video, **found) for video, found in pairs.items()]


def read_splits(folder: Path) -> dict[str, frozenset[str]]:
    """The training videos named in official split files in `folder`: "subject1", "view2" (kind and part) -> videos."""
    found: dict[str, set[str]] = {}
    for path in files_below(folder, "*.txt"):
        match = _SPLIT_FILE.fullmatch(path.name)
        if match is None:
            continue
        # Four lines: a heading, the training videos, a heading, the videos that the authors validate on.
        lines = [line for line in read_lines(path) if line.strip()]
        names = [name.strip() for name in lines[1].split(",") if name.strip()] if len(lines) > 1 else []
        if not names or not all(_VIDEO.fullmatch(name) for name in names):
            raise DatasetError(f"{path} is no split file: its second line should name videos, like 0002-L, 0003-M")
        part = 2 if names[0].startswith("A") else 1
        found.setdefault(f"{match[1].lower()}{part}", set()).update(names)
    return {key: frozenset(names) for key, names in found.items()}


def _split(video: str, train: dict[str, frozenset[str]]) -> dict[str, str | int | float]:
    match = _VIDEO.fullmatch(video)
    assert match is not None
    part = 1 if match["video"] else 2
    by_subject = int(match["video"]) not in _TEST_VIDEOS if part == 1 else int(match["subject"]) not in _TEST_SUBJECTS
    columns: dict[str, str | int | float] = {"part": part}
    for column, kind, by_rule in (("xsub", "subject", by_subject), ("xview", "view", match["view"] != "L")):
        listed = train.get(f"{kind}{part}")
        columns[column] = "train" if (by_rule if listed is None else video in listed) else "test"
    return columns


def _video_of_clip(stem: str) -> str:
    match = _CLIP.fullmatch(stem)
    assert match is not None
    view = _VIEWS[int(match["view"]) - 1]
    return f"0{match['video']}-{view}" if match["video"] else f"A{match['group']}N{match['subject']}-{view}"


def read(item: _Item, train: dict[str, frozenset[str]], missing: frozenset[str]) -> list[Recording | LeftOut]:
    """The rows of a recording's clips, or of one clip. A broken label row costs that row; a clip in which Kinect lost
    everybody costs the others nothing. Raises DatasetError where a file is broken."""
    if item.clip:
        match = _CLIP.fullmatch(item.clip.stem)
        assert match is not None
        return [*_rows(item.video, int(match["label"]), int(match["index"]), read_clip(item.clip), train)]
    if item.skeletons is None:
        raise DatasetError(f"{item.labels} has no skeleton file of the same name")
    if item.labels is None:
        raise DatasetError(f"{item.skeletons} has no label file of the same name")
    frames = read_frames(item.skeletons)
    rows: list[Recording | LeftOut] = []
    # A row's number is part of its clip's name, so a broken row counts as well.
    for index, action in enumerate(read_labels(item.labels), start=1):
        if isinstance(action, LeftOut):
            rows.append(action)
            continue
        # Frames count from 1, and the last one belongs to the action; a few actions start at 0.
        clip = frames[max(action.first - 1, 0) : action.last]
        name = clip_name(item.video, action.label, index)
        if name in missing:
            rows.append(LeftOut(name, "listed"))
        elif len(clip) == 0:
            rows.append(LeftOut(f"{action.where}: frames {action.first} to {action.last} of {len(frames)}"))
        elif not _present(clip.reshape(len(clip), -1, 3)).any():
            rows.append(LeftOut(f"{name} shows nobody", "nobody"))
        else:
            rows += _rows(item.video, action.label, index, clip, train)
    return rows


def clip_name(video: str, label: int, index: int) -> str:
    """AimCLR's name of a clip: 0002-L -> F002V001C044L001, A01N02-L -> A001N002V001C044L001."""
    match = _VIDEO.fullmatch(video)
    assert match is not None
    where = f"F{match['video']}" if match["video"] else f"A0{match['group']}N0{match['subject']}"
    return f"{where}V{_VIEWS.index(match['view']) + 1:03d}C{label:03d}L{index:03d}"


def _rows(video: str, label: int, index: int, frames: Array, train: dict[str, frozenset[str]]) -> list[Recording]:
    """frames: (T, 2, 25, 3)"""
    name = clip_name(video, label, index)
    if not 1 <= label <= len(PKU_MMD):
        raise DatasetError(f"{name} has class {label}, not 1 to {len(PKU_MMD)}")
    where, _, view = video.partition("-")
    plain = Recording(
        name=name,
        sequence=np.zeros((0, NTU25.size, 4), np.float32),
        fps=FPS,
        label=label - 1,
        subject=where[3:] if where.startswith("A") else "",  # part I does not say who
        camera=view,
        group=f"{where}C{label:03d}L{index:03d}",
        columns=_split(video, train),
    )
    return bodies(plain, [from_kinect(body, _present(body), NTU25) for body in frames.transpose(1, 0, 2, 3)])


def _present(body: Array) -> Array:
    """(T, V): 1 in the frames in which a body (T, V, 3) is there. One joint may well be at 0; all of them are not."""
    there = ((body != 0) & np.isfinite(body)).any(axis=(1, 2))
    return np.repeat(there[:, None], body.shape[1], axis=1).astype(np.float32)


def read_frames(path: Path) -> Array:
    """A recording's skeletons (T, 2, 25, 3). Raises DatasetError."""
    values = numbers([line for line in read_lines(path) if line.strip()], None, str(path))
    if values.shape[1] != 150:
        raise DatasetError(f"{path} has {values.shape[1]} numbers a line, not 150")
    return values.reshape(-1, 2, NTU25.size, 3)


@dataclass(frozen=True)
class _Action:
    """A row of a label file: class 1 to 51, first and last frame, counted from 1; where it stands."""

    label: int
    first: int
    last: int
    where: str


def read_labels(path: Path) -> list[_Action | LeftOut]:
    """A file's actions; in place of a row that is broken, what is wrong with it. Raises DatasetError where the file
    cannot be read, or no row is whole."""
    rows: list[_Action | LeftOut] = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip(" ,"):
            continue
        where = f"{path}, line {number}"
        try:
            # Part II leaves the confidence out in some files.
            label, first, last = (int(float(value)) for value in line.split(",")[:3])
        except (ValueError, OverflowError):
            rows.append(LeftOut(f"{where}: {line[:40]!r} is no class, first frame, last frame"))
            continue
        if not 1 <= label <= len(PKU_MMD):
            rows.append(LeftOut(f"{where}: class {label}, not 1 to {len(PKU_MMD)}"))
        elif not 0 <= first <= last <= MAX_FRAMES:
            rows.append(LeftOut(f"{where}: frames {first} to {last}"))
        else:
            rows.append(_Action(label, first, last, where))
    if all(isinstance(row, LeftOut) for row in rows):
        raise DatasetError(rows[0].what if rows else f"{path} has no label row")  # type: ignore[union-attr]
    return rows


def read_clip(path: Path) -> Array:
    """AimCLR's text of one clip -> (T, 2, 25, 3). Like NTU's, but x y z only, and in each frame the first body alone
    has the two header lines. Raises DatasetError."""
    lines = read_lines(path)
    try:
        length = int(lines[0])
        cursor, joint_lines, counts = 1, [], []
        if not 0 < length <= MAX_FRAMES:
            raise ValueError(f"{length} frames")
        for _ in range(length):
            count = int(float(lines[cursor]))
            if count not in (0, 1, 2):
                raise ValueError(f"{count} bodies in line {cursor + 1}")
            counts.append(count)
            cursor += 3 if count else 1
            joint_lines += lines[cursor : cursor + NTU25.size * count]
            cursor += NTU25.size * count
    except (ValueError, IndexError, OverflowError) as error:
        raise DatasetError(f"{path} is broken: {error}") from None
    result = np.zeros((length, 2, NTU25.size, 3), np.float32)
    if joint_lines:
        values = numbers(joint_lines, (0, 1, 2), str(path))
        if cursor > len(lines):
            raise DatasetError(f"{path} is broken: it ends too early")
        at = [(frame, body) for frame, count in enumerate(counts) for body in range(count)]
        result[tuple(np.array(at).T)] = values.reshape(-1, NTU25.size, 3)
    return result
