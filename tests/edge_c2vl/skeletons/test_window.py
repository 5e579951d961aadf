"""Clips cut from sequences, and the window that feeds them live."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.skeletons.clip import ClipBuffer, ClipSpec, make_clip
from edge_c2vl.skeletons.skeleton import ARMS, NTU25, normalise


@pytest.fixture
def recording():
    generator = np.random.default_rng(1)
    frames = generator.uniform(-1, 1, (1, 25, 4)) + np.cumsum(generator.normal(0, 0.01, (200, 25, 4)), axis=0)
    frames[..., 3] = 0.9
    return frames.astype(np.float32), np.arange(200) / 30


def test_a_live_window_gives_the_clip_of_the_recording(recording):
    frames, stamps = recording
    spec = ClipSpec()
    window = ClipBuffer(spec, "ntu25")
    for index, (frame, stamp) in enumerate(zip(frames, stamps, strict=True)):
        window.add(stamp, frame)
        if index in (10, 89, 90, 150, 199):
            whole = make_clip(frames[: index + 1], stamps[: index + 1], stamp, spec)
            live = window.clip()
            np.testing.assert_array_equal(live.data, whole.data)
            assert (live.arms, live.confidence) == (whole.arms, whole.confidence)


def test_what_was_not_the_driver_is_forgotten(recording):
    frames, stamps = recording
    spec, kept = ClipSpec(), frames.copy()
    kept[(stamps < 2.0) | (stamps >= 4.0)] = 0
    window = ClipBuffer(spec, "ntu25")
    for frame, stamp in zip(frames[:150], stamps[:150], strict=True):
        window.add(stamp, frame)
    window.forget(before_s=2.0)
    window.forget(from_s=4.0)
    whole = make_clip(kept[:150], stamps[:150], stamps[149], spec)
    np.testing.assert_array_equal(window.clip().data, whole.data)
    window.forget()
    np.testing.assert_array_equal(window.clip().data, whole.data)


def test_the_head_is_told_as_a_share_of_the_window(recording):
    frames, stamps = recording
    hidden = frames.copy()
    hidden[stamps < 5.0, NTU25.index("head")] = 0
    clip = make_clip(hidden, stamps, stamps[-1], ClipSpec())
    assert clip.head == pytest.approx((stamps[-1] - 5.0) / 3.0, abs=0.05)
    assert clip.arms == 1.0


def test_clip_at_the_frames_own_times_is_the_normalised_sequence(recording):
    frames, _ = recording
    spec = ClipSpec(frames=61, seconds=2.0)
    clip = make_clip(frames[:61], np.arange(61) / 30, 2.0, spec)
    np.testing.assert_allclose(clip.data, normalise(frames[:61], 2)[..., :3].transpose(2, 0, 1), atol=1e-4)
    assert clip.data.shape == (3, 61, 25)
    assert clip.data.dtype == np.float32
    assert clip.span_s == pytest.approx(2.0)


@pytest.mark.parametrize("absent", [True, False], ids=["out of view until then", "a run that begins then"])
def test_what_was_seen_of_a_young_window_is_stretched(recording, absent):
    # Missing first frames looked to the default bundle's encoder like distraction, whatever came after them.
    frames, stamps = recording
    since = 154  # 1.5 s before the end
    seen = frames.copy()
    seen[:since] = 0
    given = (seen, stamps) if absent else (seen[since:], stamps[since:])
    clip = make_clip(*given, stamps[-1], ClipSpec(frames=46))
    alone = make_clip(frames[since:], stamps[since:], stamps[-1], ClipSpec(frames=46, seconds=1.5))
    np.testing.assert_allclose(clip.data, alone.data, atol=1e-5)
    assert (clip.data != 0).any(axis=(0, 2)).all()
    # How much was seen is still told of the whole window.
    assert clip.arms == pytest.approx(0.5)
    assert alone.arms == pytest.approx(1)


def test_a_gap_within_the_window_is_left_open(recording):
    frames, stamps = recording
    gap = frames.copy()
    gap[150:180] = 0
    clip = make_clip(gap, stamps, stamps[-1], ClipSpec())
    assert 15 <= (clip.data == 0).all(axis=(0, 2)).sum() <= 25
    assert (clip.data[:, 0] != 0).any()


def test_joints_the_training_data_lacked_are_masked(recording):
    frames, stamps = recording
    spec = ClipSpec(joints=tuple(j for j in NTU25.joints if j != "left_hand"))
    clip = make_clip(frames, stamps, stamps[-1], spec)
    assert not clip.data[:, :, NTU25.index("left_hand")].any()
    assert clip.data[:, :, NTU25.index("right_hand")].any()


def test_arms_are_counted_by_the_confidence_threshold(recording):
    frames, stamps = recording
    frames = frames.copy()
    frames[:, ARMS, 3] = 0.4
    assert make_clip(frames, stamps, stamps[-1], ClipSpec()).arms == 0
    assert make_clip(frames, stamps, stamps[-1], ClipSpec(min_confidence=0.3)).arms == 1


def test_nobody_in_view_gives_an_empty_clip():
    window = ClipBuffer(ClipSpec(), "mediapipe33")
    for index in range(100):
        window.add(index / 30, None)
    clip = window.clip()
    assert not clip.data.any()
    assert (clip.arms, clip.confidence) == (0, 0)


def test_frames_that_are_not_later_are_dropped(recording):
    frames, stamps = recording
    once, repeated = ClipBuffer(ClipSpec(), "ntu25"), ClipBuffer(ClipSpec(), "ntu25")
    for frame, stamp in zip(frames, stamps, strict=True):
        once.add(stamp, frame)
        repeated.add(stamp, frame)
        repeated.add(stamp, frame * 5)
        repeated.add(stamp - 0.01, frame * 5)
    np.testing.assert_array_equal(once.clip().data, repeated.clip().data)


def test_the_window_forgets_what_it_no_longer_needs(recording):
    frames, _ = recording
    window = ClipBuffer(ClipSpec(seconds=1.0), "ntu25")
    for index in range(1000):
        window.add(index / 30, frames[index % 200])
    assert len(window._frames) <= 32


def test_an_empty_window_has_no_clip():
    with pytest.raises(ValueError, match="no frame"):
        ClipBuffer(ClipSpec(), "ntu25").clip()


def test_clip_spec_survives_json():
    spec = ClipSpec(frames=32, joints=("head", "neck"))
    assert ClipSpec.from_json(spec.to_json()) == spec
