"""What a pose network says beside a skeleton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Floats = NDArray[Any]


@dataclass(frozen=True)
class Evidence:
    """What the network said of the person that it found, before anything was smoothed or left out.

    presence: how sure it is that there is a person, 0 to 1. visibility: (33,), of each landmark. points: (33, 2), every
    landmark wherever it lies, in the skeleton's coordinates: pixels, y up. In the skeleton, the confidence of those
    outside of the picture is 0.
    """

    presence: float
    visibility: Floats
    points: Floats
