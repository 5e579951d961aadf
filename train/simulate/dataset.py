"""Writes the data set: labels, skeletons, calibrations and videos of simulated drivers, laid out as Drive&Act is.

activities_3s/<camera>/<level>.chunks_90[.split_S.PART].csv
openpose_3d/vpN/<run>.ids_1.openpose.3d.csv
<camera>/vpN/<run>.<suffix>.mp4, .timestamps, .calibration.json
SIMULATED.txt, which says that it is not Drive&Act, and the settings it was made with
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.names import for_ffmpeg
from edge_c2vl.simulated.cameras import VIEWS, View
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.film import Film
from edge_c2vl.simulated.motion import Motion
from edge_c2vl.utils.atomic import put_in_place, temporary_beside
from edge_c2vl.utils.progress import track
from train.datasets.drive_act_labels import SIMULATED
from train.processes import make_pool
from train.simulate import labels, protocol, skeletons

# The inner mirror's labels are always written: the skeletons are numbered by its frames.
REFERENCE = "inner_mirror"
_NOTE = "Made by edge-c2vl simulate. Accuracy on it says nothing about real drivers."


@dataclass(frozen=True)
class SimulateSettings:
    """drivers; runs (sessions) of each; seconds of a run; cameras whose videos are drawn, none: labels and skeletons
    only; width of the videos, pixels (their height follows the camera's shape)."""

    drivers: int = 15
    runs: int = 1
    seconds: float = 180.0
    cameras: tuple[str, ...] = ("inner_mirror", "kinect_color")
    width: int = 640
    seed: int = 0


@dataclass(frozen=True)
class SimulateReport:
    """What was written. chunks: rows of the inner mirror's midlevel.chunks_90.csv."""

    runs: int
    chunks: int
    videos: int
    frames: int  # in all videos

    def to_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class _Run:
    number: int  # of the driver
    run: int
    settings: SimulateSettings

    @property
    def name(self) -> str:
        """As Drive&Act names a run, on a day that no driver drove on."""
        return f"run{self.run}_2000-01-{(self.number - 1) % 28 + 1:02d}-{8 + self.run:02d}-00-00"


def simulate(folder: Path, settings: SimulateSettings, workers: int = 1, overwrite: bool = False) -> SimulateReport:
    """Writes the data set to `folder`, whole or not at all. The same settings give the same labels, skeletons and
    pictures. Raises UsageError (settings), DatasetError (`folder` exists)."""
    _check(folder, settings, overwrite)
    runs = [_Run(n, r, settings) for n in range(1, settings.drivers + 1) for r in range(1, settings.runs + 1)]
    views = [VIEWS[name] for name in dict.fromkeys((REFERENCE, *settings.cameras))]
    target = temporary_beside(folder)
    try:
        tables: dict[tuple[str, str], list[list[str | int]]] = {
            (view.name, level): [] for view in views for level in labels.LEVELS
        }
        frames = 0
        with closing(_each(runs, target, workers)) as results:
            for written, found in track(results, "simulate", len(runs)):
                frames += written
                for key, table in found.items():
                    tables[key] += table
        for (camera, level), table in tables.items():
            labels.write(target / "activities_3s" / camera, level, table, settings.drivers)
        (target / SIMULATED).write_text(f"{_NOTE}\n{json.dumps(asdict(settings))}\n", encoding="utf-8")
        put_in_place(target, folder)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return SimulateReport(len(runs), len(tables[REFERENCE, "midlevel"]), len(runs) * len(settings.cameras), frames)


def _check(folder: Path, settings: SimulateSettings, overwrite: bool) -> None:
    unknown = [name for name in settings.cameras if name not in VIEWS]
    if unknown:
        raise UsageError(f"Drive&Act has no camera {unknown[0]!r}: there are {', '.join(VIEWS)}")
    if settings.seconds < protocol.MIN_SECONDS:
        raise UsageError(f"--seconds is {settings.seconds:g}; all activities need {protocol.MIN_SECONDS:g} or more")
    if settings.drivers < labels.SPLITS:
        raise UsageError(f"--drivers is {settings.drivers}; splits by driver need {labels.SPLITS} or more")
    if folder.exists() and not overwrite and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} exists; choose another folder, or give --overwrite")


_Tables = dict[tuple[str, str], list[list[str | int]]]


def _each(runs: Sequence[_Run], target: Path, workers: int) -> Generator[tuple[int, _Tables], None, None]:
    if workers == 1:
        yield from (_write_run(run, target) for run in runs)
        return
    with make_pool(workers, _one_thread) as pool:
        waiting = [pool.submit(_write_run, run, target) for run in runs]
        try:
            for result in waiting:
                yield result.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """The processes share the cores; OpenCV's own threads would only get in each other's way."""
    import cv2

    cv2.setNumThreads(1)


def _write_run(run: _Run, target: Path) -> tuple[int, _Tables]:
    """A session's skeletons and videos. Returns how many pictures, and the rows of its labels by camera and level."""
    settings = run.settings
    driver = make_driver(run.number, settings.seed)
    steps = protocol.plan((settings.seed, run.number, run.run), settings.seconds)
    motion = Motion(driver, protocol.script(steps))
    stretches = labels.annotate(steps, motion)
    tables: _Tables = {}
    for name in dict.fromkeys((REFERENCE, *settings.cameras)):
        view = VIEWS[name]
        for level in labels.LEVELS:
            rows = labels.rows(stretches[level], run.number, run.name, view, _frames(view, settings))
            tables[name, level] = rows
    reference = VIEWS[REFERENCE]
    random = np.random.default_rng([settings.seed, 17, run.number, run.run])
    times_s = [number / reference.fps for number in range(_frames(reference, settings))]
    path = target / "openpose_3d" / f"vp{run.number}" / f"{run.name}.{reference.suffix}.openpose.3d.csv"
    skeletons.write(path, skeletons.joints(motion, times_s, random), times_s, random)
    frames = 0
    for name in settings.cameras:
        view = VIEWS[name]
        film = Film(driver, protocol.script(steps), view, width=settings.width, height=_height(view, settings.width))
        stem = target / name / f"vp{run.number}" / f"{run.name}.{view.suffix}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        frames += _write_video(film, stem, _frames(view, settings))
    return frames, tables


def _frames(view: View, settings: SimulateSettings) -> int:
    return int(settings.seconds * view.fps)


def _height(view: View, width: int) -> int:
    """Even, as video codecs want it."""
    return 2 * round(view.height * width / view.width / 2)


def _write_video(film: Film, stem: Path, frames: int) -> int:
    import cv2

    view = film.view
    path = stem.with_name(f"{stem.name}.mp4")
    with for_ffmpeg(path) as name:
        code = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(name, cv2.CAP_FFMPEG, code, view.fps, (view.width, view.height))
    if not writer.isOpened():
        raise DatasetError(f"cannot write the video {path}")
    times_s = [number / view.fps for number in range(frames)]
    try:
        for time_s in times_s:
            writer.write(film.image(time_s))
    finally:
        writer.release()
    stem.with_name(f"{stem.name}.timestamps").write_text("".join(f"{time_s:.4f}\n" for time_s in times_s))
    stem.with_name(f"{stem.name}.calibration.json").write_text(json.dumps(calibration(view), indent=2) + "\n")
    return frames


def calibration(view: View) -> dict[str, object]:
    """Pinhole intrinsics in the video's pixels, and the rotation and translation that take a point of openpose_3d (the
    inner mirror's camera: x right, y down, z away) to this camera's own."""
    from scipy.spatial.transform import Rotation

    down = np.diag([1.0, -1.0, 1.0])
    reference = VIEWS[REFERENCE]
    turn = down @ view.axes @ reference.axes.T @ down
    shift = down @ view.axes @ (np.array(reference.position) - np.array(view.position))
    x, y, z, w = (float(value) for value in Rotation.from_matrix(turn).as_quat())
    return {
        "intrinsics": {
            "focallength": {"fx": view.focal, "fy": view.focal},
            "principal_point": {"cx": view.width / 2, "cy": view.height / 2},
            "distortion": {"k1": 0.0, "k2": 0.0, "p1": 0.0, "p2": 0.0, "k3": 0.0},
        },
        "extrinsics": {
            "rotation": {"w": w, "x": x, "y": y, "z": z},
            "translation": dict(zip("xyz", map(float, shift), strict=True)),
        },
    }
