"""The simulated driver as a camera."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.cameras.registry import kind_of
from edge_c2vl.cameras.simulated import make_film, parse
from edge_c2vl.errors import CameraError, UsageError
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from tests.support.camera_files import read_to_the_end


def test_a_uri_is_read() -> None:
    settings = parse(
        "simulated:texting, drinking?camera=a_column_driver&look=rgb&seed=3&seconds=5&size=320x240&live=no"
    )
    assert settings.activities == ("interacting_with_phone", "drinking")
    assert (settings.camera, settings.look, settings.seed) == ("a_column_driver", "rgb", 3)
    assert (settings.seconds, settings.size, settings.live) == (5.0, (320, 240), False)
    assert parse("simulated").live
    assert parse("simulated:story?each=3").activities == ("story",)
    assert kind_of("simulated:story") == kind_of("simulated?seed=1") == "simulated"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("simulated:dancing", "knows no activity 'dancing'"),
        ("simulated:story,drinking", "knows no activity 'story'"),
        ("simulated?camera=roof", "no simulated camera 'roof': there are inner_mirror"),
        ("simulated?look=thermal", "no look 'thermal'"),
        ("simulated?colour=red", "cannot use colour=red; its options are"),
        ("simulated?seed=one", "cannot use seed=one"),
        ("simulated?size=640", "cannot use size=640"),
        ("simulated?size=9x9", "cannot use size=9x9"),
        ("simulated?fps=0", "cannot use fps=0"),
        ("simulated?seconds=nan", "cannot use seconds=nan"),
        ("simulated?live=maybe", "cannot use live=maybe"),
        ("simulated?truth=", "cannot use truth="),
        ("simulated:empty,drinking", "knows no activity 'empty'"),
        ("simulated:empty?truth=drive.jsonl", "an empty car has no driver"),
    ],
)
def test_what_a_uri_cannot_say_is_told(uri: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_camera(uri)


@pytest.mark.parametrize("look", ["rgb", "ir"])
def test_an_empty_car_is_the_same_for_the_same_seed_and_holds_other_things_for_another(look: str) -> None:
    def picture(head: str) -> np.ndarray:
        with open_camera(f"{head}&look={look}&live=no&seconds=0.1&size=160x128&detail=0.02") as camera:
            frame = camera.read()
        assert frame is not None
        return frame.image

    empty = picture("simulated:empty?seed=1")
    np.testing.assert_array_equal(empty, picture("simulated:empty?seed=1"))
    for other in ("simulated:empty?seed=2", "simulated:attentive?seed=1"):
        assert np.abs(empty.astype(int) - picture(other)).max() > 30


def test_played_as_a_file_it_gives_every_picture_and_the_truth_of_each(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    uri = f"simulated:attentive,phoning?each=0.4&seconds=0.8&fps=10&live=no&size=160x120&truth={path}"
    with open_camera(uri) as camera:
        assert not camera.live
        frames = []
        while (frame := camera.read()) is not None:
            frames.append(frame)
    np.testing.assert_allclose([frame.timestamp_s for frame in frames], np.arange(8) / 10)
    assert frames[0].image.shape == (120, 160, 3)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["timestamp_s"] for line in lines] == [frame.timestamp_s for frame in frames]
    assert [line["activity"] for line in lines] == ["attentive"] * 4 + ["talking_on_phone"] * 4
    film = make_film(parse(uri))
    truth = film.truth(0.5)
    np.testing.assert_allclose(lines[5]["joints"], truth.car, atol=1e-4)
    np.testing.assert_allclose(lines[5]["pixels"], truth.pixels, atol=1e-2)
    assert np.shape(lines[5]["joints"]) == (MEDIAPIPE33.size, 3)
    np.testing.assert_array_equal(film.image(0.5), frames[5].image)


def test_it_can_be_read_again_from_the_beginning() -> None:
    with open_camera("simulated:drinking?seconds=0.2&fps=10&live=no&size=160x120") as camera:
        first = camera.read()
        camera.read()
        assert camera.read() is None
        camera.reopen()
        again = camera.read()
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first.image, again.image)


def test_live_it_is_stamped_by_the_clock_and_ends_after_its_seconds() -> None:
    with open_camera("simulated:story?seconds=0.6&fps=20&size=160x120") as camera:
        assert camera.live
        assert camera.fps == 20
        frames = []
        while (frame := camera.read()) is not None:
            frames.append(frame)
    stamps = np.array([frame.timestamp_s for frame in frames])
    assert 1 <= len(frames) <= 12
    assert (np.diff(stamps) > 0).all()
    # Pictures are taken at whole twentieths of a second; a slow machine leaves some out, but shifts none.
    steps = (stamps - stamps[0]) * 20
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert all(frame.captured_s >= frame.timestamp_s for frame in frames)


def test_an_infrared_camera_stays_as_it_is_and_a_size_is_drawn_as_asked() -> None:
    options = CameraOptions(width=200)
    with open_camera("simulated?camera=kinect_ir&seconds=0.1&live=no", options) as camera:
        frame = camera.read()
    assert frame is not None
    assert frame.image.shape == (166, 200, 3)
    assert np.ptp(frame.image, axis=2).max() == 0


def test_a_truth_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="cannot write the truth to .*missing"):
        open_camera(f"simulated?live=no&size=64x64&truth={tmp_path}/missing/truth.jsonl")


def test_a_truth_replaces_an_older_one_and_no_other_file(tmp_path: Path) -> None:
    uri = f"simulated?live=no&size=64x64&seconds=0.1&truth={tmp_path}/file"
    for _ in range(2):
        with open_camera(uri) as camera:
            read_to_the_end(camera)
        assert len((tmp_path / "file").read_text().splitlines()) == 3
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        open_camera(uri)
    assert (tmp_path / "file").read_text() == "mine"
