"""Parts of the driver as surfaces of smooth unions of round cones, and their weights on the skeleton's bones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from edge_c2vl.simulated import mesh
from edge_c2vl.simulated.body import Build, Floats, Hand, Posture, Skeleton, solve, unit
from edge_c2vl.simulated.driver import Appearance
from edge_c2vl.simulated.mesh import Mesh

Cut = Callable[[Floats, Floats], Floats]
"""Points (N, 3) and a union's distances (N,) -> the distances of what is left of it."""


@dataclass(frozen=True)
class Blob:
    """A round cone from a (radius ra) to b (radius rb), widened along `wide` by `stretch`. bone: what moves
    it."""

    bone: str
    a: Floats
    b: Floats
    ra: float
    rb: float
    wide: Floats = field(default_factory=lambda: np.zeros(3, np.float32))
    stretch: float = 1.0

    def distance(self, points: Floats) -> Floats:
        to = points - self.a
        axis = self.b - self.a
        if self.stretch != 1.0:
            shrink = 1 - 1 / self.stretch
            to = to - ((to @ self.wide) * shrink)[:, None] * self.wide
            axis = axis - (axis @ self.wide) * shrink * self.wide
        t = np.clip(to @ axis / max(float(axis @ axis), 1e-12), 0, 1)
        gap = to - t[:, None] * axis
        return np.sqrt(np.einsum("ij,ij->i", gap, gap)) - (self.ra + t * (self.rb - self.ra))


def smooth_union(blobs: list[Blob], smooth: float) -> Callable[[Floats], Floats]:
    """Smooth minimum of the blobs' distances (polynomial, Quilez)."""

    def distance(points: Floats) -> Floats:
        result = blobs[0].distance(points)
        for blob in blobs[1:]:
            other = blob.distance(points)
            mix = np.maximum(smooth - np.abs(result - other), 0)
            result = np.minimum(result, other) - mix * mix / (4 * smooth)
        return result

    return distance


def carve(value: Floats, hollow: Floats, smooth: float) -> Floats:
    """The distance `value` with what has a negative distance `hollow` taken out of it; the edge is rounded."""
    mix = np.maximum(smooth - np.abs(value + hollow), 0)
    result: Floats = np.maximum(value, -hollow) + mix * mix / (4 * smooth)
    return result


@dataclass(frozen=True)
class Part:
    """A mesh in the rest posture and its weights (N, B) on the bones."""

    name: str
    mesh: Mesh
    weights: Floats


class BodyModel:
    """What parts are made from: a driver's measures and looks, and the skeleton in the rest posture."""

    def __init__(self, build: Build, look: Appearance) -> None:
        self.build, self.look = build, look
        self.rest: Skeleton = solve(build, rest_posture(build))
        self.bones = list(self.rest.bones)

    def part(
        self,
        name: str,
        blobs: list[Blob],
        smooth: float,
        step: float,
        colour: ArrayLike,
        gray: float,
        cut: Cut | None = None,
    ) -> Part:
        """The surface of the blobs' union, cut, in steps of so many metres; a vertex follows the bones that its blobs
        belong to, in proportion to how near it is to each of them (linear blend skinning)."""
        union = smooth_union(blobs, smooth)

        def distance(points: Floats) -> Floats:
            value = union(points)
            return value if cut is None else cut(points, value)

        ends = np.concatenate([[blob.a, blob.b] for blob in blobs])
        margin = max(max(blob.ra, blob.rb) * blob.stretch for blob in blobs) + 2 * step
        shape = mesh.surface(distance, ends.min(axis=0) - margin, ends.max(axis=0) + margin, step)
        weights = np.zeros((len(shape.points), len(self.bones)), np.float32)
        for blob in blobs:
            # A blob's say fades by e every 9 mm from it.
            weights[:, self.bones.index(blob.bone)] += np.exp(-blob.distance(shape.points).clip(-0.01, 0.3) / 0.009)
        weights /= weights.sum(axis=1, keepdims=True)
        return Part(name, shape.coloured(colour, gray), weights)

    def on_head(self, a: ArrayLike, b: ArrayLike, ra: float, rb: float, stretch: float = 1.0) -> Blob:
        """A blob given in the head's own axes, widened along its x."""
        axes = self.rest.bones["head"][1]
        return Blob("head", self.rest.head_point(a), self.rest.head_point(b), ra, rb, axes[:, 0], stretch)


def rest_posture(build: Build) -> Posture:
    """Elbows half bent and away from the trunk: the middle of what drivers do, so that no joint deforms much."""
    reach = build.upper_arm + build.forearm
    hands = []
    for out in (1.0, -1.0):
        wrist = build.seat + np.array([out * (build.shoulder + 0.25 * reach), 0.45 * build.trunk, -0.62 * reach])
        hands.append(
            Hand(wrist.astype(np.float32), unit([-0.1 * out, 0.1, -1]), unit([-out, -0.4, 0]), curl=0.3, lift=45)
        )
    return Posture(hands[0], hands[1])
