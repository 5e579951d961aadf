"""Blinks, closed eyes, PERCLOS, yawns, and where straight ahead is; second by second."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edge_c2vl.face.bouts import Bouts, TimeShare
from edge_c2vl.face.gaze import ZONES, straight_ahead, typical_rotation, zone_of
from edge_c2vl.face.watch import USUAL_GAP_MM, FaceWatch, OwnOpening, Rate
from tests.support.faces import turned


def played(values, hz: float = 10.0, **options) -> list:
    bouts = Bouts(0.3, 0.45, **options)
    ended = [bouts.update(index / hz, value) for index, value in enumerate(values)]
    return [bout for bout in ended if bout is not None]


class TestBouts:
    def test_times_lie_between_the_pictures(self) -> None:
        (bout,) = played([1, 1, 0, 0, 0, 1, 1])
        assert bout.start_s == pytest.approx(0.17)
        assert bout.end_s == pytest.approx(0.445)
        assert bout.peak == 0

    def test_between_the_two_limits_nothing_changes(self) -> None:
        assert played([1, 0.4, 0.35, 0.4, 1]) == []
        (bout,) = played([1, 0.2, 0.4, 0.2, 0.4, 1])
        assert bout.length_s > 0.3

    def test_one_picture_that_was_misread_does_not_break_it_in_two(self) -> None:
        values = [1, 0, 0, 1, 0, 0, 1, 1, 1]
        assert len(played(values)) == 2
        (bout,) = played(values, hold_s=0.15)
        assert (bout.start_s, bout.end_s) == pytest.approx((0.07, 0.545))
        bouts = Bouts(0.3, 0.45, hold_s=0.15)
        lengths = [bouts.update(index / 10, value) or bouts.length_s(index / 10) for index, value in enumerate(values)]
        # What may be its end does not make it longer.
        assert lengths[3] == pytest.approx(0.175)
        assert lengths[6] == pytest.approx(0.475)

    def test_what_cannot_be_told_for_long_ends_it(self) -> None:
        (short,) = played([1, 0, 0, None, None, 0, 0, 1])
        assert short.length_s > 0.5
        (long,) = played([1, 0, 0, None, None, None, None, None, 1])
        assert long.end_s == pytest.approx(0.2)

    def test_pictures_that_did_not_come_end_it_too(self) -> None:
        bouts = Bouts(0.3, 0.45)
        for time_s, value in ((0.0, 1.0), (0.1, 0.0), (0.2, 0.0)):
            assert bouts.update(time_s, value) is None
        ended = bouts.update(3.0, 0.0)
        assert ended is not None
        assert ended.end_s == pytest.approx(0.2)
        assert bouts.length_s(3.1) == pytest.approx(0.1)


class TestTimeShare:
    def test_the_share_of_the_window(self) -> None:
        share = TimeShare(10.0)
        told = [share.update(index / 10, index % 100 < 25) for index in range(400)]
        assert told[150] is not None
        assert told[-1] == pytest.approx(0.25, abs=0.02)

    def test_time_that_could_not_be_seen_does_not_count(self) -> None:
        share = TimeShare(10.0)
        told = [share.update(index / 10, None if index % 10 < 3 else index % 10 < 5) for index in range(200)]
        assert told[-1] == pytest.approx(2 / 7, abs=0.03)

    def test_mostly_unseen_is_unknown(self) -> None:
        share = TimeShare(10.0)
        assert [share.update(index / 10, None if index % 10 < 7 else True) for index in range(200)][-1] is None


def face(gap_mm: float | None, mouth_mm: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(gap_mm=gap_mm, mouth_mm=mouth_mm)


class TestFaceWatch:
    def test_a_driver_with_narrow_eyes_is_not_asleep(self) -> None:
        watch = FaceWatch()
        for index in range(600):
            state = watch.update(index / 10, face(4.5))
        assert state.openness == pytest.approx(1.0, abs=0.05)
        assert state.closed_s == 0
        assert state.perclos == 0

    def test_blinks_closures_and_perclos(self) -> None:
        watch = FaceWatch()
        ended = []
        for index in range(1800):
            time_s = index / 30
            in_blink, asleep = time_s % 4 < 0.2, 30 <= time_s < 33
            state = watch.update(time_s, face(0.0 if in_blink or asleep else 8.0))
            if state.closure is not None:
                ended.append(state.closure.length_s)
        assert sum(length > 0.5 for length in ended) == 1
        assert max(ended) == pytest.approx(3.0, abs=0.1)
        assert state.blinks_a_minute in (13, 14)
        assert state.perclos == pytest.approx((14 * 0.2 + 3) / 60, abs=0.02)

    def test_how_long_the_eyes_have_been_closed(self) -> None:
        watch = FaceWatch()
        for index in range(60):
            state = watch.update(index / 10, face(8.0 if index < 30 else 0.0))
        assert state.closed_s == pytest.approx(2.95, abs=0.1)

    def test_sunglasses_are_not_closed_eyes(self) -> None:
        watch = FaceWatch()
        for index in range(300):
            state = watch.update(index / 10, face(None))
        assert (state.openness, state.closed_s, state.perclos) == (None, 0, None)
        assert watch.update(30.0, None).openness is None

    def test_a_yawn_is_wide_and_long(self) -> None:
        watch = FaceWatch()
        yawns = []
        for index in range(300):
            time_s = index / 10
            speaking, yawning = 12.0 * (index % 3 == 0), 40.0 * (10 <= time_s < 12)
            yawns.append(watch.update(time_s, face(8.0, max(speaking, yawning))).yawn)
        (yawn,) = [yawn for yawn in yawns if yawn is not None]
        assert yawn.length_s == pytest.approx(2.0, abs=0.2)


class TestOwnOpening:
    def test_it_is_learnt_and_sleepiness_does_not_narrow_it(self) -> None:
        own = OwnOpening()
        assert own.gap_mm == USUAL_GAP_MM
        for index in range(1200):
            own.update(index / 10, 6.0 if index % 10 < 4 else 0.5)
        assert own.gap_mm == pytest.approx(6.0)

    def test_nonsense_is_kept_within_limits(self) -> None:
        own = OwnOpening()
        for index in range(600):
            own.update(index / 10, 40.0)
        assert own.gap_mm == 14.0


class TestRate:
    @pytest.mark.parametrize(("fps", "looked"), [(30, 100), (25, 100), (7, 70)])
    def test_ten_a_second(self, fps: float, looked: int) -> None:
        rate, count = Rate(), 0
        for index in range(int(fps * 10)):
            if rate.due(index / fps):
                rate.looked(index / fps, SimpleNamespace(openness=1.0))
                count += 1
        assert count == pytest.approx(looked, rel=0.03)

    def test_every_picture_while_an_eye_closes(self) -> None:
        rate = Rate()
        rate.looked(1.0, SimpleNamespace(openness=0.6))
        assert rate.due(1.01)
        rate.looked(1.01, SimpleNamespace(openness=None))
        assert not rate.due(1.02)


class TestStraightAhead:
    def test_looks_to_elsewhere_do_no_harm(self) -> None:
        ahead = turned(-24, -14.5, 4)
        heads = [turned(-25 + k % 3, -15 + k % 2, 4) for k in range(60)] + [turned(20, -40)] * 40
        apart = np.arccos((np.trace(typical_rotation(heads).T @ ahead) - 1) / 2)
        assert np.degrees(apart) < 2

    def test_angles_count_from_the_drivers_own_head(self) -> None:
        """The camera looks up at the driver, and tilted; the eyes seem to look up by 6 degrees, always."""
        camera = turned(30, 20, 10)
        up = [0.0, np.sin(np.radians(6)), -np.cos(np.radians(6))]
        found = straight_ahead([camera] * 9, [camera @ up] * 9)
        assert found.of_head(camera @ turned(40, -10)) == pytest.approx((40, -10), abs=0.1)
        assert found.of_gaze(camera @ up) == pytest.approx((0, 0), abs=0.1)

    def test_nobody_has_none(self) -> None:
        with pytest.raises(ValueError, match="no head"):
            straight_ahead([], [])


def test_zones_are_told_by_the_nearest() -> None:
    for name, (yaw, pitch) in ZONES.items():
        assert zone_of(yaw + 4, pitch - 4) == name
    assert len(ZONES) == 6
