"""What is no video and no image, stands in the place of one, or is called strangely."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import cv2
import numpy as np
import pytest

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.errors import CameraError, EdgeC2VLError
from tests.support.camera_files import ffmpeg, read_all, write_image


class TestNotAVideo:
    @pytest.fixture
    def bad(self, tmp_path):
        (tmp_path / "empty.mp4").touch()
        (tmp_path / "text.mp4").write_text("no video\n" * 100)
        (tmp_path / "text.png").write_text("no image")
        (tmp_path / "nothing").mkdir()
        good = write_image(
            tmp_path / "good.png", np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
        ).read_bytes()
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
            write_image(folder / f"{name}.png", np.full((32, 32), 10 * int(name), np.uint8))
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
        write_image(bad / "nothing" / "1.png", np.zeros((32, 32), np.uint8))
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
