"""Pictures of the simulated driver: what a camera sees in daylight, by its own infrared lamp, or as depth.

A depth picture is gray in proportion to the distance, black where nothing answers. MediaPipe finds few drivers in
these (docs/simulated.md), so depth can also be shown as a relief: each pixel as bright as the surface that the depths
around it make is turned towards the camera.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.simulated import mesh as meshes
from edge_c2vl.simulated.body import Floats, Posture, Skeleton, unit
from edge_c2vl.simulated.cabin import interior
from edge_c2vl.simulated.cameras import View
from edge_c2vl.simulated.face import FaceTexture
from edge_c2vl.simulated.figure import Figure
from edge_c2vl.simulated.mesh import Mesh
from edge_c2vl.simulated.raster import Fragments, Rasteriser, rasterise

Image = NDArray[np.uint8]

# The driver is drawn at about this many pixels and the picture enlarged: a face keeps its features, and a frame takes
# a third of the time.
INNER_PIXELS = 400 * 320

_SUN = unit([0.80, 0.50, -0.35])  # through the driver's window
_SCREEN = unit([-0.25, 0.45, -1.0])  # the sky through the windscreen
_WARM, _COOL = np.array([0.80, 0.95, 1.05], np.float32), np.array([1.08, 1.0, 0.93], np.float32)
# Where the infrared lamp lights fully, in distances of what the camera is aimed at: exposed for the driver.
_LAMP_REACH = 1.3
_GAMMA = {"rgb": 1 / 2.2, "ir": 1 / 1.7}
_NOISE = {"rgb": 2.0, "ir": 2.5, "depth": 0.5, "relief": 2.0}
_FAR = 4.0  # metres; beyond it a depth sensor says nothing
_WHITE_DEPTH = 2.5  # metres that are white in a depth picture
LOOKS = tuple(_NOISE)


class Renderer:
    """One driver (None: an empty car), one camera. look: one of LOOKS; None: the camera's own. width, height: pixels of
    the picture, None: the camera's own. exposure: how much of the light counts. inner_pixels: see INNER_PIXELS.
    rasteriser: what finds the triangles that are seen. The same arguments give the same pictures."""

    def __init__(
        self,
        figure: Figure | None,
        view: View,
        look: str | None = None,
        width: int | None = None,
        height: int | None = None,
        exposure: float = 1.0,
        seed: int = 0,
        inner_pixels: int = INNER_PIXELS,
        rasteriser: Rasteriser = rasterise,
    ) -> None:
        self.figure = figure
        self.look = look or view.look
        self._exposure, self._rasterise = exposure, rasteriser
        self._lamp_m = _LAMP_REACH * float(np.linalg.norm(np.subtract(view.target, view.position)))
        self.view = view.scaled(width or view.width, height or view.height)
        scale = min(1.0, (inner_pixels / (self.view.width * self.view.height)) ** 0.5)
        self._inner = self.view.scaled(round(self.view.width * scale), round(self.view.height * scale))
        self._face = None if figure is None else FaceTexture(figure.look, infrared=self.look != "rgb")
        random = np.random.default_rng(seed)
        size = (self.view.height + 64, self.view.width + 64, 1)
        self._noise = np.repeat(random.normal(0, _NOISE[self.look], size).round().astype(np.int16), 3, axis=2)
        self._rays = self._all_rays()
        self._cabin, self._cabin_depth = self._draw_cabin(random)
        self._window = _Window(self._rays[np.isinf(self._cabin_depth)]) if self.look == "rgb" else None

    def render(
        self, skeleton: Skeleton, posture: Posture, props: list[Mesh], worn: frozenset[str], time_s: float = 0.0
    ) -> Image:
        """uint8 (H, W, 3) BGR. time_s: for what passes by outside and for the sensor's noise."""
        assert self.figure is not None
        assert self._face is not None
        points, normals = self.figure.posed(skeleton)
        body = self.figure.mesh
        triangles, on_face = self.figure.dressed(worn)
        scene = meshes.join([Mesh(points, normals, triangles, body.colours, body.gray), *props])
        light, depth, fragments = self._before_cabin(scene, time_s)
        if self.look in _GAMMA:
            skin = np.flatnonzero(np.append(on_face, False)[np.minimum(fragments.triangle, len(on_face))])
            face = fragments.only(skin).interpolate(self.figure.face_place, triangles)
            light[fragments.pixel] = self._shade(fragments, scene, (skin, self._face.sample(face, posture)))
        return self._finish(light, depth, time_s)

    def render_things(self, things: list[Mesh], time_s: float = 0.0) -> Image:
        """The same of an empty car with these things in it."""
        scene = meshes.join(things)
        light, depth, fragments = self._before_cabin(scene, time_s)
        if self.look in _GAMMA:
            light[fragments.pixel] = self._shade(fragments, scene)
        return self._finish(light, depth, time_s)

    def _before_cabin(self, scene: Mesh, time_s: float) -> tuple[Floats, Floats, Fragments]:
        """Light (pixels, 3) of cabin and outside, depth (pixels,) with the scene, and the scene's fragments."""
        inner = self._inner
        fragments = self._rasterise(inner.project(scene.points), scene.triangles, inner.width, inner.height)
        fragments = fragments.only(fragments.depth < self._cabin_depth[fragments.pixel])
        light, depth = self._cabin.copy(), self._cabin_depth.copy()
        if self._window is not None:
            light[np.isinf(depth)] = self._window.at(time_s)
        depth[fragments.pixel] = fragments.depth
        return light, depth, fragments

    def _all_rays(self) -> Floats:
        """(pixels, 3): from the camera through each pixel, 1 m along its axis, in car coordinates."""
        inner = self._inner
        column, row = np.meshgrid(np.arange(inner.width) + 0.5, np.arange(inner.height) + 0.5)
        x, y = (column - inner.width / 2) / inner.focal, (inner.height / 2 - row) / inner.focal
        return (np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3) @ inner.axes).astype(np.float32)

    def _shade(self, fragments: Fragments, scene: Mesh, face: tuple[NDArray[np.int64], Floats] | None = None) -> Floats:
        """Reflected light (P, 3) of each fragment. face: which fragments are its, and their albedo (., 3); None: this
        is the cabin, on which nothing throws a shadow."""
        albedo = scene.colours if self.look == "rgb" else scene.gray[:, None]
        mixed = fragments.interpolate(np.concatenate([scene.normals, albedo], axis=1), scene.triangles)
        normal = mixed[:, :3]
        normal = normal / np.sqrt(np.maximum(np.einsum("pc,pc->p", normal, normal), 1e-9))[:, None]
        albedo = mixed[:, 3:]
        if face is not None:
            albedo[face[0]] = face[1][:, : albedo.shape[1]]
        ray = self._rays[fragments.pixel]
        length = np.sqrt(np.einsum("pc,pc->p", ray, ray))
        facing = (-np.einsum("pc,pc->p", normal, ray) / length).clip(0, 1)
        if self.look == "ir":
            # The lamp stands beside the lens; what is far gets less of it.
            reach = (self._lamp_m / (length * fragments.depth)).clip(0, 1.25)
            return np.repeat(albedo * (0.03 + 1.1 * facing * reach * reach)[:, None], 3, axis=1)
        sun = ((normal @ _SUN + 0.25) / 1.25).clip(0, 1)
        if face is not None:
            lit = np.flatnonzero(sun > 0.02)
            place = ray[lit] * fragments.depth[lit, None] + np.asarray(self._inner.position, np.float32)
            sun[lit] *= 1 - _shadow(scene.points, place)
        screen = ((normal @ _SCREEN + 0.45) / 1.45).clip(0, 1)
        diffuse = 0.50 * screen + 0.10 * normal[:, 1] + 0.20 + 0.10 * facing
        return albedo * ((0.75 * sun)[:, None] * _WARM + diffuse[:, None] * _COOL)

    def _draw_cabin(self, random: np.random.Generator) -> tuple[Floats, Floats]:
        """Light (pixels, 3) and depth (pixels,) of what stands still; depth is inf where a window shows the outside."""
        inner, scene = self._inner, interior()
        fragments = self._rasterise(inner.project(scene.points), scene.triangles, inner.width, inner.height)
        light = np.zeros((inner.height * inner.width, 3), np.float32)
        depth = np.full(inner.height * inner.width, np.inf, np.float32)
        grain = 1 + 0.06 * random.standard_normal((len(fragments.pixel), 1)).astype(np.float32)
        light[fragments.pixel] = self._shade(fragments, scene) * grain
        depth[fragments.pixel] = fragments.depth
        return light, depth

    def _finish(self, light: Floats, depth: Floats, time_s: float) -> Image:
        import cv2

        inner, view = self._inner, self.view
        depth = np.minimum(depth, _FAR).reshape(inner.height, inner.width)
        gain = 1.0
        picture: NDArray[Any]
        if self.look == "depth":
            picture = np.where(depth < _FAR, depth / _WHITE_DEPTH, 0).astype(np.float32)
        elif self.look == "relief":
            picture = _relief(depth, inner.focal)
        else:
            gain = self._exposure ** _GAMMA[self.look]
            # Next to something nearer less light arrives.
            hollow = np.where(depth < _FAR, 1 - ((depth - cv2.blur(depth, (15, 15))) * 2.2).clip(0, 0.3), 1)
            # Infrared is gray, and one channel of it takes a third of the work.
            seen = light if self.look == "rgb" else light[:, :1]
            picture = seen.reshape(inner.height, inner.width, -1) * hollow[..., None]
            picture = cv2.pow(np.minimum(picture, 1), _GAMMA[self.look])
        small = cv2.convertScaleAbs(cv2.GaussianBlur(picture, (3, 3), 0.55), alpha=255 * gain)
        image = small
        if (view.height, view.width) != small.shape[:2]:
            image = cv2.resize(small, (view.width, view.height), interpolation=cv2.INTER_CUBIC)
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        # The noise lies elsewhere in each frame; which place, the time tells, so that a frame can be drawn again.
        down, right = np.random.default_rng(int(time_s * 1000)).integers(0, 64, 2)
        noise = self._noise[down : down + view.height, right : right + view.width]
        return cv2.add(image, noise, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def _relief(depth: Floats, focal: float) -> Floats:
    """Brightness in [0, 1] of a surface (H, W) known by its depth alone, lit from the camera."""
    import cv2

    squares = np.ones_like(depth)
    for axis in (0, 1):
        step = np.diff(depth, axis=axis)
        edge = [(0, 0), (0, 0)]
        edge[axis] = (0, 1)
        ahead = np.pad(step, edge, mode="edge")
        edge[axis] = (1, 0)
        behind = np.pad(step, edge, mode="edge")
        # The smaller of the two steps: at an outline the other one leads to what lies behind.
        slope = np.where(np.abs(ahead) < np.abs(behind), ahead, behind) * focal / depth
        squares += cv2.GaussianBlur(slope, (0, 0), 0.8) ** 2
    bright: Floats = np.where(depth < _FAR, 0.92 * (0.15 + 0.85 / np.sqrt(squares)), 0).astype(np.float32)
    return bright


class _Window:
    """Bright landscape that passes by, along the rays (n, 3) that go out of a window."""

    def __init__(self, rays: Floats) -> None:
        height = rays[:, 1] / np.maximum(np.hypot(rays[:, 0], rays[:, 2]), 1e-3)
        self._row = ((1.0 - height) * 80).clip(0, 159).astype(np.int64)
        self._column = np.arctan2(rays[:, 0], rays[:, 2]) * 160
        column, row = np.meshgrid(np.arange(2048), np.arange(160))
        along, up = column * (2 * np.pi / 2048), 1.0 - row / 80
        trees = 0.12 + 0.05 * np.sin(6 * along) + 0.04 * np.sin(17 * along + 1) + 0.02 * np.sin(58 * along)
        sky, green, road = (np.array(c, np.float32) for c in ((0.98, 0.93, 0.88), (0.28, 0.40, 0.33), (0.42,) * 3))
        blend = ((up - trees) / 0.05).clip(0, 1)[..., None]
        ground = ((-0.02 - up) / 0.05).clip(0, 1)[..., None]
        self._panorama = ((sky * blend + green * (1 - blend)) * (1 - ground) + road * ground).astype(np.float32)

    def at(self, time_s: float) -> Floats:
        return self._panorama[self._row, (self._column + 90 * time_s).astype(np.int64) % 2048]


def _shadow(points: Floats, place: Floats, cells: int = 96) -> Floats:
    """How much of the sun the scene's points take from the places (P, 3): 0 to 0.9, by a coarse map of the points
    that are nearest the sun."""
    import cv2

    across = unit(np.cross([0, 1, 0], _SUN))
    basis = np.stack([across, np.cross(_SUN, across), _SUN], axis=1).astype(np.float32)
    seen = points @ basis
    low = seen[:, :2].min(axis=0)
    size = (cells - 3) / np.maximum(seen[:, :2].max(axis=0) - low, 1e-3)
    grid = ((seen[:, :2] - low) * size + 1).astype(np.int64)
    height = np.full(cells * cells, -9.0, np.float32)
    np.maximum.at(height, grid[:, 1] * cells + grid[:, 0], seen[:, 2])
    top = cv2.dilate(height.reshape(cells, cells), np.ones((3, 3), np.uint8))
    at = place @ basis
    where = (at[:, :2] - low) * size + 0.5
    shade = np.zeros(len(place), np.float32)
    for shift in ((0.0, 0.0), (1.2, 0.5), (-0.5, 1.2)):
        column, row = (where + np.array(shift, np.float32)).astype(np.int64).clip(0, cells - 1).T
        shade += ((top[row, column] - at[:, 2] - 0.04) / 0.03).clip(0, 1)
    return 0.3 * shade
