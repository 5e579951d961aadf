"""Reads and checks the files of a skeleton archive, in bounded memory. A damaged one gives an error of one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import ArchiveError
from edge_c2vl.names import utf8_name
from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.utils.arrays import ERRORS, most_unpacked
from edge_c2vl.utils.texts import read_json

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
COLUMNS = ("name", "start", "length", "fps", "label", "subject", "camera", "group")
_META = ("layout", "source_layout", "labels", "source", "licence", "dimensions")


def damaged(path: Path, why: str) -> ArchiveError:
    return ArchiveError(f"archive {path} is damaged ({why}): make it again with edge-c2vl prepare")


def read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = read_json(path / "meta.json")
    except (OSError, ValueError) as error:
        raise damaged(path, f"meta.json cannot be read: {error}") from None
    if not isinstance(meta, dict) or not isinstance(meta.get("format_version"), int):
        raise damaged(path, "meta.json names no format version")
    if meta["format_version"] > FORMAT_VERSION:
        raise ArchiveError(
            f"archive {path} has format {meta['format_version']}, this version reads up to {FORMAT_VERSION}: "
            "upgrade with pip install -U edge-c2vl"
        )
    missing = [key for key in _META if key not in meta]
    if missing:
        raise damaged(path, f"meta.json lacks {', '.join(missing)}")
    texts = all(isinstance(meta[key], str) for key in ("source_layout", "source", "licence"))
    lists = all(_is_list_of_texts(meta.get(key, [])) for key in ("labels", "licences"))
    if not (texts and lists) or meta["dimensions"] not in (2, 3):
        raise damaged(path, "meta.json has labels, a source, a licence or dimensions of another kind")
    if meta["layout"] != NTU25.name:
        raise ArchiveError(f"archive {path} holds {meta['layout']} skeletons: make it again with edge-c2vl prepare")
    return meta


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def read_clips(path: Path, frames: int) -> pd.DataFrame:
    """The table of clips. Each has a frame, so that there are no more rows than `frames`: a few bytes of Parquet can
    stand for any number of equal rows."""
    import pandas as pd
    import pyarrow.parquet

    file = path / "clips.parquet"
    try:
        with utf8_name(file) as name:
            about = pyarrow.parquet.read_metadata(name)
            if about.num_rows > frames:
                raise ValueError(f"{about.num_rows} clips of {frames} frames")
            size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
            if size > most_unpacked(file.stat().st_size):
                raise ValueError("it would unpack to more than is admitted")
            clips = pd.read_parquet(name)
    except ImportError:
        raise
    except Exception as error:
        raise damaged(path, f"clips.parquet cannot be read: {' '.join(str(error).split())[:200]}") from None
    missing = [column for column in COLUMNS if column not in clips.columns]
    if missing or not len(clips):
        raise damaged(path, f"clips.parquet lacks {', '.join(missing) or 'any clip'}")
    return clips


def check_clips(path: Path, clips: pd.DataFrame, frames: int, labels: int) -> None:
    """Raises ArchiveError where a clip is of another kind, or of frames or a label that there are not."""
    import pandas as pd

    for column in ("start", "length", "label"):
        if clips[column].dtype.kind not in "iu":
            raise damaged(path, f"the column {column} of clips.parquet holds {clips[column].dtype}, not whole numbers")
    if clips["fps"].dtype.kind not in "fiu" or not ((clips["fps"] > 0) & (clips["fps"] < np.inf)).all():
        raise damaged(path, "clips.parquet has frames a second that are no positive number")
    for column in ("name", "subject", "camera", "group"):
        if pd.api.types.infer_dtype(clips[column], skipna=False) != "string":
            raise damaged(path, f"the column {column} of clips.parquet holds something else than words")
    starts, lengths = clips["start"].to_numpy(np.int64), clips["length"].to_numpy(np.int64)
    if (starts < 0).any() or (lengths < 1).any() or (lengths > frames - starts).any():
        raise damaged(path, f"clips.parquet speaks of frames that frames.npy ({frames} frames) does not have")
    if not clips["label"].between(-1, labels - 1).all():
        raise damaged(path, f"clips.parquet has a label that is not among the {labels} of meta.json")
    if clips["name"].duplicated().any():
        raise damaged(path, f"two clips are named {clips['name'][clips['name'].duplicated()].iloc[0]}")


def load(path: Path, shape: tuple[int | None, ...], dtype: type, optional: bool = False) -> NDArray[Any] | None:
    """The array memory-mapped, checked for its shape (None: any) and type."""
    if optional and not path.exists():
        return None
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ERRORS as error:
        raise damaged(path.parent, f"{path.name} cannot be read: {error}") from None
    fits = len(array.shape) == len(shape) and all(w in (None, g) for w, g in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != np.dtype(dtype):
        raise damaged(path.parent, f"{path.name} holds {array.dtype} {array.shape}")
    # A plain array over the same mapping: slicing np.memmap, a Python class, takes ten times as long.
    return np.asarray(array)
