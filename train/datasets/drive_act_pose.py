"""Drive&Act from its videos: skeletons by the vehicle's own camera and pose code, cut at the labels' chunks.

    <camera>/vpN/<run>.<suffix>.mp4     such as a_column_driver/vp1/run1b_2018-05-29-14-02-47.ids_5.mp4

Each run is extracted once, whole, and kept in the cache. A label's frame numbers count that video's frames from 0.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.utils.atomic import files_below
from edge_c2vl.utils.cache import default_cache
from train.datasets.drive_act_labels import CAMERAS, Chunk, by_run, chunks_of, labels_of, licence_of, source_name
from train.datasets.source import Options, Recording, Source
from train.extraction.extract import SUFFIXES, extract, fingerprint, video_at
from train.extraction.video import ExtractSettings

# A chunk may end this much later than its video: containers lose a frame or two at their end.
END_TOLERANCE_S = 0.5


def open_pose_source(folder: Path, options: Options) -> Source:
    """Extracts what is not in the cache yet. Raises DatasetError, UsageError, ArchiveError."""
    chunks, broken = chunks_of(folder, options.level, options.camera)
    videos = videos_of(folder, options.camera)
    runs = by_run(chunks)
    for file_id, own in runs.items():
        if file_id not in videos:
            raise DatasetError(f"{own[0].where}: {file_id} has no video {options.camera}/{file_id}.mp4 in {folder}")
    about = {"source": source_name(folder, options.camera), "licence": licence_of(folder)}
    archive = poses({file_id: videos[file_id] for file_id in runs}, options, **about)
    rows = {name: row for row, name in enumerate(archive.clips["name"])}
    items = [(file_id, rows[file_id], own) for file_id, own in runs.items()]
    labels = labels_of(chunks)
    return Source(
        labels=labels,
        source=source_name(folder, f"{options.level}, MediaPipe on {options.camera}"),
        licence=licence_of(folder),
        source_layout=archive.meta["source_layout"],
        dimensions=archive.meta["dimensions"],
        items=items,
        read=partial(read, archive=archive, labels=labels, camera=options.camera),
        in_process=True,
        left_out=broken,
    )


def videos_of(folder: Path, camera: str) -> dict[str, Path]:
    """file_id -> the video of each run that this camera saw. Raises DatasetError where there is none."""
    suffix = CAMERAS[camera]
    found = {
        f"{path.parent.name}/{path.stem}": path
        for path in files_below(folder, f"*.{suffix}.*")
        if path.parent.name.startswith("vp") and path.suffix.lower() in SUFFIXES
    }
    if not found:
        raise DatasetError(f"no video of {camera} in {folder}: expected {camera}/vp1/<run>.{suffix}.mp4")
    return found


def poses(paths: dict[str, Path], options: Options, source: str, licence: str) -> Archive:
    """The archive of whole runs, a clip each, named by file_id; from the cache or made now."""
    videos, recipe = [video_at(path, file_id) for file_id, path in paths.items()], ExtractSettings()
    target = (options.cache or default_cache()) / "poses" / fingerprint(videos, recipe)
    extract(
        videos,
        target,
        recipe,
        workers=options.workers,
        source=source,
        licence=licence,
        description=f"poses of {options.camera}",
    )
    return Archive.open(target)


def read(item: tuple[str, int, list[Chunk]], archive: Archive, labels: list[str], camera: str) -> list[Recording]:
    """A run's chunks. Raises DatasetError where a label speaks of frames beyond the video's end."""
    file_id, row, chunks = item
    frames, stamps = archive.sequence(row), archive.timestamps(row)
    fps = float(archive.clips["fps"].iloc[row])
    recordings = []
    for chunk in chunks:
        if chunk.start >= len(frames) or chunk.end > len(frames) + END_TOLERANCE_S * fps:
            raise DatasetError(
                f"{chunk.where}: frames {chunk.start} to {chunk.end}, but the video {camera}/{file_id} ends with frame "
                f"{len(frames) - 1}; do the labels belong to this camera?"
            )
        recording = chunk.recording(frames[chunk.start : chunk.end], labels, camera, fps)
        times = stamps[chunk.start : chunk.end]
        recordings.append(Recording(**{**vars(recording), "timestamps": times - times[0]}))
    return recordings
