"""Layouts, conversion, normalising, resampling, adjacency."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_c2vl.skeletons.resample import resample
from edge_c2vl.skeletons.skeleton import (
    ARMS,
    LAYOUTS,
    MEDIAPIPE33,
    NTU25,
    OPENPOSE25,
    ORIGIN,
    adjacency,
    body_unit,
    clean,
    mirror,
    normalise,
    to_ntu25,
)

anything = st.floats(width=32, allow_nan=True, allow_infinity=True)
layouts = st.sampled_from(list(LAYOUTS.values()))


def sequences(joints: int, elements: st.SearchStrategy[float] = anything) -> st.SearchStrategy[np.ndarray]:
    return st.integers(0, 6).flatmap(lambda frames: hnp.arrays(np.float32, (frames, joints, 4), elements=elements))


def person(frames: int = 12, seed: int = 0, missing: float = 0.0) -> np.ndarray:
    """A body with every joint apart from every other, moving a little; some joints missing at random."""
    generator = np.random.default_rng(seed)
    still = generator.uniform(-1, 1, (1, NTU25.size, 3))
    body = np.concatenate([still + 0.1 * generator.normal(size=(frames, NTU25.size, 3)), np.ones((frames, 25, 1))], 2)
    body[generator.random((frames, NTU25.size)) < missing] = 0
    return body.astype(np.float32)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_layout_is_consistent(layout):
    assert len(set(layout.joints)) == layout.size == len(layout.mirror)
    assert [layout.mirror[partner] for partner in layout.mirror] == list(range(layout.size))
    assert all(a != b for a, b in layout.bones)
    for joint, partner in zip(layout.joints, layout.mirror, strict=True):
        assert joint.startswith(("left_", "right_")) == (layout.joints[partner] != joint)


def test_sizes_are_the_published_ones():
    assert {name: layout.size for name, layout in LAYOUTS.items()} == {
        "ntu25": 25,
        "mediapipe33": 33,
        "openpose25": 25,
        "driveact26": 26,
        "kinect20": 20,
        "coco17": 17,
    }


def test_ntu25_order_is_the_published_one():
    # Shahroudy et al. (CVPR 2016), counting from 1: base of spine 1, head 4, right shoulder 9, thumb 25.
    assert [NTU25.joints[number - 1] for number in (1, 4, 9, 21, 25)] == [
        "spine_base",
        "head",
        "right_shoulder",
        "spine_shoulder",
        "right_thumb",
    ]


@settings(max_examples=60)
@given(st.data(), layouts)
def test_conversion_never_gives_nan_whatever_the_input(data, layout):
    result = to_ntu25(data.draw(sequences(layout.size)), layout)
    assert np.isfinite(result).all()
    assert ((result[..., 3] >= 0) & (result[..., 3] <= 1)).all()
    assert not result[result[..., 3] == 0].any()


def test_converting_ntu25_changes_nothing():
    body = person()
    np.testing.assert_array_equal(to_ntu25(body, "ntu25"), body)


def test_mediapipe_joints_are_derived_by_geometry():
    points = np.zeros((1, 33, 4), np.float32)
    where = {"left_shoulder": (2, 1), "right_shoulder": (-2, 1), "left_hip": (1, -5), "right_hip": (-1, -5)}
    where |= {"left_ear": (1, 4), "right_ear": (-1, 4), "nose": (0, 3.5)}
    where |= {"left_wrist": (3, 0), "left_index": (6, 0), "left_pinky": (6, 3)}
    for name, (x, y) in where.items():
        points[0, MEDIAPIPE33.index(name)] = (x, y, 0, 0.9)
    result = to_ntu25(points, "mediapipe33")[0]
    expected = {"spine_shoulder": (0, 1), "spine_base": (0, -5), "spine_mid": (0, -2), "head": (0, 3.5)}
    expected |= {"neck": (0, 2.5), "left_hand": (5, 1)}
    for name, xy in expected.items():
        np.testing.assert_allclose(result[NTU25.index(name)], (*xy, 0, 0.9), atol=1e-6, err_msg=name)
    for name in ("left_hand_tip", "right_hand", "left_elbow", "left_foot"):
        assert not result[NTU25.index(name)].any(), name


def test_a_joint_with_nothing_to_derive_it_from_is_missing_not_guessed():
    points = np.zeros((1, 25, 4), np.float32)
    points[0, OPENPOSE25.index("right_shoulder")] = (5, 5, 0, 1)
    result = to_ntu25(points, "openpose25")[0]
    assert (result[:, 3] > 0).sum() == 1


def test_derived_confidence_is_the_lowest_of_its_sources():
    points = np.zeros((1, 33, 4), np.float32)
    points[0, MEDIAPIPE33.index("left_hip")] = (1, 0, 0, 0.2)
    points[0, MEDIAPIPE33.index("right_hip")] = (-1, 0, 0, 0.8)
    assert to_ntu25(points, "mediapipe33")[0, NTU25.index("spine_base"), 3] == np.float32(0.2)


def test_conversion_refuses_another_number_of_joints():
    with pytest.raises(ValueError, match="33 joints.*25"):
        to_ntu25(np.zeros((1, 25, 4)), "mediapipe33")
    with pytest.raises(ValueError, match="no skeleton layout"):
        to_ntu25(np.zeros((1, 25, 4)), "coco")
    with pytest.raises(ValueError, match=r"\(T, V, 4\)"):
        clean(np.zeros((25, 4)))


@given(st.data(), layouts)
def test_mirroring_twice_is_the_identity(data, layout):
    body = data.draw(sequences(layout.size, st.floats(-9, 9, width=32)))
    np.testing.assert_array_equal(mirror(mirror(body, layout), layout), body)


def test_mirroring_exchanges_left_and_right():
    body = np.zeros((1, 25, 4), np.float32)
    body[0, NTU25.index("left_wrist")] = (2, 1, 0, 1)
    np.testing.assert_array_equal(mirror(body)[0, NTU25.index("right_wrist")], (-2, 1, 0, 1))


@settings(max_examples=50)
@given(
    st.integers(0, 50),
    st.floats(0.05, 500),
    hnp.arrays(np.float64, 3, elements=st.floats(-100, 100)),
    st.sampled_from([0.0, 0.3, 0.8]),
)
def test_normalising_undoes_translation_and_scale(seed, scale, shift, missing):
    body = person(seed=seed, missing=missing)
    moved = body.copy()
    # The shift is a few body sizes: float32 cannot tell a small body far away from the origin from a point.
    moved[..., :3] = (moved[..., :3] + shift / 20) * scale
    moved[body[..., 3] == 0] = 0
    np.testing.assert_allclose(normalise(moved), normalise(body), atol=2e-4)


@given(st.data(), st.sampled_from([2, 3]), st.booleans())
def test_normalising_never_gives_nan_whatever_the_input(data, dimensions, facing):
    result = normalise(data.draw(sequences(25)), dimensions, facing)
    assert np.isfinite(result).all()
    assert not result[result[..., 3] == 0].any()


@given(st.integers(0, 30), st.integers(0, 24))
def test_a_missing_joint_never_moves_a_present_one(seed, joint):
    body = person(seed=seed)
    hidden = body.copy()
    hidden[:, joint] = 0
    junk = body.copy()
    junk[:, joint] = (7777, -7777, 777, 0)
    # Coordinates beside a confidence of 0 say nothing ...
    np.testing.assert_array_equal(normalise(hidden), normalise(junk))
    np.testing.assert_array_equal(to_ntu25(hidden, "ntu25"), to_ntu25(junk, "ntu25"))
    times = np.linspace(0, 1, 7)
    stamps = np.linspace(0, 1, len(body))
    np.testing.assert_array_equal(resample(hidden, stamps, times), resample(junk, stamps, times))
    # ... and hiding one joint leaves every other where it was.
    others = np.arange(25) != joint
    seen, whole = resample(hidden, stamps, times)[:, others], resample(body, stamps, times)[:, others]
    np.testing.assert_array_equal(seen, whole)


def test_unit_survives_a_side_view():
    # Seen from the side the shoulders coincide in the picture; the upper arm and the trunk do not.
    front, side = np.zeros((2, 1, 25, 4), np.float32)
    points = {"left_shoulder": (1, 0), "right_shoulder": (-1, 0), "left_elbow": (1, -1.4), "right_elbow": (-1, -1.4)}
    points |= {"spine_shoulder": (0, 0), "spine_base": (0, -2.2)}
    for name, (x, y) in points.items():
        front[0, NTU25.index(name)] = (x, y, 0, 1)
        side[0, NTU25.index(name)] = (0, y, x, 1)
    assert body_unit(front) == pytest.approx(2, rel=0.05)
    side[..., 2] = 0
    assert body_unit(side) == pytest.approx(2, rel=0.05)


def test_facing_lays_the_shoulders_along_x_and_keeps_height():
    body = person(seed=3)
    body[:, NTU25.index("left_shoulder"), :3] = (0.1, 0.3, 0.5)
    body[:, NTU25.index("right_shoulder"), :3] = (0.2, 0.4, -0.5)
    upright = normalise(body, facing=True)
    across = upright[0, NTU25.index("right_shoulder")] - upright[0, NTU25.index("left_shoulder")]
    assert across[0] > 0
    assert across[2] == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(upright[..., 1], normalise(body)[..., 1], atol=1e-6)
    distance = np.linalg.norm(upright[:, None, :, :3] - upright[:, :, None, :3], axis=-1)
    plain = normalise(body)
    np.testing.assert_allclose(
        distance, np.linalg.norm(plain[:, None, :, :3] - plain[:, :, None, :3], axis=-1), atol=1e-5
    )


def test_normalising_without_shoulders_leaves_nothing():
    body = person()
    body[:, ORIGIN] = 0
    assert not normalise(body).any()


@given(
    hnp.arrays(np.float64, st.integers(2, 12), elements=st.floats(0, 3), unique=True),
    hnp.arrays(np.float64, st.integers(1, 9), elements=st.floats(0, 3)),
)
def test_resampling_is_exact_on_linear_motion(stamps, times):
    slope = np.arange(1, 76, dtype=np.float64).reshape(25, 3) / 10
    body = np.ones((len(stamps), 25, 4), np.float32)
    body[..., :3] = stamps[:, None, None] * slope
    result = resample(body, stamps, times, max_gap_s=10)
    inside = (times >= stamps.min()) & (times <= stamps.max())
    assert (result[inside, :, 3] == 1).all()
    np.testing.assert_allclose(result[inside, :, :3], (times[:, None, None] * slope)[inside], atol=2e-5)
    assert not result[~inside].any()


@given(st.data(), st.integers(0, 6))
def test_resampling_never_gives_nan_whatever_the_input(data, frames):
    body = data.draw(hnp.arrays(np.float32, (frames, 25, 4), elements=anything))
    stamps = data.draw(hnp.arrays(np.float64, frames, elements=st.floats(allow_nan=True, allow_infinity=True)))
    assert np.isfinite(resample(body, stamps, np.linspace(-1, 4, 9))).all()


def test_long_gaps_stay_missing_and_short_ones_are_interpolated():
    body = np.ones((6, 25, 4), np.float32)
    stamps = np.array([0.0, 0.1, 0.2, 0.3, 1.0, 1.1])
    body[..., 0] = stamps[:, None]
    body[1:3, 4] = 0  # joint 4: away for 0.3 s; every joint: no frame for 0.7 s
    result = resample(body, stamps, np.array([0.15, 0.6]), max_gap_s=0.4)
    assert result[0, 4, 0] == pytest.approx(0.15)
    assert result[0, 4, 3] == 1
    assert not result[1].any()


def test_of_frames_with_one_timestamp_the_last_counts():
    body = np.ones((3, 25, 4), np.float32)
    body[:, 0, 0] = (1, 2, 3)
    assert resample(body, [0.0, 0.0, 1.0], [0.0])[0, 0, 0] == 2


def test_adjacency_is_a_partition_of_the_graph():
    partition = adjacency()
    assert partition.shape == (3, 25, 25)
    whole = partition.sum(axis=0)
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-6)
    linked = {(a, b) for a, b in NTU25.bones} | {(b, a) for a, b in NTU25.bones} | {(j, j) for j in range(25)}
    assert {(int(a), int(b)) for a, b in zip(*np.nonzero(whole), strict=True)} == linked
    assert ((partition > 0).sum(axis=0) <= 1).all()
    # By hand: the right elbow is reached from the spine-shoulder joint over the right shoulder.
    elbow, shoulder, wrist = (NTU25.index(f"right_{name}") for name in ("elbow", "shoulder", "wrist"))
    assert partition[1, elbow, shoulder] > 0
    assert partition[2, elbow, wrist] > 0
    assert partition[0, elbow, elbow] > 0


def test_arms_are_elbows_and_wrists():
    assert [NTU25.joints[joint] for joint in ARMS] == ["left_elbow", "left_wrist", "right_elbow", "right_wrist"]


class TestFramesNobodyLookedAt:
    """Seen at 0 and 0.6 s, looked for every 0.1 s of a camera's 30 pictures a second."""

    def body(self, *seen: int) -> tuple[np.ndarray, np.ndarray]:
        frames = np.zeros((7, 25, 4), np.float32)
        for index in seen:
            frames[index] = [index, 0, 0, 1]
        return frames, np.arange(7) / 10

    def test_a_longer_gap_is_filled(self):
        frames, stamps = self.body(0, 6)
        unlooked_s = np.full(7, 2 / 30)
        assert not resample(frames, stamps, [0.3], 0.5).any()
        assert resample(frames, stamps, [0.3], 0.5, unlooked_s)[0, 0] == pytest.approx([3, 0, 0, 1], abs=1e-5)
        # But at most twice as long as the limit.
        assert not resample(frames, stamps, [0.3], 0.25, np.full(7, 0.2)).any()

    def test_a_joint_stays_for_as_long_as_nobody_looked(self):
        frames, stamps = self.body(3)
        times = [0.22, 0.25, 0.3, 0.35, 0.38]
        held = resample(frames, stamps, times, 0.5, np.full(7, 2 / 30))[:, 0]
        assert held[:, 3].tolist() == [0, 1, 1, 1, 0]
        assert held[1:4, 0].tolist() == [3, 3, 3]
        assert resample(frames, stamps, times, 0.5)[:, 0, 3].tolist() == [0, 0, 1, 0, 0]

    def test_where_every_frame_is_looked_at_nothing_changes(self):
        generator = np.random.default_rng(0)
        frames = generator.normal(size=(40, 25, 4)).astype(np.float32)
        frames[..., 3] = generator.random((40, 25)) > 0.7
        stamps, times = np.arange(40) / 30, np.linspace(-0.1, 1.5, 64)
        plain = resample(frames, stamps, times, 0.2)
        assert np.array_equal(plain, resample(frames, stamps, times, 0.2, np.zeros(40)))
