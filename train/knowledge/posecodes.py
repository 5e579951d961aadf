"""Posecodes: which predicates of vocabulary.py hold of a skeleton, when. No label, no network, nothing random.

Posecodes are PoseScript's (Delmas et al., ECCV 2022), their course over time is MotionScript's idea (Yazdian et al.,
2023); the measures, bands and words are this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.skeletons.skeleton import Array
from train.knowledge.measures import SIDES, Body, measure, nanmean
from train.knowledge.vocabulary import FAMILIES, HELD_EDGES_S, Family

Bits = NDArray[np.bool_]

FRAMES = 48  # a span is resampled to so many frames,
KNOTS = 12  # whose means are taken at so many knots (which also quietens a depth sensor's jitter),
SEGMENTS = 4  # which make so many segments
_PER_SEGMENT = KNOTS // SEGMENTS

SEGMENT_FAMILIES = tuple(family for family in FAMILIES if family.kind in ("state", "change"))
SPAN_FAMILIES = tuple(family for family in FAMILIES if family.kind not in ("state", "change"))


def _names(families: tuple[Family, ...]) -> tuple[str, ...]:
    return tuple(f"{family.subject} {say(word)}" for family in families for word in family.words if word)


def say(words: str, plural: bool = False) -> str:
    """The words with their verb in the subject's number."""
    endings = {"{is}": "are", "{s}": "", "{es}": ""} if plural else {"{is}": "is", "{s}": "s", "{es}": "es"}
    for mark, ending in endings.items():
        words = words.replace(mark, ending)
    return words


SEGMENT_NAMES = _names(SEGMENT_FAMILIES)
SPAN_NAMES = _names(SPAN_FAMILIES)


@dataclass(frozen=True)
class Posecodes:
    """What holds of B spans. segments: (B, P, 4), in the order of SEGMENT_NAMES; spans: (B, Q), of SPAN_NAMES."""

    segments: Bits
    spans: Bits

    def bits(self) -> NDArray[np.float32]:
        """(B, 6 P + Q) zeros and ones: each predicate in each segment, in any, in all of them; those of the whole."""
        flat = self.segments.reshape(len(self.segments), -1)
        parts = [flat, self.segments.any(axis=2), self.segments.all(axis=2), self.spans]
        return np.concatenate(parts, axis=1).astype(np.float32)


def posecodes(frames: ArrayLike, seconds: ArrayLike, dimensions: int = 3) -> Posecodes:
    """frames: (B, 48, 25, 4), evenly spaced over `seconds` (B,), normalised and (3-D) facing along z; y up."""
    frames, seconds = np.asarray(frames, np.float32), np.asarray(seconds, np.float32)
    if frames.shape[1:] != (FRAMES, 25, 4) or seconds.shape != frames.shape[:1]:
        raise ValueError(f"posecodes take (B, {FRAMES}, 25, 4) and (B,), not {frames.shape} and {seconds.shape}")
    with np.errstate(invalid="ignore", divide="ignore"):
        knots, whole = at_knots(frames, seconds, dimensions)
        segment_bits = [bit for family in SEGMENT_FAMILIES for bit in _segment_bits(family, knots)]
        span_bits = [bit for family in SPAN_FAMILIES for bit in _span_bits(family, knots, whole, seconds)]
    return Posecodes(np.stack(segment_bits, axis=1), np.stack(span_bits, axis=1))


def at_knots(frames: Array, seconds: Array, dimensions: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Every measure at the knots, (B, 12), and those that have one value for the whole span, (B,)."""
    body = Body(frames, dimensions)
    knots = {name: _knots(np.broadcast_to(values, frames.shape[:2])) for name, values in measure(body).items()}
    step_s = np.maximum(seconds / KNOTS, 1e-3)[:, None]
    moves = {f"{side}_hand": body.hand(side) - body.chest for side in SIDES}
    moves |= {f"{side}_foot": body[f"{side}_ankle"] for side in SIDES}
    moves |= {"head": body["head"] - body.chest}
    steps = {name: _steps(_knots(points)) for name, points in moves.items()}
    ground = np.where(np.isnan(body["spine_base"]), body.chest, body["spine_base"]) * np.array([1, 0, 1], np.float32)
    place = _knots(ground)
    steps["body"] = _steps(place)
    knots |= {f"{name}_speed": np.sqrt((step**2).sum(axis=-1)) / step_s for name, step in steps.items()}
    for name, axis in (("way_forward", body.forward), ("way_right", body.right)):
        along = (steps["body"] * np.nan_to_num(_knots(axis))).sum(axis=-1)
        known = ~np.isnan(_knots(axis)[..., 0])
        knots[name] = np.where(known, np.cumsum(np.nan_to_num(along), axis=1), np.nan).astype(np.float32)
    unseen = {"left_hand": body.hand("left"), "right_hand": body.hand("right"), "head": body["head"]}
    unseen["legs"] = np.where(np.isnan(body["left_knee"]), body["right_knee"], body["left_knee"])
    knots |= {f"{name}_unseen": _knots(np.isnan(points[..., 0]).astype(np.float32)) for name, points in unseen.items()}
    return knots, _whole(steps, place, seconds)


def _whole(steps: dict[str, Array], place: Array, seconds: Array) -> dict[str, Array]:
    left, right = (steps[f"{side}_hand"] for side in SIDES)
    way = {side: np.nan_to_num(_norm(steps[f"{side}_hand"])).sum(axis=1) for side in SIDES}
    total = way["left"] + way["right"]
    rise = np.nan_to_num(left[..., 1]), np.nan_to_num(right[..., 1])
    together = (rise[0] * rise[1]).sum(axis=1) / np.sqrt((rise[0] ** 2).sum(axis=1) * (rise[1] ** 2).sum(axis=1))
    known = ~np.isnan(place[..., 0])
    first = np.argmax(known, axis=1)
    last = KNOTS - 1 - np.argmax(known[:, ::-1], axis=1)
    row = np.arange(len(place))
    return {
        "hands_together": np.where(np.minimum(way["left"], way["right"]) > 0.5, together, np.nan),
        "hands_share": np.where(total > 0.5, (way["right"] - way["left"]) / total, np.nan),
        "net_way": _norm(place[row, last] - place[row, first]),
        "whole_way": np.where(known.any(axis=1), np.nan_to_num(_norm(steps["body"])).sum(axis=1), np.nan),
        "seconds": seconds,
    }


def _norm(vectors: Array) -> Array:
    return np.sqrt((vectors**2).sum(axis=-1))


def _knots(values: Array) -> Array:
    """(B, 48, ...) -> (B, 12, ...)."""
    return nanmean(values.reshape(len(values), KNOTS, FRAMES // KNOTS, *values.shape[2:]), axis=2)


def _steps(points: Array) -> Array:
    """The way from each knot's predecessor, (B, 12, 3); the first knot's is the second's."""
    step = np.diff(points, axis=1)
    return np.concatenate([step[:, :1], step], axis=1)


def _bands(values: Array, family: Family) -> list[Bits]:
    """One array of bits for each band that has words."""
    low = (-np.inf, *family.edges)
    high = (*family.edges, np.inf)
    return [(values >= a) & (values < b) for a, b, word in zip(low, high, family.words, strict=True) if word]


def _segment_bits(family: Family, knots: dict[str, Array]) -> list[Bits]:
    values = knots[family.measure]
    if family.kind == "state":
        return _bands(nanmean(values.reshape(len(values), SEGMENTS, _PER_SEGMENT), axis=2), family)
    # A change is told from the end of the segment before, so that no movement falls between two segments.
    before = np.concatenate([values[:, :1], values[:, _PER_SEGMENT - 1 : -1 : _PER_SEGMENT]], axis=1)
    return _bands(values[:, _PER_SEGMENT - 1 :: _PER_SEGMENT] - before, family)


def _span_bits(family: Family, knots: dict[str, Array], whole: dict[str, Array], seconds: Array) -> list[Bits]:
    if family.kind == "whole":
        return _bands(whole[family.measure], family)
    values = knots[family.measure]
    if family.kind == "held":
        held_s = _longest((values >= family.edges[0]) & (values < family.edges[1])) * seconds / KNOTS
        edges = (1e-6, *HELD_EDGES_S, np.inf)
        bits = [(held_s >= a) & (held_s < b) for a, b in pairwise(edges)]
    else:
        bits = _course(values, family.edges[0])
    return [bit for bit, word in zip(bits, family.words, strict=True) if word]


def _longest(true: Bits) -> Array:
    """Length of the longest run of trues along axis 1."""
    run = np.zeros(len(true), np.float32)
    longest = np.zeros(len(true), np.float32)
    for knot in range(true.shape[1]):
        run = np.where(true[:, knot], run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


def _course(values: Array, least: float) -> list[Bits]:
    """up, down, up and back, down and back, to and fro, steady; `least`: what counts as a movement."""
    start, end = nanmean(values[:, :2], axis=1), nanmean(values[:, -2:], axis=1)
    high = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    low = np.where(np.isnan(values), np.inf, values).min(axis=1)
    known = ~np.isnan(start) & ~np.isnan(end)
    return [
        end - start > least,
        start - end > least,
        known & (high - np.fmax(start, end) > least),
        known & (np.fmin(start, end) - low > least),
        known & (_reversals(values, least) >= 2),
        known & (high - low < least),
    ]


def _reversals(values: Array, least: float) -> NDArray[np.int32]:
    """How often (B,) the measure turns round by more than `least` after having moved by more than `least`."""
    count = np.zeros(len(values), np.int32)
    direction = np.zeros(len(values), np.int8)
    extreme = values[:, 0].copy()
    for knot in range(1, values.shape[1]):
        value = values[:, knot]
        extreme = np.where(np.isnan(extreme), value, extreme)
        up, down = value - extreme > least, extreme - value > least
        count += (up & (direction < 0)) | (down & (direction > 0))
        direction = np.where(up, 1, np.where(down, -1, direction)).astype(np.int8)
        farther = ((direction > 0) & (value > extreme)) | ((direction < 0) & (value < extreme))
        extreme = np.where(up | down | farther, value, extreme)
    return count
