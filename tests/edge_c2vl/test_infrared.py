"""Brightening: what becomes of dark pictures, and when `auto` brightens."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_c2vl.infrared import Brightener, full_scale, look


def scene(brightness=0.5, colour=False, seed=0):
    """A smooth picture of the given mean (share of white)."""
    rng = np.random.default_rng(seed)
    picture = cv2.GaussianBlur(rng.random((96, 128)).astype(np.float32), (0, 0), 6)
    picture = (picture - picture.min()) / np.ptp(picture)
    picture *= brightness / picture.mean() * 255
    channels = [picture * share for share in ((0.5, 0.8, 1.0) if colour else (1, 1, 1))]
    return np.dstack(channels).clip(0, 255).astype(np.uint8)


def active(mode, pictures, fps=30):
    brightener = Brightener(mode)
    states = []
    for index, picture in enumerate(pictures):
        brightener.apply(picture, index / fps)
        states.append(brightener.active)
    return states


class TestBrightening:
    def test_a_dark_picture_fills_the_range(self):
        dark = scene(0.05)
        bright = Brightener("ir").apply(dark, 0.0)
        assert dark.max() < 40
        assert np.percentile(bright, 98) > 200
        assert bright.mean() > 5 * dark.mean()

    def test_rgb_leaves_a_picture_as_it_is(self):
        assert (Brightener("rgb").apply(scene(0.05, colour=True), 0.0) == scene(0.05, colour=True)).all()

    def test_what_was_brighter_stays_brighter_on_the_whole(self):
        dark = scene(0.05)
        bright = Brightener("ir").apply(dark, 0.0)
        assert np.corrcoef(dark[..., 0].ravel(), bright[..., 0].ravel())[0, 1] > 0.8

    def test_noise_alone_is_not_blown_up_to_full_contrast(self):
        noise = np.random.default_rng(0).integers(3, 6, (96, 128), np.uint8)
        assert Brightener("ir").apply(noise, 0.0).std() < 60

    def test_12_bit_pictures_keep_what_8_bits_would_lose(self):
        """64 values between 0 and 63 of 4095 are 4 values in 8 bits."""
        deep = np.tile(np.arange(64, dtype=np.uint16), (64, 2))
        deep[0, 0] = 4095
        assert len(np.unique(Brightener("ir").apply(deep, 0.0))) > 40

    def test_brightness_does_not_flicker(self):
        """A head that comes near and goes changes the percentiles of a frame, not the look of the rest."""
        brightener, levels = Brightener("ir"), []
        for index in range(90):
            picture = scene(0.05)
            if index % 2:
                picture[:24, :32] = 255
            levels.append(brightener.apply(picture, index / 30)[48:].mean())
        settled = np.array(levels[45:])
        assert np.abs(np.diff(settled)).max() < 3

    def test_a_lasting_change_is_followed_within_two_seconds(self):
        brightener = Brightener("ir")
        for index in range(30):
            brightener.apply(scene(0.02), index / 30)
        at_once = brightener.apply(scene(0.08), 1.0).mean()
        for index in range(60):
            later = brightener.apply(scene(0.08), 1 + index / 30).mean()
        alone = Brightener("ir").apply(scene(0.08), 0.0).mean()
        assert abs(later - alone) < 6 < abs(at_once - alone)

    @settings(max_examples=60, deadline=None)
    @given(
        hnp.arrays(
            st.sampled_from([np.uint8, np.uint16]),
            st.sampled_from([(16, 16), (17, 33), (16, 16, 3), (480, 20)]),
            elements=st.integers(0, 255),
            fill=st.integers(0, 255),
        ),
        st.sampled_from(["rgb", "ir", "auto"]),
        st.floats(-1e9, 1e9),
    )
    def test_any_picture_becomes_bgr8_of_its_size(self, picture, mode, timestamp_s):
        brightener = Brightener(mode)
        for _ in range(2):
            result = brightener.apply(picture, timestamp_s)
            assert result.dtype == np.uint8
            assert result.shape == (*picture.shape[:2], 3)


class TestInfrared:
    def test_dark_is_brightened_whatever_its_colour(self):
        """Sensors without an infrared-cut filter see purple."""
        assert active("ir", [scene(0.06, colour=True)]) == [True]

    def test_bright_is_left_as_it_is(self):
        assert active("ir", [scene(0.5)]) == [False]


class TestAuto:
    @pytest.mark.parametrize(
        ("picture", "expected"),
        [(scene(0.06), True), (scene(0.06)[..., 0], True), (scene(0.5), False), (scene(0.06, colour=True), False),
         (scene(0.4, colour=True), False), (np.zeros((64, 64, 3), np.uint8), True)],
        ids=["gray and dark", "one channel", "gray, bright", "colour, dark", "colour, bright", "black"],
    )  # fmt: skip
    def test_gray_and_dark_is_brightened(self, picture, expected):
        assert active("auto", [picture]) == [expected]

    def test_dark_in_16_bits(self):
        deep = scene(0.06)[..., 0].astype(np.uint16) * 16
        deep[0, 0] = 4095
        assert active("auto", [deep]) == [True]

    @pytest.mark.parametrize("between", [0.11, 0.13, 0.15])
    def test_between_the_thresholds_it_stays_as_it_was(self, between):
        assert active("auto", [scene(0.06)] + [scene(between)] * 300)[-1] is True
        assert active("auto", [scene(0.5)] + [scene(between)] * 300)[-1] is False

    def test_it_does_not_flip_from_frame_to_frame(self):
        rng = np.random.default_rng(0)
        states = active("auto", [scene(0.10 + rng.uniform(-0.05, 0.05)) for _ in range(150)])
        assert sum(a != b for a, b in itertools.pairwise(states)) <= 1

    def test_one_black_frame_changes_nothing(self):
        pictures = [scene(0.5)] * 30 + [np.zeros((96, 128, 3), np.uint8)] + [scene(0.5)] * 30
        assert not any(active("auto", pictures))

    def test_a_tunnel_switches_it_on_and_off_again(self):
        states = active("auto", [scene(0.5)] * 60 + [scene(0.04)] * 90 + [scene(0.5)] * 90)
        assert (states[59], states[149], states[-1]) == (False, True, False)
        assert sum(a != b for a, b in itertools.pairwise(states)) == 2


@pytest.mark.parametrize(
    ("brightest", "white"), [(200, 1023), (1023, 1023), (1024, 4095), (5000, 16383), (16384, 65535), (65535, 65535)]
)
def test_full_scale_is_that_of_the_fewest_bits(brightest, white):
    assert full_scale(np.array([[0, brightest]], np.uint16)) == white


def test_look_of_a_known_picture():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:] = (51, 77, 102)
    brightness, colour = look(picture, 255)
    assert brightness == pytest.approx(0.4)
    assert colour == pytest.approx(51 / 103)


def test_white_that_the_layout_tells_counts_more_than_the_brightest_pixel():
    """V4L2's Y12: 12 bits in 16-bit words. A dark picture is not taken for one of 10 bits."""
    image = np.full((32, 32), 400, np.uint16)
    assert Brightener("rgb").apply(image, 0.0, white=4095.0).mean() == pytest.approx(400 / 4095 * 255, abs=1)
    assert Brightener("rgb").apply(image, 0.0).mean() == pytest.approx(400 / 1023 * 255, abs=1)
