"""NTU RGB+D 60 and 120 (Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2020): Kinect v2 skeletons as `.skeleton` text.

A file is named SsssCcccPpppRrrrAaaa (set-up, camera, performer, repetition, action) and holds

    number of frames
    for each frame: number of bodies
        for each body: a line of 10 fields, the first the body's id; the number of joints, 25;
            25 lines of 12 fields: x y z in metres, ..., the last one the tracking state (0 not, 1 inferred, 2 tracked)

Kinect sees people in chairs and curtains, and takes one person for two in turn. `persons` cleans that up with the rules
that the field uses (Zhang et al., "Semantics-guided neural networks", CVPR 2020, and CTR-GCN after it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import NTU25, Array
from train.datasets.action_names import NTU60, NTU120
from train.datasets.source import (
    MAX_FRAMES,
    LeftOut,
    NobodyError,
    Options,
    Recording,
    Source,
    bodies,
    from_kinect,
    named_files,
    names_in,
    numbers,
    read_lines,
)

FPS = 30.0
NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
# NTU RGB+D 60 has the set-ups 1 to 17 and the actions 1 to 60.
NAME60 = re.compile(r"S(00\d|01[0-7])C(\d{3})P(\d{3})R(\d{3})A(0[0-5]\d|060)")
# Cross-subject trains on these performers (NTU120's list; those up to 40 are NTU60's), cross-view on these cameras.
# fmt: off
TRAIN_SUBJECTS = frozenset((
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38,
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89,
    91, 92, 93, 94, 95, 97, 98, 100, 103,
))
# fmt: on
TRAIN_CAMERAS = frozenset((2, 3))
# The samples that the authors ask to leave out, from their repository (shahroudy/NTURGB-D, folder Matlab).
MISSING = Path(__file__).parent / "ntu_missing.txt"

# How sure a joint is: one that Kinect only infers counts half.
_CONFIDENCE = np.array([0, 0.5, 1], np.float32)
_MIN_LENGTH = 11  # bodies seen in no more frames than this are noise
_MAX_SPREAD = 0.8  # a person is taller than wide: a frame in which width > 0.8 x height is suspect
_MAX_SUSPECT = 0.69754  # bodies with more than this share of suspect frames are noise


@dataclass
class Track:
    """What Kinect took for one body: its frames (n,), rising; points (n, 25, 3); confidence (n, 25)."""

    frames: NDArray[np.int64]
    points: Array
    confidence: Array

    def motion(self) -> float:
        """The variance of all joint positions, over frames that look like a person where there are any."""
        looks = ~suspect(self.points)
        every = float(self.points.reshape(-1, 3).var(axis=0).sum())
        return min(every, float(self.points[looks].reshape(-1, 3).var(axis=0).sum())) if looks.any() else every


def open_ntu60(folder: Path, options: Options) -> Source:
    """NTU RGB+D 60: actions 1 to 60 of set-ups 1 to 17, with columns xsub and xview."""
    return _open(folder, options, "NTU RGB+D 60", NTU60)


def open_ntu120(folder: Path, options: Options) -> Source:
    """NTU RGB+D 120, with columns xsub and xset (even set-ups train)."""
    return _open(folder, options, "NTU RGB+D 120", NTU120)


def _open(folder: Path, options: Options, title: str, labels: list[str]) -> Source:
    missing = names_in(MISSING if options.missing is None else options.missing, NAME)
    name = NAME if labels is NTU120 else NAME60
    paths = named_files(folder, "*.skeleton", name, f"{title} skeleton", "S001C001P001R001A001.skeleton")
    items = sorted((path for path in paths if path.stem not in missing), key=lambda path: path.name)
    return Source(
        labels=labels,
        source=f"{title} (https://rose1.ntu.edu.sg/dataset/actionRecognition)",
        licence="academic research only; not for distribution (ROSE Lab, NTU)",
        source_layout=NTU25.name,
        dimensions=3,
        items=items,
        read=partial(read, second="xview" if labels is NTU60 else "xset"),
        left_out=[LeftOut(path.stem, "listed") for path in paths if path.stem in missing],
        # The authors' own list is of both data sets, whole; only the user's says what should be here.
        listed=frozenset() if options.missing is None else missing,
    )


def splits(name: str) -> dict[str, str]:
    """Where a sample belongs by the official protocols: xsub, xview, xset -> train or test."""
    match = NAME.match(name)
    if match is None:
        raise DatasetError(f"{name} is no name like S001C001P001R001A001")
    setup, camera, subject = (int(number) for number in match.groups()[:3])
    train = {"xsub": subject in TRAIN_SUBJECTS, "xview": camera in TRAIN_CAMERAS, "xset": setup % 2 == 0}
    return {split: "train" if part else "test" for split, part in train.items()}


def recording(name: str, second: str) -> Recording:
    """All but the skeleton, as the name tells it. `second`: the split beside xsub."""
    setup, camera, subject, repetition, action = (int(number) for number in NAME.match(name).groups())  # type: ignore[union-attr]
    parts = splits(name)
    return Recording(
        name=name,
        sequence=np.zeros((0, NTU25.size, 4), np.float32),
        fps=FPS,
        label=action - 1,
        subject=f"P{subject:03d}",
        camera=f"C{camera:03d}",
        group=f"S{setup:03d}P{subject:03d}R{repetition:03d}A{action:03d}",
        columns={"setup": setup, "xsub": parts["xsub"], second: parts[second]},
    )


def read(path: Path, second: str) -> list[Recording]:
    """A row for each of the one or two people in a file. Raises DatasetError where it is broken or shows nobody."""
    length, tracks = read_tracks(path)
    found = []
    for person in persons(tracks):
        points = np.zeros((length, NTU25.size, 3), np.float32)
        confidence = np.zeros((length, NTU25.size), np.float32)
        for track in person:
            points[track.frames], confidence[track.frames] = track.points, track.confidence
        found.append(from_kinect(points, confidence, NTU25))
    if not found:
        raise NobodyError(f"{path} shows nobody")
    # Frames before anybody came and after all had gone tell nothing.
    seen = np.flatnonzero(np.any([(sequence[..., 3] > 0).any(axis=1) for sequence in found], axis=0))
    if len(seen) == 0:
        raise NobodyError(f"{path} shows nobody whose joints were tracked")
    return bodies(recording(path.stem, second), [sequence[seen[0] : seen[-1] + 1] for sequence in found])


def read_tracks(path: Path) -> tuple[int, list[Track]]:
    """The number of frames, and each body id's track. Raises DatasetError."""
    lines = read_lines(path)
    cursor = 0

    def integer(what: str) -> int:
        nonlocal cursor
        cursor += 1
        try:
            return int(lines[cursor - 1])
        except (ValueError, IndexError):
            raise DatasetError(f"{path} is broken: {what} expected in line {cursor}") from None

    length = integer("the number of frames")
    if not 0 <= length <= MAX_FRAMES:
        raise DatasetError(f"{path} is broken: {length} frames")
    joint_lines: list[str] = []
    frames: dict[str, list[int]] = {}
    places: dict[str, list[int]] = {}
    for frame in range(length):
        for _ in range(integer("the number of bodies")):
            header = lines[cursor].split() if cursor < len(lines) else []
            cursor += 1
            if not header or integer("25 joints") != NTU25.size:
                raise DatasetError(f"{path} is broken: a body of 25 joints expected in line {cursor}")
            frames.setdefault(header[0], []).append(frame)
            places.setdefault(header[0], []).append(len(joint_lines))
            joint_lines += lines[cursor : cursor + NTU25.size]
            cursor += NTU25.size
    if not joint_lines:
        return length, []
    values = numbers(joint_lines, (0, 1, 2, 11), str(path))
    if cursor > len(lines) or not np.isin(values[:, 3], (0, 1, 2)).all():
        raise DatasetError(f"{path} is broken: it ends too early, or a tracking state is none of 0, 1, 2")
    values = values.reshape(-1, NTU25.size, 4)
    tracks = []
    for body, at in frames.items():
        # A body id twice in a frame: the first counts.
        rising, first = np.unique(np.array(at), return_index=True)
        joints = values[np.array(places[body])[first] // NTU25.size]
        sane = (np.abs(joints[..., :3]) < 1e3).all(axis=2)  # metres; False for NaN too
        confidence = _CONFIDENCE[joints[..., 3].astype(int)] * sane
        tracks.append(Track(rising, np.where(sane[..., None], joints[..., :3], 0), confidence))
    return length, tracks


def suspect(points: Array) -> NDArray[np.bool_]:
    """(n,): frames (n, 25, 3) in which a body is nearly as wide as tall, or wider, as chairs and tables are."""
    width, height = np.ptp(points[..., 0], axis=1), np.ptp(points[..., 1], axis=1)
    return width > _MAX_SPREAD * height


def persons(tracks: Iterable[Track]) -> list[list[Track]]:
    """The tracks of at most two people, the one who moves most first; noise is dropped, but never all.

    Kinect gives a person that it lost for a moment a new id: a track goes to the first person who is not seen in any of
    its frames.
    """
    left = list(tracks)
    long = [track for track in left if len(track.frames) > _MIN_LENGTH]
    left = long or sorted(left, key=lambda track: -len(track.frames))[:1]
    people_like = [track for track in left if suspect(track.points).mean() < _MAX_SUSPECT]
    left = people_like or left
    found: list[list[Track]] = []
    for track in sorted(left, key=lambda track: -track.motion()):
        for person in found:
            if not any(np.isin(track.frames, other.frames).any() for other in person):
                person.append(track)
                break
        else:
            if len(found) < 2:
                found.append([track])
    return found
