"""Images, folders and globs."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.cameras.images import natural_order
from tests.support.camera_files import read_all, write_image


class TestImages:
    def test_a_folder_in_natural_order(self, tmp_path):
        for number in (10, 9, 1, 100):
            write_image(tmp_path / f"frame_{number}.png", np.full((32, 32), number, np.uint8))
        (tmp_path / "notes.txt").write_text("no image")
        frames = read_all(tmp_path, fps=10, mode="rgb")
        assert [frame.image[0, 0, 0] for frame in frames] == [1, 9, 10, 100]
        assert [frame.timestamp_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])

    def test_a_glob(self, tmp_path):
        for name in ("a1.png", "a2.png", "b1.png"):
            write_image(tmp_path / name, np.zeros((32, 32), np.uint8))
        assert len(read_all(tmp_path / "a*.png")) == 2

    def test_one_image_whose_name_looks_like_a_glob(self, tmp_path):
        assert len(read_all(write_image(tmp_path / "a[1].png", np.zeros((32, 32), np.uint8)))) == 1

    @pytest.mark.parametrize("suffix", ["png", "tiff"])
    @pytest.mark.parametrize("bits", [10, 12, 14, 16])
    def test_16_bit_files(self, tmp_path, suffix, bits):
        ramp = np.tile(np.linspace(0, 2**bits - 1, 64).astype(np.uint16), (48, 1))
        image = read_all(write_image(tmp_path / f"deep.{suffix}", ramp), mode="rgb")[0].image
        assert image.dtype == np.uint8
        assert image[0, :, 0] == pytest.approx(np.linspace(0, 255, 64), abs=1)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_gray_colour_and_alpha_become_bgr(self, tmp_path, channels, dtype):
        values = [200, 120, 40, 128][:channels]
        image = np.full((32, 32, channels), values, dtype) * dtype(257 if dtype == np.uint16 else 1)
        frame = read_all(write_image(tmp_path / "a.png", image), mode="rgb")[0]
        expected = values[:3] if channels > 1 else values * 3
        assert frame.image.shape == (32, 32, 3)
        assert frame.image[0, 0].tolist() == pytest.approx(expected, abs=1)

    @pytest.mark.parametrize(
        ("names", "expected"), [(["b2", "b10", "a3"], ["a3", "b2", "b10"]), (["2", "010", "1"], ["1", "2", "010"])]
    )
    def test_natural_order(self, tmp_path, names, expected):
        assert [p.name for p in sorted((tmp_path / name for name in names), key=natural_order)] == expected
