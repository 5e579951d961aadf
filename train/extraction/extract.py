"""Videos -> a skeleton archive, by the live pipeline's own camera and pose code.

Each finished video is kept as a part beside the archive until all are done; only then is the archive written, by this
one process, in the order of the videos, and renamed to its place. So a run that was killed goes on where it was, and
ends with the same bytes as one that was not. A video is followed from its first frame to its last by one pose network,
as in the vehicle; what a kill loses is the videos under way.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.cameras.images import images_in
from edge_c2vl.errors import ArchiveError, EdgeC2VLError, UsageError
from edge_c2vl.names import printable, short
from edge_c2vl.pose import identity_of, resolve
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from edge_c2vl.utils.arrays import ERRORS, NpzFile
from edge_c2vl.utils.atomic import PART, files_below, put_in_place, whole_file
from train.extraction.eta import Eta, Progress
from train.extraction.label_files import OwnLabels, subject_of
from train.extraction.video import ExtractSettings, Skeletons
from train.extraction.workers import Done, Event, Failed, Job, Moved, run_local

SUFFIXES = frozenset([".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".gif", ".wmv", ".flv"])
# Raised when the same video gives other skeletons than before.
VERSION = 1


@dataclass(frozen=True)
class Video:
    """`name`: the clip's in the archive. `path`: a video, or a folder of images. `bytes`: its size; `stamp`: changes
    when the file does."""

    name: str
    path: str
    bytes: int
    stamp: int


@dataclass(frozen=True)
class ExtractReport:
    """clips, frames, poses: what the archive holds. kept: how many videos an earlier run had finished. failed: each
    video that could not be read, with the reason."""

    clips: int
    frames: int
    poses: int
    kept: int
    failed: list[str] = field(default_factory=list)


# What there is to do


def find_videos(paths: Sequence[Path]) -> list[Video]:
    """The videos named, and those in the folders named, at any depth, by name. A folder of images is one video.

    Raises UsageError where there is none, or where two would have one name.
    """
    found = []
    for path in paths:
        if path.is_dir():
            for file in videos_in(path):
                name = path.resolve().name if file == path else file.relative_to(path).as_posix()
                found.append(video_at(file, name))
        elif path.exists():
            found.append(video_at(path, path.name))
        else:
            raise UsageError(f"there is no video or folder {path}")
    names: dict[str, str] = {}
    for video in found:
        if names.setdefault(video.name, video.path) != video.path:
            raise UsageError(f"{names[video.name]} and {video.path} would both be called {video.name}")
    return sorted({video.name: video for video in found}.values(), key=lambda video: video.name)


def videos_in(folder: Path) -> list[Path]:
    """The videos in a folder, at any depth; the folder itself where it holds images instead. Raises UsageError."""
    inside = [file for file in files_below(folder) if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not inside and not images_in(folder):
        raise UsageError(f"the folder {folder} holds no video ({', '.join(sorted(SUFFIXES))}) and no image")
    return inside or [folder]


def video_at(path: Path, name: str) -> Video:
    """A video, or a folder of images, under that name (printable: an archive and its labels are UTF-8)."""
    files = images_in(path) if path.is_dir() else [path]
    stats = [file.stat() for file in files]
    size, changed_ns = sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats)
    return Video(printable(name), str(path.resolve()), size, changed_ns)


def fingerprint(videos: Sequence[Video], recipe: ExtractSettings, labels: OwnLabels | None = None) -> str:
    """Changes with the videos, their content as far as size and time tell, how skeletons are made of them, and their
    labels."""
    how = asdict(recipe)
    how.pop("pose")
    about: list[object] = [VERSION, how, [asdict(video) for video in videos]]
    if (pose := identity_of(recipe.pose, recipe.pose_model)).startswith("blazepose"):
        about.append(pose)  # MediaPipe's archives keep the fingerprint that they had when there was nothing else
    if labels is not None:
        about += [asdict(labels), labels.check([(video.name, video.path) for video in videos])]
    if recipe.pose_model:
        model = Path(recipe.pose_model).stat()
        about += [model.st_size, model.st_mtime_ns]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:24]


# All of them

Runner = Callable[["deque[Job]", ExtractSettings], Generator[Event, None, None]]


def extract(
    videos: Sequence[Video],
    target: Path,
    recipe: ExtractSettings,
    *,
    runner: Runner | None = None,
    workers: int = 1,
    retries: int = 1,
    skip_failed: bool = False,
    overwrite: bool = False,
    source: str = "own videos",
    licence: str = "own",
    description: str = "extracting",
    labels: OwnLabels | None = None,
) -> ExtractReport:
    """Writes the archive `target`; goes on with what an earlier run of the same kind has left beside it.

    runner: where the videos are read; by default `workers` processes on this machine. A video that fails is tried
    again `retries` times, after the others. Raises ArchiveError where videos have failed for good (the others are kept
    for the next run; with skip_failed=True the archive is written without them), where `target` is another archive, or
    where another process is writing it. labels: see OwnLabels; what is wrong with them is raised before any work.
    """
    recipe = replace(recipe, pose=resolve(recipe.pose, recipe.pose_model))
    identity, pose = fingerprint(videos, recipe, labels), identity_of(recipe.pose, recipe.pose_model)
    if target.exists() and not overwrite:
        return _already(target, identity, pose)
    with _work_folder(target) as work:
        _note_pose(work, target, pose)
        parts = {video.name: work / f"{fingerprint([video], recipe)}.npz" for video in videos}
        todo = [video for video in videos if not parts[video.name].is_file()]
        run = runner or (lambda queue, how: run_local(queue, how, workers))
        failed = _read_all(todo, recipe, run, retries, parts, len(videos), description)
        if failed and (len(failed) == len(videos) or not skip_failed):
            raise ArchiveError(
                f"{len(failed)} of {len(videos)} videos failed, first {failed[0]}: "
                "run the same command to try them again, or with --skip-failed to leave them out"
            )
        done = [video for video in videos if parts[video.name].is_file()]
        report = _write(
            work / "archive", done, parts, failed, identity, pose, source, licence, len(videos) - len(todo), labels
        )
        put_in_place(work / "archive", target)
        shutil.rmtree(work)
    return report


def _already(target: Path, identity: str, pose: str) -> ExtractReport:
    """The report of an archive that is there, if it is what was asked for."""
    archive = Archive.open(target)
    noted = archive.meta.get("pose", "mediapipe") if "extracted" in archive.meta else pose
    if not _same_pose(noted, pose):
        raise ArchiveError(
            f"{target} holds other skeletons, found by {noted} and not by {pose}: {_by(noted)}, name another folder, "
            "or give --overwrite"
        )
    if archive.meta.get("extracted") != identity:
        raise ArchiveError(f"{target} holds other skeletons: remove it, name another folder, or give --overwrite")
    poses = int(archive.clips["poses"].sum())
    return ExtractReport(len(archive), len(archive.frames), poses, len(archive), archive.meta["skipped"])


def _note_pose(work: Path, target: Path, pose: str) -> None:
    """Notes which estimator the parts are made by. Raises ArchiveError where those that are there are by another."""
    note = work / "pose"
    if any(work.glob("*.npz")):
        # Before there was a note there was only MediaPipe.
        noted = note.read_text("utf-8") if note.is_file() else "mediapipe"
        if not _same_pose(noted, pose):
            raise ArchiveError(
                f"the videos that are done for {target} were followed by {noted}, not by {pose}: {_by(noted)}, or "
                f"remove {work} to begin again"
            )
    note.write_text(pose, "utf-8")


def _same_pose(noted: str, pose: str) -> bool:
    return noted == pose or (noted == "mediapipe" and pose.startswith("mediapipe"))


def _by(noted: str) -> str:
    return f"go on with --pose {noted.partition(' ')[0]}"


@contextmanager
def _work_folder(target: Path) -> Iterator[Path]:
    """The folder of parts beside the archive, for this process alone. What a killed writer left in it is removed."""
    work = target.parent / f".{short(target.name)}.extracting"
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ArchiveError(f"another extract is writing {target}: wait for it, or end it") from None
        for left in work.glob("*archive*"):
            shutil.rmtree(left)
        for left in work.glob(f"*{PART}"):
            left.unlink()
        try:
            yield work
        finally:
            if not any(work.glob("*.npz")):
                shutil.rmtree(work, ignore_errors=True)


def _read_all(
    todo: Sequence[Video],
    recipe: ExtractSettings,
    run: Runner,
    retries: int,
    parts: dict[str, Path],
    total: int,
    description: str,
) -> list[str]:
    """Reads the videos and keeps each as a part; what failed for good."""
    # Longest first: a long video that comes last would leave all but one process idle.
    order = sorted(range(len(todo)), key=lambda index: -todo[index].bytes)
    queue = deque(Job(index, todo[index].path) for index in order)
    attempts = dict.fromkeys(order, 0)
    failed: dict[int, str] = {}
    remaining = Eta([video.bytes for video in todo])
    with Progress(description, total, total - len(todo), remaining) as progress, closing(run(queue, recipe)) as events:
        for event in events:
            video = todo[event.index]
            if isinstance(event, Moved):
                remaining.move(event.index, event.share)
            elif isinstance(event, Done):
                _keep(parts[video.name], event.result)
                remaining.finish(event.index)
                progress.finished(video.name)
            elif isinstance(event, Failed):
                attempts[event.index] += 1
                again = attempts[event.index] <= retries
                progress.say(f"{video.path}: {event.reason}" + ("; it will be tried again" if again else ""))
                if again:
                    remaining.move(event.index, 0.0)
                    queue.append(Job(event.index, video.path))
                else:
                    remaining.finish(event.index)
                    failed[event.index] = f"{video.path}: {event.reason}"
            progress.show()
    return [failed[index] for index in sorted(failed)]


def _keep(path: Path, skeletons: Skeletons) -> None:
    """One part; it appears whole or not at all."""
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(
            file,
            frames=skeletons.frames,
            timestamps=skeletons.timestamps,
            about=np.array([skeletons.fps, skeletons.poses]),
        )


def _load(path: Path) -> Skeletons:
    try:
        with NpzFile(path) as part:
            fps, poses = part["about"]
            return Skeletons(part["frames"], part["timestamps"], float(fps), int(poses))
    except ERRORS as error:
        path.unlink(missing_ok=True)
        raise EdgeC2VLError(f"{path} was damaged ({error}) and is removed: run the same command again") from None


def _write(
    path: Path,
    videos: Sequence[Video],
    parts: dict[str, Path],
    failed: list[str],
    identity: str,
    pose: str,
    source: str,
    licence: str,
    kept: int,
    labels: OwnLabels | None,
) -> ExtractReport:
    poses = 0
    named = [] if labels is None else list(labels.names)
    columns: dict[str, Any] = {}
    with ArchiveWriter(
        path, labels=named, source=source, licence=licence, source_layout=MEDIAPIPE33.name, dimensions=2
    ) as writer:
        for video in videos:
            skeletons = _load(parts[video.name])
            poses += skeletons.poses
            if labels is not None:
                columns = labels.columns(video.name)
            writer.append(
                video.name,
                skeletons.frames,
                skeletons.fps,
                subject=subject_of(video.name),
                group=video.name,
                timestamps=skeletons.timestamps,
                frame_labels=None if labels is None else labels.of(video.path, skeletons.timestamps),
                poses=skeletons.poses,
                **columns,
            )
        writer.meta["extracted"] = identity
        writer.meta["pose"] = pose
        writer.meta["skipped"] = failed
        return ExtractReport(len(writer), writer.frame_count, poses, kept, failed)
