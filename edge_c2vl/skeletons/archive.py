"""The skeleton archive: a data set prepared once, opened memory-mapped.

A folder of

    frames.npy        float32 (sum T, 25, 4): the ntu25 frames of all clips, one clip after another
    clips.parquet     one row a clip: name, start, length, fps, label, subject, camera, group, further columns
    meta.json         format_version, layout, source_layout, labels, source, licence, dimensions
    timestamps.npy    float64 (sum T,), seconds; only where frames are not evenly spaced
    frame_labels.npy  int16 (sum T,), -1 for none; only where frames have labels of their own

100,000 clips open without being loaded: frames are read when a clip is asked for.
"""

from __future__ import annotations

import json
import mmap
import shutil
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.errors import ArchiveError
from edge_c2vl.names import utf8_name
from edge_c2vl.skeletons.archive_files import COLUMNS, FORMAT_VERSION, check_clips, damaged, load, read_clips, read_meta
from edge_c2vl.skeletons.axes import camera_axes
from edge_c2vl.skeletons.skeleton import NTU25, Array, clean
from edge_c2vl.utils.atomic import exists_already, put_in_place, temporary_beside

if TYPE_CHECKING:
    import pandas as pd


class Archive:
    """A skeleton archive opened for reading. `clips`: a DataFrame, one row a clip; `frames`: (sum T, 25, 4),
    read-only."""

    def __init__(self, path: Path, meta: dict[str, Any], clips: pd.DataFrame, frames: Array) -> None:
        self.path = path
        self.meta = meta
        self.clips = clips
        self.frames = frames
        # Plain arrays: a cell of a DataFrame costs 100 times as much as an element of an array.
        self._starts = clips["start"].to_numpy(np.int64)
        self._lengths = clips["length"].to_numpy(np.int64)
        self._fps = clips["fps"].to_numpy(np.float64)
        self._cameras = clips["camera"].to_numpy().astype(str)
        self._timestamps = load(path / "timestamps.npy", (len(frames),), np.float64, optional=True)
        self._frame_labels = load(path / "frame_labels.npy", (len(frames),), np.int16, optional=True)
        self._finite = np.zeros(len(clips), bool)  # which clips' frames were looked through already

    @classmethod
    def open(cls, path: str | Path) -> Archive:
        """Raises ArchiveError where the folder is not an archive, is damaged, or was made by a newer version."""
        path = Path(path)
        if not (path / "meta.json").is_file():
            what = "is not a skeleton archive (no meta.json)" if path.exists() else "does not exist"
            raise ArchiveError(f"{path} {what}: make one with edge-c2vl prepare DATASET SOURCE {path}")
        meta = read_meta(path)
        frames = load(path / "frames.npy", (None, NTU25.size, 4), np.float32)
        assert frames is not None
        clips = read_clips(path, len(frames))
        check_clips(path, clips, len(frames), len(meta["labels"]))
        archive = cls(path, meta, clips, frames)
        archive._check_times_and_labels()
        return archive

    @property
    def labels(self) -> list[str]:
        """The class names; a clip's label is an index into them, or -1."""
        return list(self.meta["labels"])

    @property
    def licences(self) -> list[str]:
        """One text for each data set that is in it."""
        return list(self.meta.get("licences", [self.meta["licence"]]))

    def __len__(self) -> int:
        return len(self._starts)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process opens the files itself: pickling the frames would copy the whole data set.
        return Archive.open, (self.path,)

    def _frames_of(self, index: int) -> slice:
        start = int(self._starts[index])
        return slice(start, start + int(self._lengths[index]))

    def _check_times_and_labels(self) -> None:
        # Frames are looked through when they are asked for: an archive may have gigabytes of them.
        if self._timestamps is not None:
            rises = np.diff(self._timestamps) > 0
            rises[self._starts[self._starts > 0] - 1] = True  # from one clip to the next
            if not (np.isfinite(self._timestamps).all() and rises.all()):
                raise damaged(self.path, "timestamps.npy holds times that are no numbers, or do not rise")
        labels = self._frame_labels
        if labels is not None and len(labels) and not -1 <= labels.min() <= labels.max() < len(self.labels):
            raise damaged(self.path, f"frame_labels.npy holds labels that are not among {len(self.labels)}")

    def sequence(self, index: int) -> Array:
        """Clip `index`: a read-only view (T, 25, 4). Raises ArchiveError where a number in it is not finite."""
        frames = self.frames[self._frames_of(index)]
        if not self._finite[index]:
            if not np.isfinite(frames).all():
                raise damaged(self.path, f"clip {self.clips['name'].iloc[index]} has numbers that are not finite")
            self._finite[index] = True
        return frames

    @cached_property
    def axes(self) -> dict[str, Array]:
        """camera -> (3, 3), to apply from the right to x, y, z so that y is along gravity and x to the right: see
        `camera_axes`. Empty for pictures, which have no depth to be turned in, and where that was done already."""
        if self.meta["dimensions"] == 2 or self.meta.get("upright"):
            return {}
        return {
            str(camera): camera_axes(self.sequence(int(row)) for row in np.flatnonzero(self._cameras == camera))
            for camera in np.unique(self._cameras)
        }

    def upright(self, index: int, window: slice = slice(None)) -> Array:
        """The frames `window` of clip `index`, (T, 25, 4), in its camera's axes put right; a copy where that changes
        anything."""
        sequence, axes = self.sequence(index)[window], self.axes.get(str(self._cameras[index]))
        if axes is None:
            return sequence
        return np.concatenate([sequence[..., :3] @ axes, sequence[..., 3:]], axis=-1)

    def timestamps(self, index: int) -> NDArray[np.float64]:
        """The times of the clip's frames in seconds, (T,); from 0 where they are evenly spaced."""
        if self._timestamps is not None:
            return self._timestamps[self._frames_of(index)]
        return np.arange(self._lengths[index]) / self._fps[index]

    @property
    def evenly_spaced(self) -> bool:
        """Whether frames follow each other at a clip's fps, so that there are no timestamps of their own."""
        return self._timestamps is None

    def release(self) -> None:
        """Gives back the memory that frames read so far take up: the pages of a mapping that were touched count as the
        process's own. What is still needed is read from the file again."""
        for array in (self.frames, self._timestamps, self._frame_labels):
            mapping = getattr(getattr(array, "base", None), "_mmap", None)
            if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
                mapping.madvise(mmap.MADV_DONTNEED)

    def frame_labels(self, index: int) -> NDArray[np.int16] | None:
        """The label of each frame (T,), -1 for none; None where this archive has labels of clips only."""
        return None if self._frame_labels is None else self._frame_labels[self._frames_of(index)]


class ArchiveWriter:
    """Writes an archive clip by clip, at constant memory; it appears at `path` only when closed without an error.

    Raises ArchiveError where `path` exists already; with overwrite=True an archive there is replaced at the end.
    `meta` takes further JSON values to keep, such as how many broken files were skipped.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        labels: list[str],
        source: str,
        licence: str,
        source_layout: str,
        dimensions: int = 3,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.exists() and not (overwrite and (self.path / "meta.json").is_file()):
            raise ArchiveError(exists_already(self.path, self.path / "meta.json"))
        self.meta: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "layout": NTU25.name,
            "source_layout": source_layout,
            "labels": list(labels),
            "source": source,
            "licence": licence,
            "dimensions": dimensions,
        }
        self._rows: list[dict[str, Any]] = []
        self._names: set[str] = set()
        self._has_timestamps = self._has_frame_labels = False
        self._folder = temporary_beside(self.path)
        self._frames = _Appender(self._folder / "frames.npy", (NTU25.size, 4), np.float32)
        self._timestamps = _Appender(self._folder / "timestamps.npy", (), np.float64)
        self._frame_labels = _Appender(self._folder / "frame_labels.npy", (), np.int16)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def frame_count(self) -> int:
        return len(self._frames)

    def append(
        self,
        name: str,
        sequence: ArrayLike,
        fps: float,
        label: int = -1,
        subject: str = "",
        camera: str = "",
        group: str = "",
        timestamps: ArrayLike | None = None,
        frame_labels: ArrayLike | None = None,
        **columns: str | int | float,
    ) -> None:
        """One clip: an ntu25 sequence (T, 25, 4), T >= 1. `group`: clips of one moment, seen by several cameras or of
        several bodies, share it. `columns`: splits (xsub="train") and other facts. Raises ValueError."""
        frames = clean(sequence)
        length = len(frames)
        if length == 0 or frames.shape[1] != NTU25.size:
            raise ValueError(f"clip {name}: an archive takes ntu25 sequences (T, 25, 4), not {frames.shape}")
        if name in self._names:
            raise ValueError(f"two clips are named {name}")
        if not -1 <= label < len(self.meta["labels"]):
            raise ValueError(f"clip {name}: label {label}, but there are {len(self.meta['labels'])} labels")
        if not 0 < fps < np.inf:
            raise ValueError(f"clip {name}: {fps} frames a second")
        stamps = np.arange(length) / fps if timestamps is None else np.asarray(timestamps, np.float64)
        labels = np.full(length, -1) if frame_labels is None else np.asarray(frame_labels)
        if stamps.shape != (length,) or labels.shape != (length,):
            raise ValueError(f"clip {name}: {length} frames need as many timestamps and frame labels")
        if not np.isfinite(stamps).all() or (np.diff(stamps) <= 0).any():
            raise ValueError(f"clip {name}: timestamps that are no numbers, or do not rise")
        if not ((labels >= -1) & (labels < len(self.meta["labels"]))).all():
            raise ValueError(f"clip {name}: a frame label that is not among {len(self.meta['labels'])} labels")
        self._has_timestamps |= timestamps is not None
        self._has_frame_labels |= frame_labels is not None
        values = (name, len(self._frames), length, float(fps), int(label), subject, camera, group)
        self._rows.append(dict(zip(COLUMNS, values, strict=True)) | columns)
        self._names.add(name)
        self._frames.append(frames)
        self._timestamps.append(stamps)
        self._frame_labels.append(labels)

    def close(self) -> None:
        """Finishes the files and moves the archive to its place. Raises ArchiveError where no clip was written."""
        import pandas as pd

        for stream in self._streams:
            stream.close()
        if not self._rows:
            self.discard()
            raise ArchiveError(f"no clip was written, so there is no archive {self.path}")
        if not self._has_timestamps:
            self._timestamps.path.unlink()
        if not self._has_frame_labels:
            self._frame_labels.path.unlink()
        clips = pd.DataFrame(self._rows)
        # A column that only some of the clips have: what the others lack is an empty word, not a float NaN among words.
        for column in clips.columns[clips.isna().any()]:
            clips[column] = clips[column].astype(object).where(clips[column].notna(), "").astype(str)
        with utf8_name(self._folder / "clips.parquet") as name:
            clips.to_parquet(name, index=False)
        (self._folder / "meta.json").write_text(json.dumps(self.meta, indent=1, ensure_ascii=False) + "\n", "utf-8")
        put_in_place(self._folder, self.path)

    def discard(self) -> None:
        """Leaves nothing behind."""
        for stream in self._streams:
            stream.abandon()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _streams(self) -> tuple[_Appender, ...]:
        return self._frames, self._timestamps, self._frame_labels

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.discard()
            return
        try:
            self.close()
        except BaseException:
            self.discard()
            raise


class _Appender:
    """A .npy file (N, *shape) that grows row by row. NumPy pads the header so that N can be written at the end."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type) -> None:
        self.path = path
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._count = 0
        self._file = path.open("wb")
        self._header_size = self._write_header()

    def _write_header(self) -> int:
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)
        return self._file.tell()

    def __len__(self) -> int:
        return self._count

    def append(self, rows: ArrayLike) -> None:
        array = np.ascontiguousarray(rows, self._dtype)
        self._file.write(array.data)
        self._count += len(array)

    def abandon(self) -> None:
        """Closes the file, which need not be whole. What a full disk does not take is lost."""
        with suppress(OSError):
            self._file.close()

    def close(self) -> None:
        if self._file.closed:
            return
        self._file.seek(0)
        if self._write_header() != self._header_size:
            raise ArchiveError(f"the header of {self.path} grew: NumPy {np.__version__} does not pad it")
        self._file.close()
