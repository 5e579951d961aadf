"""Finds people in a whole picture, by BlazePose's detector."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.pose.base import Floats
from edge_c2vl.pose.networks import Network, as_input
from edge_c2vl.pose.region import Region

PIXELS = 224
# (pixels between two cells of the grid, anchors in a cell), in the order of the network's answers.
GRIDS = ((8, 2), (16, 2), (32, 6))
# For somebody small: parts of the picture to look at one after the other, as the share of its width and height, and how
# many of them lie beside and below each other.
PARTS = ((0.6, 2), (0.6, 1), (0.4, 3))
# Answers that share more of their boxes than this are of one person.
SAME_PERSON = 0.3


def anchors() -> Floats:
    """The centres (2254, 2) that the network's answers count from, in shares of the picture."""
    centres = []
    for step, number in GRIDS:
        cells = PIXELS // step
        rows, columns = np.mgrid[:cells, :cells]
        grid = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / cells
        centres.append(np.repeat(grid, number, axis=0))
    return np.concatenate(centres).astype(np.float32)


class Detector:
    """min_score: how sure the network has to be of a person, 0 to 1."""

    def __init__(self, network: Network, min_score: float = 0.5) -> None:
        self._network, self._min_score = network, min_score
        self._anchors = anchors()

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Region]:
        """The region of each person in a picture (H, W, 3), the surest first."""
        whole = Region.whole(image_bgr)
        picture = whole.cut(image_bgr, PIXELS, replicate=False)
        answers = self._network.run(as_input(picture, 1 / 127.5, -1))
        boxes, scores = self._decode(answers["boxes"][0], answers["scores"][0, :, 0])
        # To pixels: the square of the network's picture spans the longer side of the camera's.
        corner = np.array([whole.x, whole.y]) - whole.size / 2
        people = [points.reshape(2, 2) * whole.size + corner for points in merge(boxes, scores)]
        return [Region.around(centre, end) for centre, end in people]

    def search(self, image_bgr: NDArray[np.uint8]) -> Iterator[Region]:
        """The people in the whole picture, then those in overlapping parts of it. Whoever has found one may stop, and
        saves the rest of the work; the same person may come again."""
        yield from self.detect(image_bgr)
        for share, number in PARTS:
            for x, y, part in parts(image_bgr, share, number):
                for region in self.detect(part):
                    yield replace(region, x=region.x + x, y=region.y + y)

    def _decode(self, answers: Floats, logits: Floats) -> tuple[Floats, Floats]:
        """The answers that are sure enough: (N, 8) centre, width and height, two points, in shares; and scores (N,)."""
        limit = math.log(self._min_score / (1 - self._min_score)) if 0 < self._min_score < 1 else -math.inf
        sure = np.flatnonzero(logits >= limit)
        boxes = answers[sure, :8] / PIXELS
        offsets = self._anchors[sure]
        boxes[:, 0:2] += offsets
        boxes[:, 4:8] += np.tile(offsets, 2)
        whole = (boxes[:, 2:4] >= 0).all(axis=1)
        scores = 1 / (1 + np.exp(-np.clip(logits[sure], -100, 100)))
        return boxes[whole], scores[whole]


def parts(image: NDArray[np.uint8], share: float, number: int) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """`number` times `number` equal parts of a picture (H, W, 3), from edge to edge, one in the middle: x and y of the
    upper left corner, and the part."""
    height, width = image.shape[:2]
    high, wide = max(1, round(height * share)), max(1, round(width * share))
    places = np.linspace(0, 1, number) if number > 1 else [0.5]
    for down in places:
        for right in places:
            x, y = round((width - wide) * right), round((height - high) * down)
            yield x, y, image[y : y + high, x : x + wide]


def merge(boxes: Floats, scores: Floats) -> list[Floats]:
    """Weighted non-maximum suppression: the two points (4,) of each person, averaged over the answers that overlap with
    the surest one, each by its score. boxes: (N, 8), see Detector."""
    people = []
    while len(scores):
        best = int(np.argmax(scores))
        same = overlaps(boxes, best) > SAME_PERSON
        same[best] = True
        weights = scores[same] / scores[same].sum()
        people.append((boxes[same, 4:8] * weights[:, None]).sum(axis=0))
        boxes, scores = boxes[~same], scores[~same]
    return people


def overlaps(boxes: Floats, index: int) -> Floats:
    """Intersection over union (N,) of all boxes with one of them."""
    low, high = boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2
    shared = np.prod(np.clip(np.minimum(high, high[index]) - np.maximum(low, low[index]), 0, None), axis=1)
    areas = boxes[:, 2] * boxes[:, 3]
    together = areas + areas[index] - shared
    return np.divide(shared, together, out=np.zeros_like(shared), where=together > 0)
