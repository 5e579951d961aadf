"""What a data set's file hands over: its clips, each read by one function, so that processes can share them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.skeleton import Array


@dataclass(frozen=True)
class Recording:
    """One row of the archive: the arguments of `ArchiveWriter.append`. `sequence`: ntu25 (T, 25, 4)."""

    name: str
    sequence: Array
    fps: float
    label: int = -1
    subject: str = ""
    camera: str = ""
    group: str = ""
    timestamps: NDArray[np.float64] | None = None
    frame_labels: NDArray[np.int16] | None = None
    columns: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """What a data set may be asked for beside its folder. `missing`: a file that lists samples to leave out."""

    missing: str | None = None


@dataclass(frozen=True)
class Source:
    """A data set found on disk. `read(item)` gives the rows of one of `items` (one for each body, say) or raises
    DatasetError where it is broken; both can be pickled unless `in_process`. `count`: how many items, where known."""

    labels: list[str]
    source: str
    licence: str
    source_layout: str
    dimensions: int
    items: Iterable[Any]
    read: Callable[[Any], list[Recording]]
    count: int | None = None
    in_process: bool = False
