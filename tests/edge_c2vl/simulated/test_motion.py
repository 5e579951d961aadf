"""Activities and motion: all of Drive&Act's names, repeatable, without jumps."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.simulated.activities import MIDLEVEL
from edge_c2vl.simulated.body import solve
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.motion import Motion
from edge_c2vl.simulated.scripts import STORY, everyday, named, once, playlist, story


def test_the_activities_are_those_of_the_label_files(data_dir: Path) -> None:
    path = data_dir / "drive-act" / "midlevel.chunks_90.split_0.train.kinect_color.csv"
    with path.open() as file:
        assert {row["activity"] for row in csv.DictReader(file)} == set(MIDLEVEL)


def test_a_moment_does_not_depend_on_what_was_asked_before() -> None:
    driver = make_driver(3)
    forwards, backwards = Motion(driver, everyday(1)), Motion(driver, everyday(1))
    times_s = [0.0, 0.4, 7.3, 12.1, 33.3, 60.0]
    first = [forwards.at(time_s) for time_s in times_s]
    second = [backwards.at(time_s) for time_s in times_s[::-1]][::-1]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.posture.to_array(), other.posture.to_array())
        assert (one.activity, one.props, one.worn) == (other.activity, other.props, other.worn)


def test_drivers_differ_in_size_and_in_what_they_do() -> None:
    drivers = [make_driver(number) for number in range(1, 16)]
    assert len({driver.build for driver in drivers}) == 15
    assert max(d.build.stature for d in drivers) - min(d.build.stature for d in drivers) > 0.15
    assert len({driver.habits for driver in drivers}) > 10
    wrists = {tuple(Motion(d, once(["drinking"], 5)).at(3.0).posture.right.wrist.tolist()) for d in drivers}
    assert len(wrists) == 15
    assert make_driver(4) == make_driver(4)
    assert make_driver(4) != make_driver(4, seed=1)


@pytest.mark.parametrize("activity", MIDLEVEL)
def test_no_joint_jumps(activity: str) -> None:
    """Between pictures, and from one activity to the next. 6 m/s is a fast reach (Flash and Hogan: 1 to 2 m/s)."""
    driver = make_driver(2)
    motion = Motion(driver, once([activity, "attentive"], 2.5))
    places = []
    for number in range(int(4.0 * 30)):
        joints = solve(driver.build, motion.at(number / 30).posture).joints
        places.append([joints[name] for name in ("left_wrist", "right_wrist", "nose", "left_elbow", "right_elbow")])
    assert np.linalg.norm(np.diff(places, axis=0), axis=-1).max() * 30 < 6.0


def test_hands_do_what_the_activity_says() -> None:
    driver = make_driver(1)
    for activity, near in (("talking_on_phone", "ear"), ("drinking", "mouth")):
        motion = Motion(driver, once([activity], 30))
        closest = np.inf
        for number in range(150):
            joints = solve(driver.build, motion.at(number / 5).posture).joints
            targets = [joints[f"{side}_{near}"] for side in ("left", "right")]
            hands = [joints[f"{side}_index"] for side in ("left", "right")]
            closest = min(closest, *(float(np.linalg.norm(t - h)) for t in targets for h in hands))
        assert closest < 0.14


def test_a_script_is_played_in_order_and_its_last_moment_stays() -> None:
    motion = Motion(make_driver(1), once(["drinking", "eating"], 2.0))
    assert [motion.at(time_s).activity for time_s in (0.0, 1.99, 2.01, 3.9, 50.0)] == [
        "drinking", "drinking", "eating", "eating", "eating",
    ]  # fmt: skip
    assert [(segment.start_s, segment.end_s) for segment in motion.segments] == [(0, 2), (2, 4)]


def test_the_story_is_attentive_phone_attentive_within_a_minute() -> None:
    assert [name for name, _ in STORY] == ["attentive", "talking_on_phone", "attentive"]
    assert sum(seconds for _, seconds in STORY) <= 60
    motion = Motion(make_driver(1), story())
    assert [motion.at(time_s).activity for time_s in (5, 25, 45, 60)] == [
        "attentive", "talking_on_phone", "attentive", "attentive",
    ]  # fmt: skip


def test_object_level_covers_the_time_once() -> None:
    motion = Motion(make_driver(1), once(["drinking", "fetching_an_object", "sitting_still"], 6.0))
    stretches = motion.actions(18.0)
    assert stretches[0][0] == 0
    assert stretches[-1][1] == 18.0
    for (_, end, first), (start, _, second) in itertools.pairwise(stretches):
        assert end == start
        assert first != second or start in (6.0, 12.0)


def test_an_endless_motion_keeps_its_memory_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_c2vl.simulated.motion._KEPT", 10)
    motion = Motion(make_driver(1), playlist(["drinking", "texting"], 3.0))
    assert motion.at(200.0).activity in ("drinking", "interacting_with_phone")
    assert len(motion._knots) <= 21


def test_unknown_activities_are_named() -> None:
    assert named("texting") == "interacting_with_phone"
    with pytest.raises(UsageError, match="knows no activity 'dancing'; it knows .*drinking"):
        named("dancing")
