"""What is learnt of a driver's face and posture, and when it is learnt anew."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edge_c2vl.face.gaze import StraightAhead
from edge_c2vl.monitoring.face_calibration import FaceCalibration
from edge_c2vl.monitoring.face_reader import FaceReader, SeenFace
from edge_c2vl.monitoring.held_back import HeldBack
from edge_c2vl.monitoring.own_driver import MISTAKEN_S, OwnDriver
from edge_c2vl.monitoring.policy import Observation, Policy
from edge_c2vl.monitoring.posture import WINDOWS, PostureBaseline, SeatedPosture, posture_of
from edge_c2vl.monitoring.standing import Aspect, Condition, Level, Reason
from edge_c2vl.skeletons.clip import Clip
from tests.support.faces import turned

# The camera stands 30 degrees to the driver's right and looks down at the driver.
AHEAD = (30.0, 12.0)


def face(yaw=0.0, pitch=0.0, gap_mm=8.0, eyes=(0.0, 0.0), mouth_mm=0.0):
    """A head turned from straight ahead; eyes: where they look in the head; None: they cannot be seen."""
    rotation = turned(*AHEAD) @ turned(yaw, pitch)
    gaze = None if eyes is None else rotation @ turned(*eyes) @ [0, 0, -1]
    eye = SimpleNamespace(quality=0.0 if eyes is None else 1.0)
    return SimpleNamespace(
        head=SimpleNamespace(rotation=rotation),
        gaze=gaze,
        gap_mm=None if eyes is None else gap_mm,
        mouth_mm=mouth_mm,
        left=eye,
        right=eye,
    )


def learn(calibration, seconds, start_s=0.0, look=face, hz=10):
    """look: called with the second."""
    for step in range(round(seconds * hz)):
        now = start_s + step / hz
        calibration.learn(now, look(now) if look is not face else face())


class TestFaceCalibration:
    def test_a_minute_of_driving_with_mirrors_and_blinks(self) -> None:
        calibration = FaceCalibration()
        noise = np.random.default_rng(0)

        def drive(now):
            aside = (45.0, -10.0) if now % 7 < 1.2 else (0.0, 0.0)
            gap = 0.0 if now % 4 < 0.2 else 6.0
            return face(*(aside + noise.normal(0, 2, 2)), gap_mm=gap)

        learn(calibration, 30, look=drive)
        assert 0.3 < calibration.ahead_known < 0.6
        learn(calibration, 40, 30.0, look=drive)
        assert calibration.done
        assert np.hypot(*calibration.ahead.of_head(face().head.rotation)) < 3
        assert calibration.own.gap_mm == pytest.approx(6.0, abs=0.3)

    def test_what_comes_before_an_alert_is_left_out(self) -> None:
        calibration = FaceCalibration()
        learn(calibration, 20)
        learn(calibration, 2.5, 20.0, look=lambda now: face(60.0, 0.0, gap_mm=1.0))
        calibration.leave_out()
        learn(calibration, 60, 40.0)
        assert np.hypot(*calibration.ahead.of_head(face().head.rotation)) < 1

    def test_who_looks_about_teaches_nothing(self) -> None:
        calibration = FaceCalibration()
        learn(calibration, 120, look=lambda now: face(60.0 * np.sin(now), 20.0 * np.sin(1.7 * now)))
        assert calibration.ahead_known < 1
        learn(calibration, 70, 120.0)
        assert calibration.ahead_known == 1

    def test_what_is_known_is_held_and_kept(self) -> None:
        calibration, again = FaceCalibration(), FaceCalibration()
        assert np.isnan(calibration.numbers()).all()
        again.take(calibration.numbers())
        assert not again.done
        learn(calibration, 70)
        before = calibration.numbers()
        learn(calibration, 70, 70.0, look=lambda now: face(40.0))
        np.testing.assert_array_equal(calibration.numbers(), before)
        again.take(before)
        assert again.done
        np.testing.assert_allclose(again.numbers(), before)
        again.forget()
        assert (again.ahead, again.ahead_known, again.opening_known) == (None, 0.0, 0.0)


class TestFaceReader:
    def reader(self):
        reader = FaceReader()
        numbers = [*turned(*AHEAD).ravel(), 0.0, 0.0, 8.0]
        reader.calibration.take(np.array(numbers))
        return reader

    def test_angles_are_from_straight_ahead(self) -> None:
        (look,) = self.reader().read([SeenFace(0.0, face(20.0, 0.0, eyes=(10.0, 0.0)))])
        assert look.head == pytest.approx((20.0, 0.0), abs=0.5)
        assert look.gaze == pytest.approx((30.0, 0.0), abs=0.5)
        assert look.openness == pytest.approx(1.0, abs=0.05)

    def test_each_face_is_read_once(self) -> None:
        reader = self.reader()
        faces = [SeenFace(step / 10, face()) for step in range(6)]
        assert len(reader.read(faces[:4])) == 4
        assert [look.time_s for look in reader.read(faces)] == [0.4, 0.5]
        assert reader.read(faces) == ()
        assert [look.time_s for look in reader.read([SeenFace(0.1, None)])] == [0.1]

    def test_lids_lowered_with_the_head_are_not_closed_and_a_closure_goes_on(self) -> None:
        reader = self.reader()
        down = [SeenFace(step / 10, face(0.0, -30.0, gap_mm=0.5)) for step in range(20)]
        looks = reader.read(down)
        assert {look.openness for look in looks} == {None}
        assert looks[-1].closed_s == 0
        nod = [SeenFace(3 + step / 10, face(0.0, 0.0 if step < 8 else -40.0, gap_mm=0.2)) for step in range(30)]
        assert reader.read([SeenFace(2.9, face()), *nod])[-1].closed_s == pytest.approx(2.9, abs=0.2)

    def test_lids_lowered_with_the_head_look_down(self) -> None:
        """Who looks at the road from under a lowered brow raises the lids; with hidden eyes it cannot be told."""
        reader = self.reader()
        looks = reader.read(
            [
                SeenFace(0.0, face(0.0, -30.0, gap_mm=6.0)),
                SeenFace(0.1, face(0.0, -30.0, gap_mm=8.0)),
                SeenFace(0.2, face(0.0, 0.0, gap_mm=6.0)),
            ]
        )
        assert [look.looks_down for look in looks] == [True, False, False]

    @pytest.mark.parametrize(("eyes", "gaze"), [(30.0, pytest.approx((30.0, 0.0), abs=0.5)), (55.0, None)])
    def test_eyes_turn_only_so_far_in_the_head(self, eyes, gaze) -> None:
        """A depth camera's picture shows no eyes, and what is found in their place looks anywhere."""
        (look,) = self.reader().read([SeenFace(0.0, face(eyes=(eyes, 0.0)))])
        assert look.gaze == gaze
        assert look.head == pytest.approx((0.0, 0.0), abs=0.5)

    def test_half_closed_eyes_do_not_look_anywhere(self) -> None:
        (look,) = self.reader().read([SeenFace(0.0, face(gap_mm=3.0, eyes=(60.0, 0.0)))])
        assert look.gaze is None
        assert look.head == pytest.approx((0.0, 0.0), abs=0.5)

    def test_nothing_is_said_of_angles_before_straight_ahead_is_known(self) -> None:
        (look,) = FaceReader().read([SeenFace(0.0, face())])
        assert (look.seen, look.head, look.gaze) == (True, None, None)

    def test_yawns_of_five_minutes(self) -> None:
        reader = self.reader()
        step_s, told = 0.1, []
        for step in range(4000):
            now = step * step_s
            told += reader.read([SeenFace(now, face(mouth_mm=30.0 if now % 60 < 2 and now < 130 else 2.0))])
        assert max(look.yawns for look in told) == 3
        assert told[-1].yawns == 1


@pytest.mark.parametrize("hz", [2, 3, 10])
@pytest.mark.parametrize(
    ("then", "reason", "critical_s"),
    [(face(gap_mm=0.2), Reason.EYES_CLOSED, 3.0), (face(0.0, -50.0), Reason.LOOKING_AWAY, 7.0)],
    ids=["closed", "lap"],
)
def test_looks_that_come_rarely_count_in_full(hz, then, reason, critical_s):
    reader, policy = TestFaceReader().reader(), Policy(["phoning"], aspects=Aspect)
    reached_s = None
    for step in range(20 * hz):
        now = step / hz
        looks = reader.read([SeenFace(now, face() if now < 5 else then)])
        status = policy.update(Observation(now, 0.0, 1.0, True, {"attentive": 1.0, "phoning": 0.0}, looks=looks))
        if reached_s is None and status.alerts.get(reason) is Level.CRITICAL:
            reached_s = now
    assert reached_s == pytest.approx(5 + critical_s, abs=0.6)


def clip(head_y=0.6, wrist=(0.4, -1.0), shake=0.0, place=(320.0, -200.0, 100.0)):
    data = np.zeros((3, 32, 25), np.float32)
    data[1, :, 3] = head_y
    data[0, :, 3] = 0.01 + shake * np.sin(np.arange(32))
    data[:2, :, 6] = np.array(wrist)[:, None]
    data[:2, :, 10] = np.array([-0.4, -1.0])[:, None]
    return Clip(data, 1.0, 0.9, 3.0, place)


class TestPosture:
    def baseline(self):
        baseline = PostureBaseline()
        for second in range(WINDOWS + 5):
            baseline.learn(float(second), posture_of(clip()))
        assert baseline.learnt == 1
        return baseline

    def test_a_head_that_sinks_and_is_still(self) -> None:
        baseline = self.baseline()
        assert baseline.sunk(posture_of(clip())) == pytest.approx(0.0, abs=0.01)
        assert baseline.sunk(posture_of(clip(head_y=-0.3))) == pytest.approx(0.9, abs=0.01)
        assert baseline.sunk(posture_of(clip(place=(320.0, -280.0, 100.0)))) == pytest.approx(0.8, abs=0.01)
        # Somebody who reaches for something moves.
        assert baseline.sunk(posture_of(clip(head_y=-0.3, shake=0.5))) == 0.0
        hidden = posture_of(clip())
        assert baseline.sunk(SeatedPosture(np.full((3, 2), np.nan), 0.0, hidden.unit)) is None
        assert baseline.sunk(None) is None

    def test_both_hands_on_the_wheel(self) -> None:
        baseline = self.baseline()
        assert baseline.hands_on_wheel(posture_of(clip()))
        assert baseline.hands_on_wheel(posture_of(clip(wrist=(0.7, -0.8))))
        assert not baseline.hands_on_wheel(posture_of(clip(wrist=(0.3, 0.5))))
        assert not baseline.hands_on_wheel(posture_of(clip(wrist=(0.0, 0.0))))
        assert not PostureBaseline().hands_on_wheel(posture_of(clip()))

    def test_nobody(self) -> None:
        assert posture_of(Clip(np.zeros((3, 32, 25), np.float32), 0.0, 0.0, 3.0)) is None


def test_held_back_until_it_is_old_enough():
    held: HeldBack[int] = HeldBack(3.0)
    given = [list(held.add(float(at), at)) for at in range(6)]
    assert given == [[], [], [], [0], [1], [2]]
    held.clear()
    assert list(held.add(9.0, 9)) == []
    assert list(held.add(1.0, 1)) == []
    assert list(held.add(5.0, 5)) == [1]


class TestOwnDriver:
    """With the policy, four decisions a second."""

    def drive(self, own, policy, spans, start_s=0.0, moving=True, kmh=80.0):
        now, statuses = start_s, []
        for seconds, look in spans:
            for _ in range(round(seconds * 4)):
                faces = [SeenFace(now + step * 0.08, look) for step in range(3)]
                looks = own.read(faces, clip())
                calm = {"attentive": 0.95, "phoning": 0.05}
                seen = Observation(now + 0.2, 0.0, 1.0, True, calm, kmh, looks=looks, learnt=own.learnt)
                statuses.append(policy.update(seen))
                own.learn(now, statuses[-1], moving)
                now += 0.25
        return statuses

    def made(self):
        aspects = frozenset(Aspect)
        return OwnDriver(aspects), Policy(["phoning"], aspects=aspects)

    def test_it_is_learnt_while_driving_and_shows_in_the_reasons(self) -> None:
        own, policy = self.made()
        assert all(share == 0 for share in own.learnt.values())
        statuses = self.drive(own, policy, [(70, face())])
        assert own.learnt == {Aspect.GAZE: 1, Aspect.EYES: 1, Aspect.DROWSY: 1, Aspect.UNRESPONSIVE: 1}
        shares = [status.reasons[Aspect.GAZE].learnt for status in statuses]
        assert shares == sorted(shares)
        assert statuses[-1].reasons[Aspect.GAZE].state is Condition.AHEAD
        assert own.hands_on_wheel
        assert own.slumped(0.6) is False

    def test_nothing_is_learnt_while_the_vehicle_stands(self) -> None:
        own, policy = self.made()
        self.drive(own, policy, [(70, face())], moving=False)
        assert not any(own.learnt.values())

    def test_nothing_is_learnt_from_what_alerts(self) -> None:
        own, policy = self.made()
        self.drive(own, policy, [(25, face()), (30, face(80.0, 0.0))])
        assert own.reader.calibration.ahead_known < 0.6
        assert np.hypot(*own.reader.calibration.ahead.of_head(face().head.rotation)) < 5

    def test_an_empty_seat_begins_it_anew(self) -> None:
        own, policy = self.made()
        self.drive(own, policy, [(70, face())])
        own.unseen(5.0)
        assert own.learnt[Aspect.GAZE] == 1
        own.unseen(25.0)
        assert not any(own.learnt.values())

    def test_a_camera_that_was_moved_does_not_alert_for_ever(self) -> None:
        own, policy = self.made()
        statuses = self.drive(own, policy, [(70, face()), (MISTAKEN_S + 90, face(50.0, 0.0))])
        assert any(Reason.LOOKING_AWAY in status.alerts for status in statuses)
        assert statuses[-1].alerts == {}
        assert own.reader.calibration.ahead_known == 1
        assert isinstance(own.reader.calibration.ahead, StraightAhead)

    def test_blinks_do_not_put_that_off(self) -> None:
        own, policy = self.made()
        moved = [(3.75, face(50.0, 0.0)), (0.25, face(50.0, 0.0, gap_mm=0.2))] * round((MISTAKEN_S + 90) / 4)
        statuses = self.drive(own, policy, [(70, face()), *moved])
        assert any(Reason.LOOKING_AWAY in status.alerts for status in statuses)
        assert statuses[-1].alerts == {}
        assert own.reader.calibration.ahead_known == 1

    def test_single_looks_that_are_read_as_lowered_do_not_put_that_off(self) -> None:
        own, policy = self.made()
        moved = [(3.75, face(50.0, 0.0)), (0.25, face(50.0, -20.0))] * round((MISTAKEN_S + 90) / 4)
        statuses = self.drive(own, policy, [(70, face()), *moved])
        assert any(Reason.LOOKING_AWAY in status.alerts for status in statuses)
        assert statuses[-1].alerts == {}

    @pytest.mark.parametrize("eyes_seen_closing", [True, False])
    def test_a_driver_who_has_fallen_asleep_is_alerted_for_as_long_as_it_lasts(self, eyes_seen_closing) -> None:
        own, policy = self.made()
        asleep = face(0.0, -45.0, gap_mm=0.2)
        before = face(gap_mm=0.2) if eyes_seen_closing else face()
        statuses = self.drive(own, policy, [(70, face()), (2, before), (MISTAKEN_S + 30, asleep)])
        assert (Reason.EYES_CLOSED in statuses[-1].alerts) is eyes_seen_closing
        assert {Reason.LOOKING_AWAY, Reason.UNRESPONSIVE} <= set(statuses[-1].alerts)
        assert own.reader.calibration.ahead_known == 1

    @pytest.mark.parametrize("asleep", [face(0.0, -45.0, gap_mm=0.2), face(0.0, -22.0), face(40.0, 0.0, gap_mm=0.2)])
    def test_with_gaze_alone_a_sleepers_head_is_no_straight_ahead(self, asleep) -> None:
        gaze = frozenset({Aspect.GAZE})
        own, policy = OwnDriver(gaze), Policy(["phoning"], aspects=gaze)
        statuses = self.drive(own, policy, [(70, face()), (2 * MISTAKEN_S + 10, asleep)])
        assert Reason.LOOKING_AWAY in statuses[-1].alerts
        assert own.reader.calibration.ahead_known == 1
        awake = self.drive(own, policy, [(8, face())], 200.0 + MISTAKEN_S)
        assert awake[-1].reasons[Aspect.GAZE].state is Condition.AHEAD
        assert Reason.LOOKING_AWAY not in awake[-1].alerts

    def test_a_sleepers_head_that_is_seen_now_and_then_is_no_straight_ahead(self) -> None:
        gaze = frozenset({Aspect.GAZE})
        own, policy = OwnDriver(gaze), Policy(["phoning"], aspects=gaze)
        asleep = [(0.5, face(0.0, -22.0)), (0.25, None)] * round((MISTAKEN_S + 30) / 0.75)
        self.drive(own, policy, [(70, face()), *asleep])
        assert own.reader.calibration.ahead_known == 1

    def test_looking_down_while_the_vehicle_stands_makes_no_straight_ahead(self) -> None:
        own, policy = self.made()
        reading = face(0.0, -45.0)
        self.drive(own, policy, [(70, face())])
        self.drive(own, policy, [(MISTAKEN_S + 10, reading)], 70.0, moving=False, kmh=0.0)
        statuses = self.drive(own, policy, [(5, reading)], 80.0 + MISTAKEN_S)
        assert Reason.LOOKING_AWAY in statuses[-1].alerts
        assert own.reader.calibration.ahead_known == 1
