"""Drive&Act's eight cameras around the simulated driver: where each stands, how wide it sees, how often.

Drive&Act names a NIR camera's files by ids_1 to ids_5 and a Kinect's by its stream (Martin et al., ICCV 2019). Where
they stood in the authors' car is not published in metres; the places here are those of the parts they are named
after, in a mid-size car with the wheel on the left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from edge_c2vl.simulated.body import Floats, unit


@dataclass(frozen=True)
class View:
    """A pinhole camera. position, target: car coordinates (body.py). width, height: the sensor's pixels; focal: pixels.
    look: see render.LOOKS."""

    name: str
    suffix: str
    position: tuple[float, float, float]
    target: tuple[float, float, float]
    degrees: float  # horizontal field of view
    width: int
    height: int
    fps: float
    look: str

    @property
    def focal(self) -> float:
        return 0.5 * self.width / float(np.tan(np.radians(self.degrees) / 2))

    @cached_property
    def axes(self) -> Floats:
        """(3, 3), rows: right, up and away from the camera, in car coordinates."""
        away = unit(np.subtract(self.target, self.position))
        right = unit(np.cross([0.0, 1.0, 0.0], away))
        return np.stack([right, np.cross(away, right), away]).astype(np.float32)

    def to_camera(self, points: ArrayLike) -> Floats:
        """(..., 3) car coordinates -> (..., 3): right, up, away from the camera, metres."""
        return (np.asarray(points, np.float32) - np.asarray(self.position, np.float32)) @ self.axes.T

    def project(self, points: ArrayLike) -> Floats:
        """(..., 3) car coordinates -> (..., 3): column, row (pixels of the sensor) and depth in metres."""
        local = self.to_camera(points)
        depth = np.maximum(local[..., 2], 1e-3)
        return np.stack(
            [
                self.width / 2 + self.focal * local[..., 0] / depth,
                self.height / 2 - self.focal * local[..., 1] / depth,
                local[..., 2],
            ],
            axis=-1,
        ).astype(np.float32)

    def scaled(self, width: int, height: int) -> View:
        """The same camera with other pixels: its field of view stays across, and is cut or widened up and down."""
        return replace(self, width=width, height=height)


def _infrared(
    name: str, suffix: str, position: tuple[float, float, float], target: tuple[float, float, float], degrees: float
) -> View:
    return View(name, suffix, position, target, degrees, width=1280, height=1024, fps=NIR_FPS, look="ir")


def _kinect(name: str, degrees: float, width: int, height: int, look: str) -> View:
    return View(name, name, (-0.58, 0.60, -0.74), (-0.08, 0.36, 0.02), degrees, width, height, KINECT_FPS, look)


NIR_FPS = 30.0
# "About 15": in Drive&Act's label files chunks of three seconds have 44 to 48 frames, 45.4 on the average.
KINECT_FPS = 15.15

VIEWS = {
    view.name: view
    for view in (
        _infrared("inner_mirror", "ids_1", (-0.35, 0.72, -0.64), (-0.12, 0.40, 0.05), 80.0),
        _infrared("a_column_co_driver", "ids_2", (-1.0, 0.66, -0.66), (-0.02, 0.36, 0.0), 60.0),
        _infrared("ceiling", "ids_3", (-0.2, 0.90, -0.58), (0.0, 0.34, 0.02), 84.0),
        _infrared("steering_wheel", "ids_4", (0.0, 0.335, -0.56), (0.0, 0.47, 0.1), 84.0),
        _infrared("a_column_driver", "ids_5", (0.40, 0.62, -0.74), (-0.03, 0.36, 0.02), 70.0),
        _kinect("kinect_color", 78.0, 950, 540, "rgb"),
        _kinect("kinect_ir", 70.0, 512, 424, "ir"),
        _kinect("kinect_depth", 70.0, 512, 424, "relief"),
    )
}
