"""The parts of our graph, each by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.pose.detector import anchors, merge, overlaps
from edge_c2vl.pose.landmarks import refine
from edge_c2vl.pose.networks import as_input
from edge_c2vl.pose.region import MARGIN, Region
from edge_c2vl.pose.smoothing import LowPassFilter, OneEuroFilter
from edge_c2vl.pose.tracker import VISIBILITY_S


class TestRegion:
    def test_stands_upright_where_the_second_point_is_above(self) -> None:
        region = Region.around(np.array([100, 200]), np.array([100, 140]))
        assert (region.x, region.y, region.angle) == pytest.approx((100, 200, 0))
        assert region.size == pytest.approx(2 * 60 * MARGIN)

    @given(st.floats(-3.1, 3.1), st.floats(10, 500), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
    def test_the_second_point_lies_straight_above_the_first_inside(self, angle, length, centre) -> None:
        end = centre[0] + length * math.sin(angle), centre[1] - length * math.cos(angle)
        region = Region.around(np.array(centre), np.array(end))
        inside = region.to_picture(np.array([[0.5, 0.5, 0], [0.5, 0.5 - 0.5 / MARGIN, 0]]))
        assert inside[:, :2] == pytest.approx(np.array([centre, end]), abs=1e-3)

    @given(st.floats(-3.1, 3.1), st.floats(60, 200))
    def test_what_is_cut_and_where_points_go_back_to_agree(self, angle, size) -> None:
        image = np.zeros((300, 300, 3), np.uint8)
        image[146:155, 146:155] = 255  # its middle is the picture's pixel (150, 150)
        region = Region(140, 160, size, angle)
        rows, columns = np.nonzero(region.cut(image, 100, replicate=False)[..., 0] > 127)
        share = np.array([[columns.mean() / 100, rows.mean() / 100, 0]])
        assert region.to_picture(share)[0, :2] == pytest.approx([150, 150], abs=size / 100)

    def test_outside_of_the_picture_is_black_or_like_the_edge(self) -> None:
        image = np.full((10, 10, 3), 200, np.uint8)
        region = Region(0, 0, 10)
        assert region.cut(image, 10, replicate=False)[0, 0].tolist() == [0, 0, 0]
        assert region.cut(image, 10, replicate=True)[0, 0].tolist() == [200, 200, 200]

    def test_the_whole_picture(self) -> None:
        assert Region.whole(np.zeros((40, 100, 3), np.uint8)) == Region(50, 20, 100, 0)


class TestDetector:
    def test_anchors(self) -> None:
        found = anchors()
        assert found.shape == (2254, 2)
        assert found[0] == pytest.approx([4 / 224, 4 / 224])
        assert found[2] == pytest.approx([12 / 224, 4 / 224])  # two a cell, and columns before rows
        assert found[-1] == pytest.approx([1 - 16 / 224] * 2)

    def test_overlaps(self) -> None:
        boxes = np.array([[0.5, 0.5, 0.2, 0.2], [0.6, 0.5, 0.2, 0.2], [0.9, 0.9, 0.1, 0.1], [0.5, 0.5, 0, 0]])
        assert overlaps(boxes, 0) == pytest.approx([1, 1 / 3, 0, 0])

    def test_answers_of_one_person_are_averaged_by_their_scores(self) -> None:
        boxes = np.zeros((4, 8))
        boxes[:, :4] = [[0.3, 0.3, 0.2, 0.2], [0.31, 0.3, 0.2, 0.2], [0.8, 0.8, 0.2, 0.2], [0.3, 0.31, 0.2, 0.2]]
        boxes[:, 4] = [0.1, 0.2, 0.9, 0.4]
        people = merge(boxes, np.array([0.8, 0.6, 0.9, 0.6]))
        assert [points[0] for points in people] == pytest.approx([0.9, (0.08 + 0.12 + 0.24) / 2.0])

    def test_nobody(self) -> None:
        assert merge(np.zeros((0, 8)), np.zeros(0)) == []


class TestRefinement:
    def heat(self, *spots: tuple[int, int]) -> np.ndarray:
        """Logits: sure at the spots (row, column), sure of nothing elsewhere."""
        maps = np.full((1, 64, 64), -80.0)
        for row, column in spots:
            maps[0, row, column] = 80
        return maps

    def test_a_point_moves_to_the_heat_around_it(self) -> None:
        points = np.array([[10.5 / 64, 20.5 / 64, 0.3]])
        refine(points, self.heat((22, 9), (22, 11)))
        assert points[0] == pytest.approx([10 / 64, 22 / 64, 0.3])

    @pytest.mark.parametrize(("away", "moved"), [(4, True), (5, False)])
    def test_it_looks_four_cells_far(self, away: int, moved: bool) -> None:
        points = np.array([[10.5 / 64, 20.5 / 64, 0]])
        refine(points, self.heat((20, 10 + away)))
        assert (points[0, 0] == pytest.approx((10 + away) / 64)) == moved

    def test_unsure_heat_leaves_the_point(self) -> None:
        points = np.array([[10.5 / 64, 20.5 / 64, 0]])
        refine(points, np.where(self.heat((20, 12)) > 0, -0.1, -80.0))
        assert points[0] == pytest.approx([10.5 / 64, 20.5 / 64, 0])

    @pytest.mark.parametrize("point", [(-0.2, 0.5), (0.5, 1.0), (1.7, 0.5)])
    def test_a_point_outside_stays(self, point: tuple[float, float]) -> None:
        points = np.array([[*point, 0.0]])
        refine(points, np.full((1, 64, 64), 80.0))
        assert points[0, :2] == pytest.approx(point)

    def test_the_edge_of_the_map_counts_only_what_there_is(self) -> None:
        points = np.array([[0.5 / 64, 0.5 / 64, 0]])
        refine(points, np.full((1, 64, 64), 80.0))
        assert points[0, :2] == pytest.approx([2 / 64, 2 / 64])  # the mean of cells 0 to 4


class TestSmoothing:
    def scalar(self, values, times_s, min_cutoff, beta, scale):
        """The published formulas, a number at a time."""

        def share(cutoff, rate):
            tau = 1 / (2 * math.pi * cutoff)
            return 1 / (1 + tau * rate)

        smooth, speed, raw, last, given = values[0], 0.0, values[0], times_s[0], [values[0]]
        for value, now in zip(values[1:], times_s[1:], strict=True):
            rate = 30.0 if last == 0 else 1 / (now - last)
            a = share(1.0, rate)
            speed = a * (value - raw) * scale * rate + (1 - a) * speed
            a = share(min_cutoff + beta * abs(speed), rate)
            smooth, raw, last = a * value + (1 - a) * smooth, value, now
            given.append(smooth)
        return given

    @given(st.lists(st.tuples(st.floats(-100, 100), st.integers(1, 2000)), min_size=2, max_size=20), st.booleans())
    def test_one_euro_over_arrays_is_the_formula(self, steps, from_zero) -> None:
        values = [value for value, _ in steps]
        times_s = np.cumsum([0 if from_zero else 1, *(step for _, step in steps[1:])]) / 1000
        smoothing = OneEuroFilter(0.05, 80)
        given_values = [smoothing.apply(np.array([[v, -v]]), t, 0.01)[0] for v, t in zip(values, times_s, strict=True)]
        expected = self.scalar(values, times_s.tolist(), 0.05, 80, 0.01)
        assert np.array(given_values)[:, 0] == pytest.approx(expected, abs=1e-9)
        assert np.array(given_values)[:, 1] == pytest.approx([-v for v in expected], abs=1e-9)

    def test_a_time_that_stands_still_changes_nothing(self) -> None:
        smoothing = OneEuroFilter(0.05, 80)
        smoothing.apply(np.zeros(1), 1.0, 1)
        assert smoothing.apply(np.ones(1), 1.0, 1).tolist() == [1]
        assert smoothing.apply(np.zeros(1), 2.0, 1).tolist() == [0]

    def test_low_pass(self) -> None:
        smoothing = LowPassFilter(VISIBILITY_S)
        assert smoothing.apply(np.array([1.0]), 5.0).tolist() == [1]
        # MediaPipe's tenth a picture, at 30 a second.
        assert smoothing.apply(np.array([0.0]), 5.0 + 1 / 30) == pytest.approx([0.9])
        smoothing.reset()
        assert smoothing.apply(np.array([0.5]), 9.0).tolist() == [0.5]

    @pytest.mark.parametrize("fps", [5, 10, 15, 30, 120])
    def test_low_pass_is_as_slow_at_every_rate(self, fps: int) -> None:
        smoothing = LowPassFilter(VISIBILITY_S)
        smoothing.apply(np.array([1.0]), 1.0)
        for index in range(fps):
            value = smoothing.apply(np.array([0.0]), 1.0 + (index + 1) / fps)
        assert value == pytest.approx([0.9**30])


def test_a_picture_becomes_rgb_planes() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[1, 2] = [255, 51, 0]  # blue, green, red
    given_input = as_input(picture, 1 / 127.5, -1)
    assert given_input.shape == (1, 3, 2, 3)
    assert given_input.dtype == np.float32
    assert given_input[0, :, 1, 2] == pytest.approx([-1, -0.6, 1])
    assert given_input.flags.c_contiguous
