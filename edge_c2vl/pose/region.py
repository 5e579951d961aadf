"""A rotated square in a picture: what a network looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.pose.base import Floats

# A region is larger by this factor than the circle around the person that its two points define.
MARGIN = 1.25


@dataclass(frozen=True)
class Region:
    """x, y: its centre; size: the length of a side, in pixels. angle: radians, clockwise as one sees it."""

    x: float
    y: float
    size: float
    angle: float = 0.0

    @classmethod
    def around(cls, centre: Floats, end: Floats) -> Region:
        """The square around a circle with that centre through that end (x, y in pixels), turned so that the end lies
        straight above the centre."""
        right, down = float(end[0] - centre[0]), float(end[1] - centre[1])
        angle = math.pi / 2 - math.atan2(-down, right)
        angle -= 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))
        return cls(float(centre[0]), float(centre[1]), 2 * math.hypot(right, down) * MARGIN, angle)

    @classmethod
    def whole(cls, image: NDArray[np.uint8]) -> Region:
        """The smallest square around all of a picture (H, W, 3)."""
        height, width = image.shape[:2]
        return cls(width / 2, height / 2, max(width, height))

    def cut(self, image: NDArray[np.uint8], pixels: int, replicate: bool) -> NDArray[np.uint8]:
        """What the region shows of a picture (H, W, 3), as (pixels, pixels, 3). replicate: what lies outside of the
        picture is like its edge; otherwise it is black."""
        import cv2

        # As MediaPipe does it, step by step: cv2.warpAffine would be a little faster, but rounds coordinates otherwise.
        corners = cv2.boxPoints(((self.x, self.y), (self.size, self.size), math.degrees(self.angle)))
        square = np.array([[0, pixels], [0, 0], [pixels, 0], [pixels, pixels]], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, square)
        border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
        part: Any = cv2.warpPerspective(image, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR, borderMode=border)
        return part

    def to_picture(self, points: Floats) -> Floats:
        """Points (N, 3) in shares of the region, from its upper left corner -> pixels of the picture. z is scaled."""
        cosine, sine = math.cos(self.angle) * self.size, math.sin(self.angle) * self.size
        x, y = points[:, 0] - 0.5, points[:, 1] - 0.5
        return np.stack(
            [cosine * x - sine * y + self.x, sine * x + cosine * y + self.y, points[:, 2] * self.size], axis=1
        )
