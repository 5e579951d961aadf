"""Time lines of each reason beside the activity, and of pairs of them."""

from __future__ import annotations

import pytest

from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import Aspect, Condition, Level, Reason
from tests.support.faces_over_time import (
    ALL,
    CLOSED,
    LAP,
    MIRROR,
    NO_FACE,
    ROAD,
    SHOULDER,
    SPEEDOMETER,
    ever,
    reached,
    watch,
)

AWAY, EYES, DROWSY, LONG, CUMULATIVE, GONE = (
    Reason.LOOKING_AWAY,
    Reason.EYES_CLOSED,
    Reason.DROWSY,
    Reason.LONG,
    Reason.CUMULATIVE,
    Reason.UNRESPONSIVE,
)
TURNED = {"gaze": None, "head": (70.0, 0.0), "openness": None}


def state_of(played, aspect, at_s):
    return next(status.reasons[aspect] for now, status in played if now >= at_s)


class TestLookingAway:
    def test_mirrors_and_speedometer_are_glances(self) -> None:
        drive = [(4, ROAD), (1.2, MIRROR), (4, ROAD), (0.8, SPEEDOMETER)] * 20
        played = watch(*drive)
        assert ever(played) == set()
        assert state_of(played, Aspect.GAZE, 4.9).state is Condition.GLANCE
        assert min(status.awareness for _, status in played) == 1.0

    def test_a_glance_that_does_not_end_counts_in_full(self) -> None:
        played = watch((5, ROAD), (8, MIRROR))
        assert reached(played, AWAY, Level.NOTICE) == pytest.approx(5 + 2.1, abs=0.4)
        assert reached(played, AWAY, Level.WARNING) == pytest.approx(5 + 3.5, abs=0.4)
        assert reached(played, AWAY, Level.CRITICAL) == pytest.approx(5 + 7.0, abs=0.4)

    @pytest.mark.parametrize(("kmh", "limit_s"), [(80.0, 3.5), (None, 3.5), (35.0, 6.0)])
    def test_the_limit_follows_the_speed(self, kmh, limit_s) -> None:
        assert reached(watch((5, ROAD), (9, LAP), kmh=kmh), AWAY, Level.WARNING) == pytest.approx(5 + limit_s, abs=0.4)

    def test_slow_enough_there_is_no_alert(self) -> None:
        assert ever(watch((5, ROAD), (30, LAP), kmh=10.0)) == set()

    def test_over_the_shoulder_at_a_junction(self) -> None:
        assert ever(watch((5, ROAD), (2.5, SHOULDER), (5, ROAD), kmh=30.0)) == set()

    def test_a_second_of_the_road_ends_it(self) -> None:
        played = watch((5, ROAD), (4, LAP), (5, ROAD))
        ended = next(now for now, status in played if now > 9 and AWAY not in status.alerts)
        assert ended == pytest.approx(10, abs=0.5)

    def test_texting_by_glances_adds_up(self) -> None:
        played = watch((20, ROAD), *[(1.6, LAP), (1.0, ROAD)] * 12)
        assert reached(played, AWAY, Level.WARNING) is not None
        # 10 s of it take 16 s; the single look is too short for a warning.
        assert reached(played, AWAY, Level.WARNING) == pytest.approx(20 + 16, abs=2.5)

    def test_with_sunglasses_the_head_tells(self) -> None:
        hidden = {"gaze": None, "openness": None}
        assert ever(watch((30, hidden | {"head": (0.0, 0.0)}))) == set()
        played = watch((5, hidden), (6, TURNED))
        assert reached(played, AWAY, Level.WARNING) == pytest.approx(5 + 3.5, abs=0.4)
        assert state_of(played, Aspect.EYES, 4).state is Condition.CANNOT_SEE
        assert state_of(played, Aspect.GAZE, 4).state is Condition.AHEAD

    def test_lowered_lids_under_a_lowered_head_are_not_at_the_road(self) -> None:
        """The head alone is low by less than the road's limit, and where the eyes look cannot be told."""
        head = {"gaze": None, "openness": None, "head": (-5.0, -17.0)}
        assert AWAY not in ever(watch((5, ROAD), (9, head)))
        played = watch((5, ROAD), (9, head | {"looks_down": True}))
        assert reached(played, AWAY, Level.WARNING) == pytest.approx(5 + 3.5, abs=0.4)
        # A look at the instruments, and single looks that were misread.
        assert ever(watch((5, ROAD), *[(1.5, head | {"looks_down": True}), (4, ROAD)] * 10)) == set()
        assert ever(watch(*[(0.3, head), (0.1, head | {"looks_down": True})] * 100)) == set()

    def test_a_face_that_is_lost_for_two_seconds_is_no_alert(self) -> None:
        played = watch((10, ROAD), (2, NO_FACE), (10, ROAD))
        assert ever(played) == set()
        assert state_of(played, Aspect.GAZE, 11.5).state is Condition.CANNOT_SEE

    def test_a_face_that_turns_away_until_it_is_lost_is_away_and_hiding_ends_nothing(self) -> None:
        played = watch((5, ROAD), (2.5, SHOULDER), (30, NO_FACE), (6, ROAD))
        assert reached(played, AWAY, Level.WARNING) == pytest.approx(5 + 3.5, abs=0.4)
        assert reached(played, AWAY, Level.CRITICAL) == pytest.approx(5 + 7.0, abs=0.4)
        assert played[-1][1].alerts == {}

    def test_a_glance_whose_face_is_lost_is_not_believed_for_long(self) -> None:
        assert ever(watch((5, ROAD), (0.5, MIRROR), (30, NO_FACE | {"unseen_s": 0.0}), (5, ROAD))) == set()

    def test_until_straight_ahead_is_known_limits_are_wider(self) -> None:
        aside = {"gaze": (30.0, 0.0)}
        assert ever(watch((30, aside), known=0.5)) == set()
        assert reached(watch((5, ROAD), (9, LAP), known=0.5), AWAY, Level.WARNING) == pytest.approx(5 + 5.25, abs=0.4)
        assert reached(watch((5, ROAD), (9, aside)), AWAY, Level.WARNING) is not None

    def test_single_wrong_looks_do_nothing(self) -> None:
        assert ever(watch(*[(0.3, ROAD), (0.1, LAP)] * 100)) == set()

    def test_from_60_to_15(self) -> None:
        played = watch((5, ROAD), (3, LAP), (10, LAP | {"kmh": 15.0}), (1, LAP | {"kmh": 60.0}))
        assert reached(played, AWAY, Level.NOTICE) == pytest.approx(7.1, abs=0.4)
        assert all(not status.alerts for now, status in played if 8.3 < now < 18)
        assert AWAY not in played[-1][1].alerts


class TestEyesClosed:
    def test_levels(self) -> None:
        played = watch((5, ROAD), (5, CLOSED), (5, ROAD))
        for level, limit_s in ((Level.NOTICE, 1.0), (Level.WARNING, 1.5), (Level.CRITICAL, 3.0)):
            assert reached(played, EYES, level) == pytest.approx(5 + limit_s, abs=0.35)
        ended = next(now for now, status in played if now > 10 and EYES not in status.alerts)
        assert ended == pytest.approx(11, abs=0.5)

    def test_blinks_are_none(self) -> None:
        assert ever(watch(*[(2.8, ROAD), (0.2, CLOSED)] * 20)) == set()

    def test_until_the_open_eye_is_known_limits_are_wider(self) -> None:
        played = watch((5, ROAD), (3, CLOSED), known=0.5)
        assert reached(played, EYES, Level.WARNING) == pytest.approx(5 + 2.25, abs=0.35)

    def test_eyes_that_cannot_be_seen_are_not_closed(self) -> None:
        assert ever(watch((5, ROAD), (30, {"gaze": None, "openness": None}))) == set()

    def test_a_head_that_sinks_hides_them_and_the_closure_goes_on(self) -> None:
        sunk = {"gaze": None, "openness": None, "head": (0.0, -20.0)}
        played = watch((5, ROAD), (1.3, CLOSED), (6, sunk), (3, ROAD))
        assert reached(played, EYES, Level.CRITICAL) == pytest.approx(5 + 3.0, abs=0.35)
        assert played[-1][1].alerts == {}

    def test_half_a_second_of_open_eyes_does_not_end_it(self) -> None:
        played = watch((5, ROAD), (2, CLOSED), (0.5, ROAD), (2, CLOSED))
        assert all(EYES in status.alerts for now, status in played if now > 6.5)


class TestDrowsy:
    @pytest.mark.parametrize(
        ("sign", "state"),
        [
            ({"perclos": 0.05}, Condition.AWAKE),
            ({"perclos": 0.10}, Condition.TIRED),
            ({"perclos": 0.16}, Condition.DROWSY),
            ({"yawns": 3}, Condition.TIRED),
            ({"yawns": 3, "perclos": 0.09}, Condition.DROWSY),
        ],
    )
    def test_signs(self, sign, state) -> None:
        played = watch((5, ROAD | sign))
        assert played[-1][1].reasons[Aspect.DROWSY].state is state
        assert played[-1][1].alerts == ({DROWSY: Level.NOTICE} if state is Condition.DROWSY else {})

    def test_it_falls_late(self) -> None:
        tired = ROAD | {"perclos": 0.16}
        played = watch((5, tired), (50, ROAD), (2, tired), (58, ROAD), (4, ROAD))
        calm = next(now for now, status in played if now > 1 and DROWSY not in status.alerts)
        assert calm == pytest.approx(57 + 60, abs=0.5)

    def test_eyes_that_are_not_seen_do_not_end_it_until_every_sign_is_too_old(self) -> None:
        hidden = {"openness": None, "gaze": None, "perclos": None}
        played = watch((5, ROAD | {"perclos": 0.16}), (310, hidden))
        states = [(now, status.reasons[Aspect.DROWSY], DROWSY in status.alerts) for now, status in played if now > 5]
        assert {one.state for _, one, _ in states} == {Condition.CANNOT_SEE}
        assert next(now for now, _, alerted in states if not alerted) == pytest.approx(5 + 300, abs=0.5)
        assert states[-1][1].share == 0
        # Seen in between, the same signs hold it for as long again.
        again = watch((5, ROAD | {"perclos": 0.16}), (200, hidden), (5, ROAD | {"perclos": 0.16}), (290, hidden))
        assert again[-1][1].alerts[DROWSY] is Level.NOTICE
        # Standing still it is as old as it is.
        assert (
            DROWSY not in watch((5, ROAD | {"perclos": 0.16}), (305, hidden | {"kmh": 0.0}), (5, hidden))[-1][1].alerts
        )

    def test_long_blinks_with_perclos(self) -> None:
        slow = [(8, ROAD | {"perclos": 0.09}), (0.7, CLOSED | {"perclos": 0.09})] * 4
        assert reached(watch(*slow), DROWSY, Level.NOTICE) is not None

    def test_nothing_is_said_before_the_eyes_are_known(self) -> None:
        played = watch((5, ROAD | {"perclos": 0.3}), known=0.5)
        assert played[-1][1].reasons[Aspect.DROWSY].state is Condition.LEARNING


class TestUnresponsive:
    def test_slumped(self) -> None:
        played = watch((5, ROAD), (12, {"slumped": True, "seen": False}))
        assert reached(played, GONE, Level.WARNING) == pytest.approx(10, abs=0.5)
        assert reached(played, GONE, Level.CRITICAL) == pytest.approx(15, abs=0.5)

    def test_falling_asleep(self) -> None:
        nodding = {"gaze": None, "openness": None, "head": (0.0, -45.0)}
        played = watch((5, ROAD), (1.2, CLOSED), (12, nodding))
        assert reached(played, EYES, Level.CRITICAL) == pytest.approx(8, abs=0.4)
        assert reached(played, AWAY, Level.WARNING) == pytest.approx(9.7, abs=0.5)
        assert reached(played, GONE, Level.CRITICAL) == pytest.approx(16.2, abs=0.6)
        loudest = [status.reason for now, status in played if now > 16.5]
        assert set(loudest) == {GONE}

    def test_a_face_that_does_not_come_back_after_an_alert(self) -> None:
        played = watch((5, ROAD), (2, CLOSED), (12, NO_FACE), (3, ROAD))
        assert reached(played, GONE, Level.CRITICAL) == pytest.approx(7 + 10, abs=0.5)
        assert played[-1][1].alerts == {}

    def test_where_it_is_not_watched_an_unanswered_alert_still_escalates(self) -> None:
        played = watch((5, ROAD), (2, CLOSED), (12, NO_FACE), aspects={Aspect.EYES})
        assert reached(played, GONE, Level.CRITICAL) is not None
        assert ever(watch((5, ROAD), (20, {"slumped": True}), aspects={Aspect.EYES})) == set()


class TestSideBySide:
    def test_a_call_while_looking_ahead_stays_a_distraction(self) -> None:
        played = watch((5, ROAD), (10, ROAD | {"phone": 0.9, "hands_on_wheel": False}))
        assert reached(played, LONG, Level.WARNING) == pytest.approx(8.5, abs=1.0)
        assert AWAY not in ever(played)

    def test_looking_ahead_with_both_hands_on_the_wheel_is_evidence(self) -> None:
        doubtful = {"phone": 0.75}
        assert LONG in ever(watch((5, ROAD), (10, doubtful)))
        assert ever(watch((5, ROAD), (10, doubtful | {"hands_on_wheel": True}))) == set()
        # Not while the driver looks elsewhere, and not against what is sure.
        assert LONG in ever(watch((5, ROAD), (10, doubtful | LAP | {"hands_on_wheel": True})))
        assert LONG in ever(watch((5, ROAD), (10, {"phone": 0.97, "hands_on_wheel": True})))

    def test_texting_is_both(self) -> None:
        played = watch((5, ROAD), (6, LAP | {"phone": 0.95}))
        assert {LONG, AWAY} <= ever(played)
        assert list(played[-1][1].alerts.values()) == sorted(played[-1][1].alerts.values(), reverse=True)

    def test_the_loudest_leads(self) -> None:
        played = watch((5, ROAD), (4, ROAD | {"phone": 0.95}), (4, CLOSED | {"phone": 0.95}))
        assert played[-1][1].reason is EYES

    def test_what_is_not_watched_never_alerts(self) -> None:
        script = [(5, ROAD), (8, LAP | {"phone": 0.95}), (5, CLOSED | {"perclos": 0.4})]
        assert ever(watch(*script, aspects={Aspect.GAZE})) == {AWAY}
        assert ever(watch(*script, aspects={Aspect.EYES})) == {EYES}
        assert set(watch(*script, aspects={Aspect.GAZE})[-1][1].reasons) == {Aspect.GAZE}
        assert set(watch(*script)[-1][1].reasons) == set(ALL)

    def test_a_clock_that_is_set_back_and_a_pause_of_the_looks(self) -> None:
        from edge_c2vl.monitoring.face_look import FaceLook
        from edge_c2vl.monitoring.policy import Observation, Policy

        policy = Policy(["phoning"], aspects=ALL)
        for now in (100.0, 100.25, 5.0, 5.25, 60.0):
            looks = (FaceLook(now - 0.1, True, (80.0, 0.0), (80.0, 0.0), 1.0, 1.0, 1.0), FaceLook(now, True))
            status = policy.update(Observation(now, 0.0, 1.0, True, {"attentive": 0.9, "phoning": 0.1}, looks=looks))
        assert set(status.alerts) <= {Reason.CANNOT_SEE}

    def test_what_stood_ends_where_the_face_path_fails(self) -> None:
        played = watch((5, ROAD), (5, LAP), (5, NO_FACE | {"failed": True}))
        assert AWAY in ever(played)
        assert played[-1][1].alerts == {}
        sunk = watch((5, ROAD), (12, NO_FACE | {"failed": True, "slumped": True}))
        assert reached(sunk, GONE, Level.CRITICAL) == pytest.approx(15, abs=0.6)

    def test_nobody_in_view_is_told_apart_from_a_face_that_is_not_seen(self) -> None:
        script = [(3, NO_FACE | {"slumped": None}), (3, NO_FACE | {"slumped": None, "unseen_s": 3.0})]
        played = watch(*script)
        assert state_of(played, Aspect.UNRESPONSIVE, 2.5).state is Condition.CANNOT_SEE
        assert state_of(played, Aspect.UNRESPONSIVE, 5.5).state is Condition.OUT_OF_VIEW

    def test_a_face_path_that_fails_is_told(self) -> None:
        from edge_c2vl.monitoring.policy import Observation, Policy

        policy = Policy(["phoning"], aspects=ALL)
        seen = Observation(0.0, 0.0, 1.0, True, {"attentive": 0.9, "phoning": 0.1}, face_failed=True)
        status = policy.update(seen)
        assert {aspect for aspect, one in status.reasons.items() if one.state is Condition.FAILED} == {
            Aspect.GAZE,
            Aspect.EYES,
            Aspect.DROWSY,
        }

    @pytest.mark.parametrize("wrong", [{"eyes_notice_s": 9.0}, {"road_yaw_deg": 80.0}, {"perclos_tired": 0.5}])
    def test_limits_that_contradict_each_other(self, wrong) -> None:
        with pytest.raises(ValueError, match="at most|lie within"):
            PolicySettings(**wrong)
