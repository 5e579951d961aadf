"""A driver, a script and a camera put together: the picture and the truth at any time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_c2vl.simulated.body import Floats, Skeleton, solve
from edge_c2vl.simulated.cameras import View
from edge_c2vl.simulated.driver import Driver
from edge_c2vl.simulated.eyes import forward
from edge_c2vl.simulated.figure import make_figure
from edge_c2vl.simulated.motion import Moment, Motion, Script
from edge_c2vl.simulated.props import place
from edge_c2vl.simulated.raster import Rasteriser, rasterise
from edge_c2vl.simulated.render import INNER_PIXELS, Image, Renderer
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, Array


@dataclass(frozen=True)
class Truth:
    """What is the case in a picture.

    activity: Drive&Act's mid-level name, or attentive. action: its object level, (action, object, location).
    car: mediapipe33 (33, 3) metres, car coordinates (body.py). camera: the same to the right of, above and away from
    the camera. pixels: (33, 4) as pose.PoseEstimator gives it: column, -row, depth behind the hips in pixels, and
    confidence 1 where the joint lies in the picture, hidden or not, else all 0. shoulder_px: the breadth between the
    shoulder joints in pixels, were it seen from the front. head: (3, 3), columns the head's axes (to its left, up, to
    the back) in car coordinates. gaze: (3,) unit length, where the eyes look, car coordinates. lids: 0 closed to 1
    open. mouth: 0 closed to 2 yawning.
    """

    time_s: float
    activity: str
    action: tuple[str, str, str]
    car: Floats
    camera: Floats
    pixels: Array
    shoulder_px: float
    head: Floats
    gaze: Floats
    lids: float
    mouth: float


class Film:
    """Pictures and truth of one driver by time. A pure function of its arguments: the same time, the same picture."""

    def __init__(
        self,
        driver: Driver,
        script: Script,
        view: View,
        look: str | None = None,
        width: int | None = None,
        height: int | None = None,
        exposure: float = 1.0,
        inner_pixels: int = INNER_PIXELS,
        rasteriser: Rasteriser = rasterise,
    ) -> None:
        self.driver = driver
        self.motion = Motion(driver, script)
        self.figure = make_figure(driver.build, driver.appearance)
        self.renderer = Renderer(
            self.figure, view, look, width, height, exposure, driver.seed, inner_pixels, rasteriser
        )

    @property
    def view(self) -> View:
        """The camera with the picture's width and height."""
        return self.renderer.view

    def image(self, time_s: float) -> Image:
        """uint8 (H, W, 3) BGR."""
        moment, skeleton = self._pose(time_s)
        things = place(moment.props, self.driver.build, skeleton)
        return self.renderer.render(skeleton, moment.posture, things, moment.worn, time_s)

    def truth(self, time_s: float) -> Truth:
        moment, skeleton = self._pose(time_s)
        return see(self.view, skeleton, moment, time_s)

    def _pose(self, time_s: float) -> tuple[Moment, Skeleton]:
        moment = self.motion.at(time_s)
        return moment, solve(self.driver.build, moment.posture)


def see(view: View, skeleton: Skeleton, moment: Moment, time_s: float) -> Truth:
    """The truth of a moment for one camera."""
    car = np.stack([skeleton.joints[name] for name in MEDIAPIPE33.joints])
    camera, seen = view.to_camera(car), view.project(car)
    hips = view.to_camera(skeleton.joints["spine_base"])[2]
    scale = view.focal / max(float(hips), 1e-3)
    inside = (
        (seen[:, 2] > 0.05) & (seen[:, :2] >= 0).all(axis=1) & (seen[:, :2] < [view.width, view.height]).all(axis=1)
    )
    pixels = np.stack([seen[:, 0], -seen[:, 1], (seen[:, 2] - hips) * scale, inside], axis=1).astype(np.float32)
    pixels[~inside] = 0
    shoulders = [MEDIAPIPE33.index(f"{side}_shoulder") for side in ("left", "right")]
    breadth = float(np.linalg.norm(car[shoulders[0]] - car[shoulders[1]]))
    depth = max(float(camera[shoulders, 2].mean()), 1e-3)
    head = skeleton.bones["head"][1]
    posture = moment.posture
    face = (head, head @ forward(posture.eyes), posture.lids, posture.mouth)
    return Truth(time_s, moment.activity, moment.action, car, camera, pixels, breadth * view.focal / depth, *face)
