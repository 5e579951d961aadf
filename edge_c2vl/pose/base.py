"""What every way to run BlazePose looks like from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.skeletons.evidence import Evidence
from edge_c2vl.skeletons.skeleton import Array

# Numbers of any floating type.
Floats = NDArray[Any]


class Tracker(ABC):
    """Follows one person from picture to picture.

    `identity`: which networks run, and whose code; skeletons of two identities do not belong into one archive. `name`:
    it and the engine, for people to read. `evidence`: of the last picture; None where nobody was found, or where it is
    not known.
    """

    identity: str = ""
    name: str = ""
    evidence: Evidence | None = None

    @abstractmethod
    def landmarks(self, image_bgr: NDArray[np.uint8], timestamp_ms: int) -> Array | None:
        """Landmarks (33, 4) of one person, or None: x, y, z, visibility. x and z are shares of the picture's width, y
        of its height, downwards; z is negative towards the camera. timestamp_ms: rises from picture to picture."""

    def warm_up(self, timestamp_ms: int) -> None:
        """Looks at an empty picture, so that the first real one does not pay for lazy initialisation."""
        self.landmarks(np.zeros((64, 64, 3), np.uint8), timestamp_ms)

    @abstractmethod
    def reset(self) -> None:
        """Forgets the person."""

    @abstractmethod
    def close(self) -> None: ...
