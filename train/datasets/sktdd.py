"""sktDD: skeletons of 11 drivers in a simulator, seen by three cameras, normal driving and labelled distraction.

    training/trajectories/DDD-NN/00001.csv      573 recordings of normal driving, driver DDD
    testing/trajectories/DDD-0V/00001.csv       33 labelled ones: one drive of each driver, in view V
    testing/test_frame_mask/DDD_0V.npy          its frames' labels: 0 attentive, 1 distracted

A row of a .csv is FrameNumber, PersonID and x, y in pixels of OpenPose's BODY-25, 0.0 for a joint that was not found.
PersonID is the view. A driver's normal recordings come view by view: of n of them the i-th, the (i + n/3)-th and
the (i + 2n/3)-th are one moment.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import OPENPOSE25, Array, clean, to_ntu25
from edge_c2vl.utils.arrays import ERRORS, load_npy, most_unpacked
from edge_c2vl.utils.atomic import files_below
from edge_c2vl.utils.progress import track
from train.datasets import sktdd_views as views
from train.datasets.source import MAX_FRAMES, Options, Recording, Source

CAMERAS = ("mirror", "window", "dashboard")
# How many recordings from other places --views adds of each recording.
VIEWS = {"labelled": 8, "normal": 3}
FPS = 30.0  # not stated by the authors; the recordings' length of about 913 frames speaks for it


@dataclass(frozen=True)
class _Item:
    path: Path
    name: str
    driver: str
    kind: str  # normal or labelled
    moment: str
    camera: int  # that the file's place in the list speaks for
    mask: Path | None = None


@dataclass(frozen=True)
class _Turned:
    """A moment that all cameras saw (camera -> its item), as it looks from other places."""

    items: dict[str, _Item]
    rig: views.Rig
    places: list[views.Viewpoint]


def open_source(folder: Path, options: Options) -> Source:
    """`folder`: original_sktDD, or the folder that holds it. Raises DatasetError where no recording is found, or, with
    options.views, none that all cameras saw."""
    root = folder / "original_sktDD" if (folder / "original_sktDD").is_dir() else folder
    items = _normal(root) + _labelled(root)
    if not items:
        raise DatasetError(
            f"no sktDD recordings in {folder}: expected training/trajectories/*/*.csv and testing/trajectories/*/*.csv"
        )
    turned = _turned(items, root) if options.views else []
    seen = ", as recorded and as seen from other places" if turned else ""
    return Source(
        labels=["attentive", "distracted"],
        source=f"sktDD (https://github.com/jingyulei/sktDD){seen}",
        licence="MIT License, Copyright (c) 2024 jingyulei",
        source_layout=OPENPOSE25.name,
        dimensions=2,
        items=[*items, *turned],
        read=read,
    )


def _recordings(part: Path) -> list[Path]:
    return [path for path in files_below(part / "trajectories", "*.csv") if path.parent.parent.name == "trajectories"]


def _normal(root: Path) -> list[_Item]:
    drivers: dict[str, list[Path]] = defaultdict(list)
    for path in _recordings(root / "training"):
        drivers[path.parent.name.partition("-")[0]].append(path)
    items = []
    for driver, paths in drivers.items():
        third, rest = divmod(len(paths), len(CAMERAS))
        for index, path in enumerate(paths):
            name = f"normal/{path.parent.name}"
            # Part of a driver's recordings only: which of them go together cannot be told.
            camera, place = (-1, 0) if rest else divmod(index, third)
            moment = name if rest else f"normal/{driver}/{place + 1:02d}"
            items.append(_Item(path, name, driver, "normal", moment, camera))
    return items


def _labelled(root: Path) -> list[_Item]:
    items = []
    for path in _recordings(root / "testing"):
        recording = path.parent.name
        driver, _, view = recording.partition("-")
        mask = root / "testing" / "test_frame_mask" / f"{recording.replace('-', '_')}.npy"
        camera = int(view) - 1 if view.isdecimal() else -1
        items.append(_Item(path, f"labelled/{recording}", driver, "labelled", f"labelled/{driver}", camera, mask))
    return items


def _turned(items: list[_Item], root: Path) -> list[_Turned]:
    """The moments that all cameras saw, with the places to see them from. The cameras are found on labelled drives."""
    moments: dict[str, dict[str, _Item]] = defaultdict(dict)
    for item in items:
        if item.camera in range(len(CAMERAS)):
            moments[item.moment][CAMERAS[item.camera]] = item
    whole = {name: moments[name] for name in sorted(moments) if len(moments[name]) == len(CAMERAS)}
    labelled = [found for found in whole.values() if found["dashboard"].kind == "labelled"]
    found = [seen for seen in map(_pictures, track(labelled, "finding the cameras")) if seen is not None]
    if not found:
        raise DatasetError(f"--views needs a labelled drive that all of sktDD's cameras saw; there is none in {root}")
    random = np.random.default_rng(0)
    rig = views.Rig.find(found, random)
    return [
        _Turned(parts, rig, [views.draw_viewpoint(random) for _ in range(VIEWS[parts["dashboard"].kind])])
        for parts in whole.values()
    ]


def _pictures(items: dict[str, _Item]) -> views.Floats | None:
    """What the cameras see of a moment; None where a file is broken or of another camera, which `read` tells."""
    try:
        recordings = [_read_recording(items[camera]) for camera in CAMERAS]
    except DatasetError:
        return None
    if [recording.camera for recording in recordings] != list(CAMERAS):
        return None
    return views.pictures({recording.camera: clean(recording.sequence) for recording in recordings})


def read(item: _Item | _Turned) -> list[Recording]:
    """The recording of a file, or those of a moment from other places. Raises DatasetError where a file is broken."""
    return [_read_recording(item)] if isinstance(item, _Item) else _read_turned(item)


def _read_turned(turned: _Turned) -> list[Recording]:
    seen = _pictures(turned.items)
    if seen is None:
        return []
    body = turned.rig.body(seen)
    first = _read_recording(turned.items["dashboard"])
    assert first.frame_labels is not None
    return [
        replace(
            first,
            name=f"{first.group}/turned-{number}",
            sequence=views.turn(body, place),
            camera="turned",
            group=f"{first.group}/turned-{number}",
            frame_labels=first.frame_labels[: len(body)],
            columns={"kind": f"{first.columns['kind']}, turned"},
        )
        for number, place in enumerate(turned.places)
    ]


def _read_recording(item: _Item) -> Recording:
    """One recording on a uniform grid of frames. Raises DatasetError where the file is broken."""
    frames, view, pixels = read_csv(item.path)
    mask = None if item.mask is None else _read_mask(item.mask)
    length = int(frames[-1]) + 1 if mask is None else len(mask)
    if frames[-1] >= length:
        raise DatasetError(f"{item.path} has frame {frames[-1]}, but {item.mask} labels only {length}")
    if length * OPENPOSE25.size * 16 > most_unpacked(item.path.stat().st_size):
        raise DatasetError(f"{item.path} has {len(frames)} rows, and frame {frames[-1]}: is that number right?")
    sequence = np.zeros((length, OPENPOSE25.size, 4), np.float32)
    seen = (pixels != 0).any(axis=2)
    sequence[frames, :, 0] = pixels[..., 0]
    sequence[frames, :, 1] = -pixels[..., 1]
    sequence[frames, :, 3] = seen
    agrees = item.camera in (-1, view)
    return Recording(
        name=item.name,
        sequence=to_ntu25(sequence, OPENPOSE25),
        fps=FPS,
        label=0 if mask is None else -1,
        subject=item.driver,
        camera=CAMERAS[view],
        group=item.moment if agrees else item.name,
        frame_labels=np.zeros(length, np.int16) if mask is None else mask,
        columns={"kind": item.kind},
    )


def read_csv(path: Path) -> tuple[NDArray[np.int64], int, Array]:
    """Frame numbers (n,), rising; the view; pixels (n, 25, 2), 0 where missing. Raises DatasetError.

    Some frame numbers repeat, where OpenPose found a second "person", mostly fragments of a few joints: the first one
    is kept, which OpenPose found with the higher score.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "input contained no data": said below
            table = np.loadtxt(path, np.float64, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    if table.shape[0] == 0 or table.shape[1] != 2 + 2 * OPENPOSE25.size:
        raise DatasetError(f"{path} has {table.shape[0]} rows of {table.shape[1]} columns, not of 52")
    if not ((table[:, 0] >= 0) & (table[:, 0] < MAX_FRAMES)).all():  # False for NaN too
        raise DatasetError(f"{path} has a frame number out of range")
    views = np.unique(table[:, 1])
    if len(views) != 1 or views[0] not in range(len(CAMERAS)):
        raise DatasetError(f"{path} has PersonID {views.tolist()}, where one of 0, 1, 2 stands for the view")
    numbers, first = np.unique(table[:, 0].astype(np.int64), return_index=True)
    pixels = table[first, 2:].reshape(-1, OPENPOSE25.size, 2)
    pixels[~np.isfinite(pixels).all(axis=2)] = 0  # no number: not found
    return numbers, int(views[0]), pixels.astype(np.float32)


def _read_mask(path: Path) -> NDArray[np.int16]:
    try:
        mask = load_npy(path)
    except ERRORS as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    if mask.ndim != 1 or not 0 < len(mask) <= MAX_FRAMES or not np.isin(mask, (0, 1)).all():
        raise DatasetError(f"{path} holds {mask.dtype} {mask.shape}, not a 0 or 1 for each frame")
    return mask.astype(np.int16)
