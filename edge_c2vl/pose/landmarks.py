"""Finds the landmarks of the person in a region, by BlazePose's landmark network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.pose.base import Floats
from edge_c2vl.pose.networks import Network, as_input
from edge_c2vl.pose.region import Region
from edge_c2vl.skeleton import MEDIAPIPE33

PIXELS = 256
# Cells of a heat map around a landmark that it is refined by, and how sure one of them has to be. MediaPipe's graph
# asks for 7 cells; what the binary of 0.10.14 does is 9.
CELLS, MIN_HEAT = 9, 0.5
# Behind the 33 landmarks: the two that the region of the next picture is made of.
BODY, WITH_REGION = MEDIAPIPE33.size, MEDIAPIPE33.size + 2


@dataclass(frozen=True)
class Found:
    """presence: how sure the network is that there is a person, 0 to 1. points: (35, 3), x and y in pixels of the
    picture, y downwards, z as x, negative towards the camera; the last two are the region's. visibility: (33,)."""

    presence: float
    points: Floats
    visibility: Floats


class LandmarkFinder:
    def __init__(self, network: Network) -> None:
        self._network = network

    def find(self, image_bgr: NDArray[np.uint8], region: Region) -> Found:
        """Always an answer, also where nobody is: see its presence. image_bgr: (H, W, 3)."""
        picture = region.cut(image_bgr, PIXELS, replicate=True)
        answers = self._network.run(as_input(picture, 1 / 255, 0))
        landmarks = answers["landmarks"].reshape(-1, 5)[:WITH_REGION]
        points = landmarks[:, :3] / PIXELS
        refine(points, answers["heatmaps"][0])
        visibility = sigmoid(landmarks[:BODY, 3])
        return Found(float(answers["presence"].item()), region.to_picture(points), visibility)


def refine(points: Floats, heatmaps: Floats) -> None:
    """Moves points (N, 3 or 2), in shares of the picture, to the centre of the heat around them, in place; one where
    the heat map is not sure stays. heatmaps: logits (at least N, cells, cells)."""
    size, reach = heatmaps.shape[1], CELLS // 2
    around = np.arange(-reach, reach + 1)
    places = np.nan_to_num(points[:, :2] * size, nan=-1.0)
    cells = places.astype(int)  # towards 0, as in C++
    columns, rows = cells[:, 0, None] + around, cells[:, 1, None] + around
    inside = ((rows >= 0) & (rows < size))[:, :, None] & ((columns >= 0) & (columns < size))[:, None, :]
    numbers = np.arange(len(points))[:, None, None]
    near = heatmaps[numbers, rows.clip(0, size - 1)[:, :, None], columns.clip(0, size - 1)[:, None, :]]
    heat = np.where(inside, sigmoid(near), 0)
    sure = ((cells >= 0) & (cells < size)).all(axis=1) & (heat.max(axis=(1, 2)) >= MIN_HEAT)
    total = np.maximum(heat.sum(axis=(1, 2)), 1e-9) * size
    points[sure, 0] = ((heat.sum(axis=1) * columns).sum(axis=1) / total)[sure]
    points[sure, 1] = ((heat.sum(axis=2) * rows).sum(axis=1) / total)[sure]


def sigmoid(logits: Floats) -> Floats:
    value: Floats = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return value
