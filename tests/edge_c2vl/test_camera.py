"""Options, crops, URIs, and what happens to a picture between the source and the reader."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.camera import Camera, CameraOptions, check_crop, crop_pixels, parse_crop
from edge_c2vl.errors import CameraError, UsageError
from edge_c2vl.sources import Picture, Source, kind_of, redact


class Scripted(Source):
    """Gives the pictures it was made with."""

    def __init__(self, images, period_s=1 / 30):
        self.pictures = [Picture(image, index * period_s, 0.0) for index, image in enumerate(images)]
        self.fps = 1 / period_s
        self.reopen()

    def reopen(self):
        self.left = iter(self.pictures)

    def read(self):
        return next(self.left, None)

    def close(self):
        pass


def numbered(height=48, width=64):
    """A colour picture in which no two pixels are alike in B and G: B = column, G = row."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([columns, rows, np.full_like(rows, 100)]).astype(np.uint8)


def read_one(image, **options):
    return Camera("0", CameraOptions(mode="rgb", **options), Scripted([image])).read().image


class TestPreparing:
    def test_as_it_is(self):
        assert (read_one(numbered()) == numbered()).all()

    @pytest.mark.parametrize(("rotation", "corner"), [(90, (0, 47)), (180, (63, 47)), (270, (63, 0))])
    def test_rotation_is_clockwise(self, rotation, corner):
        image = read_one(numbered(), rotation=rotation)
        assert image.shape == ((64, 48, 3) if rotation != 180 else (48, 64, 3))
        assert tuple(image[0, 0, :2]) == corner

    def test_crop_in_pixels(self):
        image = read_one(numbered(), crop=(10, 20, 30, 18))
        assert image.shape == (18, 30, 3)
        assert tuple(image[0, 0, :2]) == (10, 20)

    def test_crop_in_shares_is_of_the_rotated_picture(self):
        image = read_one(numbered(), rotation=90, crop=(0.5, 0.25, 0.5, 0.5))
        assert image.shape == (32, 24, 3)
        assert tuple(image[0, 0, :2]) == (16, 23)

    def test_mirror_comes_after_the_crop(self):
        image = read_one(numbered(), crop=(0, 0, 20, 48), mirror=True)
        assert tuple(image[0, 0, :2]) == (19, 0)
        assert image.flags["C_CONTIGUOUS"]

    def test_scaled_to_the_size_asked_for(self):
        assert read_one(numbered(), width=32, height=32).shape == (32, 32, 3)

    @pytest.mark.parametrize("options", [{"width": 128}, {"height": 96}])
    def test_the_other_side_follows(self, options):
        assert read_one(numbered(), **options).shape == (96, 128, 3)

    def test_gray_pictures_become_bgr(self):
        gray = np.full((48, 64), 77, np.uint8)
        assert (read_one(gray) == 77).all()
        assert read_one(gray).shape == (48, 64, 3)

    @pytest.mark.parametrize("bits", [10, 12, 14, 16])
    def test_deep_pictures_fill_the_8_bits(self, bits):
        ramp = np.linspace(0, 2**bits - 1, 48 * 64).reshape(48, 64).astype(np.uint16)
        image = read_one(ramp)
        assert image.dtype == np.uint8
        assert (image.min(), image.max()) == (0, 255)

    def test_depth_is_remembered_so_that_a_dark_frame_stays_dark(self):
        bright = np.full((48, 64), 4000, np.uint16)
        camera = Camera("0", CameraOptions(mode="rgb"), Scripted([bright, bright // 8]))
        assert camera.read().image.mean() == pytest.approx(4000 / 4095 * 255, abs=1)
        assert camera.read().image.mean() == pytest.approx(500 / 4095 * 255, abs=1)

    def test_a_crop_beyond_the_picture_names_both(self):
        with pytest.raises(UsageError, match=r"crop 0,0,65,48 .*64x48"):
            read_one(numbered(), crop=(0, 0, 65, 48))

    def test_a_crop_of_a_few_pixels_is_refused(self):
        with pytest.raises(UsageError, match="16 are the least"):
            read_one(numbered(), crop=(0, 0, 8, 48))


def of_sizes(*sizes, **options):
    """A camera whose pictures have these sizes (width, height), one after the other."""
    images = [numbered(height, width) for width, height in sizes]
    return Camera("0", CameraOptions(mode="rgb", **options), Scripted(images))


class TestAnotherSize:
    """A camera that came back, or a stream of another quality. Blue is the column: it tells what is watched."""

    def test_a_crop_in_pixels_stays_on_its_seat(self, caplog):
        camera = of_sizes((200, 120), (100, 60), (200, 120), crop=(100, 20, 80, 100))
        first, smaller, again = camera.read().image, camera.read().image, camera.read().image
        assert (first.shape, smaller.shape) == ((100, 80, 3), (50, 40, 3))
        assert [int(image[0, 0, 0]) for image in (first, smaller, again)] == [100, 50, 100]
        assert "the picture is 100x60, and the crop was given for 200x120: it is scaled" in caplog.text

    def test_a_crop_that_the_smaller_picture_has_room_for_moves_too(self):
        camera = of_sizes((100, 60), (200, 120), crop=(50, 0, 50, 60))
        assert camera.read().image[0, 0, 0] == 50
        assert camera.read().image[0, 0, 0] == 100

    @pytest.mark.parametrize("crop", [(100, 0, 100, 120), (0.5, 0, 0.5, 1)])
    def test_another_shape_is_not_watched_and_that_is_told(self, crop, caplog):
        camera = of_sizes((200, 120), (160, 120), (160, 120), (200, 120), crop=crop)
        assert camera.read().image is not None
        assert [camera.read().image, camera.read().image] == [None, None]
        assert "160x120" in camera.misfit
        assert "NOT WATCHED" in camera.describe()
        assert caplog.text.count("nothing is watched") == 1
        assert camera.read().image[0, 0, 0] == 100
        assert camera.misfit == ""

    def test_it_is_remembered_over_a_reconnection(self):
        camera = of_sizes((200, 120), crop=(100, 0, 100, 120))
        camera.read()
        camera._source.pictures = of_sizes((160, 120))._source.pictures
        camera.reopen()
        assert camera.read().image is None

    def test_a_crop_that_would_leave_a_few_pixels_is_not_watched(self):
        camera = of_sizes((200, 120), (20, 12), crop=(100, 0, 100, 120))
        camera.read()
        assert camera.read().image is None
        assert "too few pixels" in camera.misfit

    @pytest.mark.parametrize("options", [{"width": 100}, {"width": 100, "height": 60}, {"rotation": 90}])
    def test_with_what_comes_before_the_crop(self, options):
        camera = of_sizes((200, 120), (100, 60), (200, 160), crop=(10, 20, 40, 40), **options)
        first, smaller, other = camera.read(), camera.read(), camera.read()
        assert abs(smaller.image.shape[0] / smaller.image.shape[1] - 1) < 0.1
        assert first.image.shape == (40, 40, 3)
        assert other.image is None

    def test_rows_that_an_encoder_adds_are_no_other_shape(self):
        camera = of_sizes((200, 120), (200, 122), crop=(100, 0, 100, 120))
        camera.read()
        assert camera.read().image is not None

    def test_without_a_crop_every_size_is_watched(self):
        camera = of_sizes((200, 120), (64, 48), (48, 1))
        assert [camera.read().image.shape[:2] for _ in range(3)] == [(120, 200), (48, 64), (1, 48)]

    def test_a_fresh_start_with_a_crop_that_does_not_fit_is_wrong_usage(self):
        with pytest.raises(UsageError, match="reaches beyond"):
            of_sizes((100, 60), crop=(100, 0, 100, 120)).read()


class TestFrameRate:
    @pytest.mark.parametrize(("rate", "asked", "kept"), [(30, 15, 30), (30, 20, 40), (30, 30, 60), (10, 30, 20)])
    def test_thinned_to_the_rate_asked_for(self, rate, asked, kept):
        camera = Camera("0", CameraOptions(fps=asked), Scripted([numbered()] * (2 * rate), 1 / rate))
        frames = list(iter(camera.read, None))
        assert abs(len(frames) - kept) <= 1
        assert [frame.index for frame in frames] == list(range(len(frames)))
        assert camera.fps == min(rate, asked)

    def test_jittering_timestamps_lose_no_frame(self):
        rng = np.random.default_rng(0)
        source = Scripted([numbered()] * 60)
        source.pictures = [Picture(p.image, p.timestamp_s + rng.uniform(-0.005, 0.005), 0) for p in source.pictures]
        source.reopen()
        assert len(list(iter(Camera("0", CameraOptions(fps=30), source).read, None))) == 60

    def test_time_that_starts_again_is_no_reason_to_wait(self):
        camera = Camera("0", CameraOptions(fps=15), Scripted([numbered()] * 30))
        first = len(list(iter(camera.read, None)))
        camera.reopen()
        assert len(list(iter(camera.read, None))) == first == 15

    @given(
        st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
        st.floats(0.5, 120),
    )
    def test_whatever_the_timestamps_some_frame_comes(self, stamps, fps):
        source = Scripted([numbered(16, 16)] * len(stamps))
        source.pictures = [Picture(p.image, t, 0.0) for p, t in zip(source.pictures, stamps, strict=True)]
        source.reopen()
        assert Camera("0", CameraOptions(fps=fps, mode="rgb"), source).read() is not None


class TestCrops:
    @given(st.text(max_size=30))
    def test_any_text_is_a_crop_or_a_usage_error(self, text):
        try:
            crop = parse_crop(text)
        except UsageError:
            return
        assert len(crop) == 4

    @given(
        st.tuples(*[st.floats(0, 1)] * 4),
        st.integers(1, 4000),
        st.integers(1, 4000),
    )
    def test_a_crop_in_shares_lies_in_every_picture_that_is_large_enough(self, crop, width, height):
        try:
            check_crop(crop)
            left, top, right, bottom = crop_pixels(crop, width, height)
        except UsageError:
            return
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert right - left == pytest.approx(crop[2] * width, abs=1)

    @given(st.tuples(*[st.integers(0, 700)] * 4))
    def test_a_crop_in_pixels_is_taken_as_it_is_or_refused(self, crop):
        try:
            check_crop(crop)
            left, top, right, bottom = crop_pixels(crop, 640, 480)
        except UsageError:
            return
        if max(crop) > 1:
            assert (left, top, right - left, bottom - top) == crop

    @pytest.mark.parametrize(
        "text", ["", "1,2,3", "a,b,c,d", "0,0,0,1", "-1,0,10,10", "0.6,0,0.6,1", "nan,0,1,1", "0,0,inf,9"]
    )
    def test_refused(self, text):
        with pytest.raises(UsageError, match="crop"):
            parse_crop(text)


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [{"width": 0}, {"height": -1}, {"fps": 0}, {"rotation": 45}, {"mode": "night"}, {"crop": (0, 0, 2, -1)},
         {"open_timeout_s": 0}, {"fps": float("nan")}],
    )  # fmt: skip
    def test_refused(self, options):
        with pytest.raises(UsageError):
            CameraOptions(**options)


class TestUris:
    @pytest.mark.parametrize(
        ("uri", "kind"),
        [("0", "device"), ("12", "device"), ("/dev/video2", "device"), ("csi://1", "csi"), ("sample", "sample"),
         ("rtsp://user:pw@10.0.0.2:8554/x", "stream"), ("http://host/x.mjpg?a=b", "stream"), ("udp://@:5000", "stream"),
         ("tcp://host:1234?listen=1", "stream"), ("https://host/a/clip.mp4", "video over http"), ("clip.mp4", "file"),
         ("http://host/a.MP4?t=1", "video over http"),
         ("frames/*.png", "file"), ("file:///tmp/a%20b.mp4", "file"), ("./0", "file"), ("C", "file")],
    )  # fmt: skip
    def test_kinds(self, uri, kind):
        assert kind_of(uri) == kind

    @pytest.mark.parametrize("uri", ["", "foo://x", "csi://", "csi://front", "rtsp://", "http:// a", "a\0b"])
    def test_no_camera(self, uri):
        with pytest.raises(UsageError, match="is no camera"):
            kind_of(uri)

    @given(st.text(max_size=60))
    def test_any_text_is_a_kind_or_a_usage_error(self, uri):
        try:
            assert kind_of(uri)
        except UsageError:
            return

    def test_secrets_are_left_out(self):
        assert redact("rtsp://admin:s3cret@cam.local:554/live?token=abc") == "rtsp://***@cam.local:554/live?***"
        assert redact("rtsp://admin:p@ss@cam.local/live") == "rtsp://***@cam.local/live"
        assert redact("rtsp://admin:p/a?s@cam.local/live") == "rtsp://***@cam.local/live"
        assert redact("rtsp:/admin:s3cret@cam.local/live") == "rtsp:/***@cam.local/live"
        assert redact("x://u:s3cret@h") == "x://***@h"
        assert redact("C:/what?/@.png") == "C:/what?/@.png"
        assert redact("frames/what?.png") == "frames/what?.png"

    @given(st.text("abcdefghij0123456789-._~!$&'()*+,;=%", min_size=8), st.sampled_from(["rtsp", "http", "tcp", "foo"]))
    def test_no_message_shows_a_password(self, secret, scheme):
        assert secret not in redact(f"{scheme}://user:{secret}@host/path?key={secret}")


class TestDescribing:
    def test_says_what_is_known(self):
        camera = Camera("rtsp://u:p@cam/x", CameraOptions(mode="rgb"), Scripted([numbered()]))
        assert camera.describe() == "stream rtsp://***@cam/x (30 fps)"
        camera.read()
        assert camera.describe() == "stream rtsp://***@cam/x (64x48, 30 fps)"
        simulated = Camera("simulated:story", CameraOptions(mode="rgb"), Scripted([numbered()]))
        assert simulated.describe() == "simulated:story (30 fps)"

    def test_errors_have_exit_codes(self):
        assert (CameraError.exit_code, UsageError.exit_code) == (1, 2)


class TestDamagedPictures:
    def test_a_picture_that_cannot_be_decoded_is_left_out_and_the_next_follows(self, tmp_path):
        import cv2

        from edge_c2vl.camera import open_camera
        from edge_c2vl.sources.capture import Capture

        path = tmp_path / "damaged.avi"
        video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
        for index in range(10):
            video.write(np.roll(numbered(), index, axis=1))
        video.release()
        content = bytearray(path.read_bytes())
        starts = [at for at in range(len(content)) if content[at : at + 3] == b"\xff\xd8\xff"]
        assert len(starts) == 10
        for start, following in itertools.pairwise(starts[4:7]):
            # All but the head of the next chunk.
            content[start : following - 8] = bytes(following - 8 - start)
        path.write_bytes(content)
        with open_camera(str(path)) as file:
            assert len([*iter(file.read, None)]) == 8
        live = Capture("a stream", str(path), cv2.CAP_FFMPEG, {}, {}, "")
        for _ in range(8):
            live.read()
        with pytest.raises(CameraError, match="the stream ended"):
            live.read()
        live.close()
