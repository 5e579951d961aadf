"""Kinematics: bones keep their lengths, hands go where they are sent, left and right are one another's mirror."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.simulated.body import Build, Hand, Posture, solve, unit
from edge_c2vl.skeletons.skeleton import DRIVEACT26, MEDIAPIPE33

BUILD = Build()


def posture(left: tuple[float, ...] = (0.3, 0.25, -0.2), right: tuple[float, ...] = (-0.3, 0.25, -0.2)) -> Posture:
    hands = [Hand(np.float32(wrist), unit([0, 0, -1]), unit([0, -1, 0])) for wrist in (left, right)]
    return Posture(hands[0], hands[1])


places = st.tuples(st.floats(-0.8, 0.8), st.floats(-0.3, 1.1), st.floats(-0.9, 0.6))
angles = st.tuples(*[st.floats(-40, 40)] * 3)


@settings(max_examples=60, deadline=None)
@given(places, places, angles, angles, st.floats(1.5, 2.0))
def test_bones_keep_their_lengths(
    left: tuple[float, ...], right: tuple[float, ...], lean: tuple[float, ...], head: tuple[float, ...], stature: float
) -> None:
    build = Build(stature)
    held = posture(left, right)
    skeleton = solve(build, Posture(held.left, held.right, lean=np.float32(lean), head=np.float32(head)))
    joints = skeleton.joints

    def length(a: str, b: str) -> float:
        return float(np.linalg.norm(joints[a] - joints[b]))

    for side in ("left", "right"):
        assert length(f"{side}_shoulder", f"{side}_elbow") == pytest.approx(build.upper_arm, abs=2e-4)
        assert length(f"{side}_elbow", f"{side}_wrist") == pytest.approx(build.forearm, abs=2e-4)
        assert length(f"{side}_hip", f"{side}_knee") == pytest.approx(build.thigh, abs=1e-4)
    for name, (_, axes) in skeleton.bones.items():
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-4, err_msg=name)
    assert all(np.isfinite(place).all() for place in joints.values())


def test_a_hand_within_reach_gets_where_it_is_sent() -> None:
    np.testing.assert_allclose(
        solve(BUILD, posture(left=(0.25, 0.3, -0.25))).joints["left_wrist"], (0.25, 0.3, -0.25), atol=1e-5
    )


def test_a_hand_out_of_reach_points_there() -> None:
    joints = solve(BUILD, posture(left=(0.2, 0.4, -3.0))).joints
    reach = np.linalg.norm(joints["left_wrist"] - joints["left_shoulder"])
    assert 0.95 * (BUILD.upper_arm + BUILD.forearm) < reach < BUILD.upper_arm + BUILD.forearm
    assert joints["left_wrist"][2] < joints["left_shoulder"][2] - 0.9 * reach


def test_left_and_right_are_mirrored() -> None:
    joints = solve(BUILD, posture(left=(0.2, 0.5, -0.3), right=(-0.2, 0.5, -0.3))).joints
    for name, place in joints.items():
        if name.startswith("left_"):
            other = joints[name.replace("left_", "right_")]
            np.testing.assert_allclose(place * (-1, 1, 1), other, atol=1e-5, err_msg=name)
            assert place[0] > 0


@pytest.mark.parametrize(
    ("lean", "head", "expected"),
    [
        ((20, 0, 0), (0, 0, 0), ("spine_shoulder", 2, -1)),  # leaning forward: to the front
        ((0, 20, 0), (0, 0, 0), ("spine_shoulder", 0, 1)),  # to the left
        ((0, 0, 20), (0, 0, 0), ("left_shoulder", 2, 1)),  # turned to the left: the left shoulder goes back
        ((0, 0, 0), (30, 0, 0), ("nose", 0, 1)),  # head to the left
        ((0, 0, 0), (0, 30, 0), ("nose", 1, -1)),  # nodding down
        ((0, 0, 0), (0, 0, 20), ("left_ear", 1, -1)),  # tilted to the left
    ],
)
def test_angles_turn_the_way_they_say(
    lean: tuple[float, ...], head: tuple[float, ...], expected: tuple[str, int, int]
) -> None:
    joint, axis, sign = expected
    held = posture()
    before = solve(BUILD, held).joints[joint][axis]
    after = solve(BUILD, Posture(held.left, held.right, lean=np.float32(lean), head=np.float32(head))).joints[joint][
        axis
    ]
    assert sign * (after - before) > 0.02


def test_a_posture_survives_being_an_array() -> None:
    held = posture()
    np.testing.assert_allclose(Posture.from_array(held.to_array()).to_array(), held.to_array(), atol=1e-6)


def test_all_joints_of_the_layouts_are_there() -> None:
    joints = solve(BUILD, posture()).joints
    assert set(MEDIAPIPE33.joints) <= set(joints)
    assert set(DRIVEACT26.joints) - {"background"} <= set(joints)
