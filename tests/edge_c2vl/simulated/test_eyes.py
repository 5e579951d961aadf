"""The drawn driver's eyes: when they close, where they look, and that both can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.simulated.body import turned
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.eyes import REACH_DEG, Blinks, forward, in_head, openness
from edge_c2vl.simulated.motion import Motion
from edge_c2vl.simulated.scripts import once


def closed_for(motion: Motion, seconds: float) -> list[float]:
    """Lengths of the closures."""
    lids = np.array([motion.at(index / 100).posture.lids for index in range(int(seconds * 100))])
    edges = np.flatnonzero(np.diff(np.r_[0, lids < 0.3, 0].astype(int)))
    return [(end - start) / 100 for start, end in zip(edges[::2], edges[1::2], strict=True)]


def test_blinks_are_short_and_repeat() -> None:
    lids = [Blinks(5).openness(index / 100) for index in range(6000)]
    assert lids == [Blinks(5).openness(index / 100) for index in range(6000)]
    assert min(lids) < 0.05
    assert 0.02 < np.mean(np.array(lids) < 0.5) < 0.1
    assert lids != [Blinks(6).openness(index / 100) for index in range(6000)]


def test_a_closure_is_as_long_as_it_was_asked_for() -> None:
    lids = np.array([openness(index / 100, 1.0, 2.5) for index in range(400)])
    assert (lids < 0.5).sum() / 100 == pytest.approx(1.5, abs=0.04)
    assert lids[[50, 200, 390]] == pytest.approx([1, 0, 1])


@pytest.mark.parametrize("head", [(0, 0, 0), (30, 10, 0), (-20, -10, 5)])
@pytest.mark.parametrize("gaze", [(0, 0), (10, 15), (-15, 0)])
def test_eyes_look_where_they_are_told_whatever_the_head_does(head, gaze) -> None:
    eyes = in_head(gaze, head)
    assert np.hypot(*eyes) <= REACH_DEG + 1e-6
    if np.hypot(*eyes) < REACH_DEG - 1:
        assert turned(head[1], head[2], head[0]) @ forward(eyes) == pytest.approx(forward(gaze), abs=1e-5)


def test_an_attentive_driver_only_blinks_a_drowsy_one_nods_off_and_one_who_sleeps_sleeps() -> None:
    awake, drowsy, asleep = (
        closed_for(Motion(make_driver(1), once([activity], 60)), 60) for activity in ("attentive", "drowsy", "asleep")
    )
    assert 10 <= len(awake) <= 20
    assert max(awake) < 0.4
    assert sum(length > 1 for length in drowsy) >= 3
    assert sum(length > 3 for length in asleep) >= 5


def test_somebody_who_looks_down_looks_down_most_of_the_time() -> None:
    motion = Motion(make_driver(1), once(["looking_down"], 40))
    down = [motion.at(index / 5).posture for index in range(200)]
    assert np.mean([posture.head[1] > 20 and posture.eyes[1] > 10 for posture in down]) > 0.6


def test_who_commutes_looks_elsewhere_often_and_never_for_long() -> None:
    motion = Motion(make_driver(1), once(["commuting"], 120))
    postures = [motion.at(index / 10).posture for index in range(1200)]
    looks = [turned(p.head[1], p.head[2], p.head[0]) @ forward(p.eyes) for p in postures]
    away = np.array([np.degrees(np.arccos(look @ forward((0.0, 5.0)))) > 20 for look in looks])
    edges = np.flatnonzero(np.diff(np.r_[0, away, 0].astype(int)))
    lengths = (edges[1::2] - edges[::2]) / 10
    assert len(lengths) >= 10
    assert max(lengths) < 2.0
    assert max(posture.mouth for posture in postures) < 1.2
