"""The attention mesh's landmarks that are used here, by number, and the network that finds them.

Left and right are the person's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.pose.base import Floats
from edge_c2vl.pose.landmarks import sigmoid
from edge_c2vl.pose.networks import Network, as_input
from edge_c2vl.pose.region import Region

PIXELS = 192
COUNT = 478


@dataclass(frozen=True)
class EyeNumbers:
    """outer, inner: the corners. upper, lower: of the lids' edges, one above the other. iris: its centre, and four
    around it. around: the lids' edge, in order."""

    outer: int
    inner: int
    upper: tuple[int, ...]
    lower: tuple[int, ...]
    iris: tuple[int, ...]
    around: tuple[int, ...]


RIGHT_EYE = EyeNumbers(
    33,
    133,
    (160, 159, 158),
    (144, 145, 153),
    (468, 469, 470, 471, 472),
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
)
LEFT_EYE = EyeNumbers(
    263,
    362,
    (387, 386, 385),
    (373, 374, 380),
    (473, 474, 475, 476, 477),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
EYES = {"left": LEFT_EYE, "right": RIGHT_EYE}
CHEEKS = {"left": 347, "right": 118}
# The inner edge of the lips: its upper and lower middle.
LIPS = (13, 14)


@dataclass(frozen=True)
class FoundFace:
    """presence: how sure the network is that there is a face, 0 to 1. points: (478, 3), x and y in pixels of the
    picture, y downwards, z as x, negative towards the camera."""

    presence: float
    points: Floats


class MeshFinder:
    def __init__(self, network: Network) -> None:
        self._network = network

    def find(self, image_bgr: NDArray[np.uint8], region: Region) -> FoundFace:
        """Always an answer, also where no face is: see its presence. image_bgr: (H, W, 3)."""
        answers = self._network.run(as_input(region.cut(image_bgr, PIXELS, replicate=True), 1 / 255, 0))
        points = region.to_picture(answers["landmarks"][0] / PIXELS)
        return FoundFace(float(sigmoid(answers["presence"]).item()), points)
