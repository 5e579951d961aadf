"""Which bodies can be a driver's: geometry, at every place, size and shape of the picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.monitoring.body import BodyLimits, as_points, evident, implausible, measure
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from tests.support.seated import seated

LIMITS = BodyLimits()
SIZE = (640, 480)


def judged(skeleton, size=SIZE, presence=1.0):
    points = as_points(skeleton)
    sure = evident(points, skeleton[:, 3], size, LIMITS)
    return implausible(measure(points, sure), presence, size, LIMITS)


def turned(skeleton, degrees, size=SIZE):
    """About the picture's middle, so that it stays in it."""
    angle, middle = math.radians(degrees), np.array([size[0] / 2, -size[1] / 2])
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    result = skeleton.copy()
    result[:, :2] = (skeleton[:, :2] - middle) @ matrix.T + middle
    return result


@settings(max_examples=60)
@given(st.floats(0.5, 1.0), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(-45, 45), st.integers(0, 9))
def test_a_seated_driver_is_plausible_wherever_and_however_large(scale, right, down, roll, seed):
    body = seated(*SIZE, (right, down), scale, seed)
    assert judged(turned(body, roll)) is None


@settings(max_examples=60)
@given(st.floats(0.5, 0.8), st.floats(100, 260), st.integers(0, 9))
def test_a_body_that_lies_or_hangs_is_none(scale, degrees, seed):
    assert judged(turned(seated(*SIZE, scale=scale, seed=seed), degrees)) == "lying"


@settings(max_examples=60)
@given(st.floats(0.01, 0.4), st.integers(0, 9))
def test_a_body_as_small_as_a_phone_mount_is_none(scale, seed):
    assert judged(seated(*SIZE, scale=scale, seed=seed)) == "size"


@settings(max_examples=60)
@given(st.integers(0, 9), st.floats(0.25, 4.0), st.sampled_from([(640, 480), (480, 640), (1280, 1024)]))
def test_the_measures_do_not_depend_on_the_pictures_resolution(seed, factor, size):
    body = seated(*size, seed=seed)
    larger = body.copy()
    larger[:, :3] *= factor
    first, second = (measure(as_points(one), np.ones(33, bool)) for one in (body, larger))
    assert second.unit == pytest.approx(factor * first.unit, rel=1e-4)
    assert (second.trunk_deg, second.head_deg, second.head) == pytest.approx(
        (first.trunk_deg, first.head_deg, first.head), rel=1e-3, abs=1e-2
    )


def test_a_head_at_the_hips_or_far_away_is_none():
    below, far = seated(*SIZE), seated(*SIZE, scale=0.5)
    below[:11, 1] -= 200
    far[:11, 1] += 170
    assert judged(below) == "head"
    assert judged(far) == "head"


def test_who_the_network_does_not_believe_in_or_who_is_outside_is_none():
    assert judged(seated(*SIZE), presence=0.3) == "no person"
    assert judged(seated(*SIZE), presence=float("nan")) == "no person"
    outside = seated(*SIZE, place=(1.2, 0.0))
    assert judged(outside) == "not in the picture"
    assert judged(np.zeros((33, 4), np.float32)) == "no person"


def test_only_what_is_seen_inside_of_the_picture_is_evidence():
    body = seated(*SIZE)
    hand, elbow = MEDIAPIPE33.index("left_wrist"), MEDIAPIPE33.index("left_elbow")
    body[hand, 0], body[elbow, 3] = 638, 0.4
    sure = evident(as_points(body), body[:, 3], SIZE, LIMITS)
    assert list(np.flatnonzero(~sure)) == [elbow, hand]


def test_a_driver_without_hips_in_view_is_plausible():
    body = seated(*SIZE)
    body[23:] = 0
    assert judged(body) is None
