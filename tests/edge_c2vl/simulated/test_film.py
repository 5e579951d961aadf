"""Pictures and the truth beside them: repeatable, and of one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.film import Film
from edge_c2vl.simulated.raster import Fragments, rasterise
from edge_c2vl.simulated.render import LOOKS
from edge_c2vl.simulated.scripts import once
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33

DRIVER = make_driver(1)
FACE = [MEDIAPIPE33.index(name) for name in ("nose", "left_eye", "right_eye", "left_mouth", "right_mouth")]


def film(camera: str, look: str | None = None, activity: str = "attentive", **options: Any) -> Film:
    view = VIEWS[camera]
    height = round(320 * view.height / view.width)
    return Film(DRIVER, once([activity], 10), view, look, 320, height, **options)


def test_the_same_time_gives_the_same_picture() -> None:
    """From two films that share nothing, asked in another order."""
    one, other = (Film(make_driver(2), once(["drinking"], 10), VIEWS["inner_mirror"], None, 320, 256) for _ in range(2))
    first = [one.image(time_s) for time_s in (0.5, 3.0)]
    second = [other.image(time_s) for time_s in (3.0, 0.5)][::-1]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != first[1]).any()


def test_the_rasteriser_that_is_given_draws_cabin_and_driver() -> None:
    sizes = []

    def counting(screen: np.ndarray, triangles: np.ndarray, width: int, height: int) -> Fragments:
        sizes.append((width, height))
        return rasterise(screen, triangles, width, height)

    drawn = film("inner_mirror", rasteriser=counting).image(1.0)
    assert sizes == [(320, 256)] * 2
    np.testing.assert_array_equal(drawn, film("inner_mirror").image(1.0))


@pytest.mark.parametrize("camera", VIEWS)
def test_the_picture_shows_what_the_truth_says(camera: str) -> None:
    """The depth that is drawn at the true place of a landmark of the face is that landmark's depth."""
    scene = film(camera, "depth")
    truth, gray = scene.truth(1.0), scene.image(1.0)[..., 0].astype(float)
    drawn = []
    for index in FACE:
        column, row = truth.pixels[index, 0], -truth.pixels[index, 1]
        assert truth.pixels[index, 3] == 1
        drawn.append(gray[int(row), int(column)] / 255 * 2.5)
    # Within 3 cm: one step of gray is 1 cm, and a landmark may lie on the far side of the nose.
    assert np.median(np.abs(np.array(drawn) - truth.camera[FACE, 2])) < 0.03


@pytest.mark.parametrize("camera", ["inner_mirror", "kinect_color", "steering_wheel"])
def test_the_truths_projection_is_the_cameras(camera: str) -> None:
    scene = film(camera)
    truth = scene.truth(2.0)
    expected = scene.view.project(truth.car)
    seen = truth.pixels[:, 3] > 0
    assert seen.sum() > 10
    np.testing.assert_allclose(truth.pixels[seen, 0], expected[seen, 0], atol=1e-3)
    np.testing.assert_allclose(-truth.pixels[seen, 1], expected[seen, 1], atol=1e-3)
    np.testing.assert_array_equal(truth.pixels[~seen], 0)
    inside = (expected[:, :2] >= 0).all(axis=1) & (expected[:, :2] < (scene.view.width, scene.view.height)).all(axis=1)
    np.testing.assert_array_equal(seen, inside)


def test_looks_are_what_they_are_called() -> None:
    pictures = {look: film("kinect_color", look).image(1.0).astype(int) for look in LOOKS}
    spread = {look: (image.max(axis=2) - image.min(axis=2)).mean() for look, image in pictures.items()}
    assert spread["rgb"] > 5
    assert spread["ir"] == spread["depth"] == spread["relief"] == 0
    # At night: darker, and most of all outside, where no lamp reaches.
    assert pictures["ir"].mean() < 0.75 * pictures["rgb"].mean()
    sky = pictures["rgb"].min(axis=2) > 225
    assert sky.mean() > 0.005
    assert pictures["ir"][sky].mean() < 8


def test_exposure_darkens_the_infrared_picture() -> None:
    full, dark = (film("inner_mirror", exposure=exposure).image(1.0).mean() for exposure in (1.0, 0.3))
    assert dark < 0.6 * full


@pytest.mark.parametrize("activity", ["reading_newspaper", "working_on_laptop", "opening_backpack", "drinking"])
def test_things_are_drawn(activity: str) -> None:
    scene = film("inner_mirror", "depth", activity)
    moment = scene.motion.at(2.0)
    assert moment.props
    with_things = scene.image(2.0)
    scene._pose = lambda time_s: (  # type: ignore[method-assign]
        type(moment)(moment.posture, (), moment.worn, moment.activity, moment.action),
        Film._pose(scene, time_s)[1],
    )
    assert (with_things != scene.image(2.0)).mean() > 0.002


def test_a_jacket_hides_the_shirt() -> None:
    figure = film("kinect_ir").figure
    bare, jacket = (figure.dressed(frozenset(worn))[0] for worn in ((), ("jacket",)))
    assert {tuple(t) for t in jacket.tolist()} != {tuple(t) for t in bare.tolist()}
    belted, faces = figure.dressed(frozenset({"belt"}))
    assert len(belted) > len(bare)
    assert 500 < faces.sum() < len(belted)


@pytest.mark.parametrize(("camera", "look"), [("kinect_color", "rgb"), ("inner_mirror", "ir")])
def test_mediapipe_finds_the_driver_near_the_truth(camera: str, look: str) -> None:
    """docs/simulated.md has the figures over all cameras and activities."""
    from edge_c2vl.pose import PoseEstimator

    view = VIEWS[camera]
    scene = Film(DRIVER, once(["attentive"], 10), view, look, 640, round(640 * view.height / view.width))
    joints = [MEDIAPIPE33.index(f"{side}_{name}") for side in ("left", "right") for name in ("shoulder", "elbow")]
    errors = []
    with PoseEstimator() as pose:
        for number in range(6):
            skeleton, truth = pose.estimate(scene.image(number / 5), number / 5), scene.truth(number / 5)
            assert skeleton is not None
            errors.append(np.hypot(*(skeleton[joints, :2] - truth.pixels[joints, :2]).T) / truth.shoulder_px)
    assert np.median(errors) < 0.2
