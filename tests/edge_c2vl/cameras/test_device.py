"""V4L2 cameras by the names that udev gives them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import cv2
import pytest

from edge_c2vl.cameras import device
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.opencv import keep_depth
from edge_c2vl.cameras.registry import kind_of
from edge_c2vl.errors import CameraError

BY_ID = "usb-Maker_Camera_0001-video-index0"


@pytest.fixture
def dev(tmp_path):
    """A folder such as /dev: two cameras, of which udev names the first by both ways, the second by its place alone."""
    for number in (0, 2, 10):
        (tmp_path / f"video{number}").touch()
    (tmp_path / "video-input").touch()
    for folder, name, number in [("by-id", BY_ID, 0), ("by-path", "a-0:1", 0), ("by-path", "b-0:2", 10)]:
        (tmp_path / "v4l" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "v4l" / folder / name).symlink_to(f"../../video{number}")
    return tmp_path


def test_cameras_are_listed_by_the_name_that_stays(dev):
    found = device.devices(dev)
    assert [path.name for path in found] == ["video0", "video2", "video10"]
    assert [device.stable_name(path, dev).name for path in found] == [BY_ID, "video2", "b-0:2"]


def test_the_shell_and_the_doctor_offer_that_name(dev, monkeypatch):
    from edge_c2vl.commands.options import complete_camera
    from edge_c2vl.doctor.cameras import check_cameras

    found = device.devices(dev)
    stable = device.stable_name
    monkeypatch.setattr(device, "devices", lambda: found)
    monkeypatch.setattr(device, "stable_name", lambda path: stable(path, dev))
    offered = [item.value for item in complete_camera(None, None, str(dev))]
    assert offered[:3] == [str(dev / "v4l/by-id" / BY_ID), str(dev / "video2"), str(dev / "v4l/by-path/b-0:2")]
    assert str(dev / "video0") in offered
    findings = check_cameras()
    assert findings[0].name == offered[0]
    assert findings[0].value.startswith(f"now {dev}/video0: ")


def test_a_name_below_dev_v4l_is_a_camera_though_it_is_not_plugged_in():
    name = "/dev/v4l/by-id/usb-nobody-video-index0"
    assert kind_of(name) == "device"
    with pytest.raises(CameraError, match=f"no camera {name} .*check that it is plugged in"):
        open_camera(name)


def test_what_stands_in_a_cameras_place_is_no_video_device(tmp_path):
    (tmp_path / "video0").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CameraError, match="it is no video device"):
        device.check_device(str(tmp_path / "video0"))
    with pytest.raises(CameraError, match="Too many levels"):
        device.check_device(str(tmp_path / "loop"))


@pytest.fixture
def node(tmp_path) -> Path:
    """A device file with the number of a V4L2 camera, behind which there is none."""
    path = tmp_path / "video97"
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(81, 97))
    except OSError as error:
        pytest.skip(f"needs to make a device file: {error.strerror}")
    return path


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("name", [b"driver_cam", b"cam\xe9ra", b"concat:camera"])
def test_a_link_to_a_camera_is_one(node, name, relative, monkeypatch):
    link = node.with_name(os.fsdecode(name))
    link.symlink_to(node)
    monkeypatch.chdir(node.parent)
    with pytest.raises(CameraError, match="cannot open .*: it is no camera, or another program uses it"):
        open_camera(link.name if relative else str(link))


def test_a_link_is_followed_anew_at_each_opening(node, monkeypatch):
    """After a camera was plugged in again its link may lead to another number."""
    opened = []

    class Opened:
        live, fps, damaged = True, None, 0

        def __init__(self, name, target, api, parameters, settings, hint):
            opened.append((target, settings))

        def size(self):
            return {3: 640.0, 4: 480.0}

        def read(self):
            return None

        def close(self):
            pass

    monkeypatch.setattr("edge_c2vl.cameras.opencv.Capture", Opened)
    other = node.with_name("video98")
    os.mknod(other, 0o600 | stat.S_IFCHR, os.makedev(81, 98))
    link = node.with_name("camera")
    link.symlink_to(node)
    camera = open_camera(str(link))
    link.unlink()
    link.symlink_to(other)
    camera.reopen()
    camera.close()
    # And it is asked for the size that it had.
    assert opened == [(str(node), {}), (str(other), {3: 640.0, 4: 480.0})]


@pytest.mark.parametrize(("layout", "white"), [("Y10 ", 1023.0), ("Y12 ", 4095.0), ("Y16 ", None), ("YUYV", None)])
def test_gray_of_a_v4l2_camera_comes_in_its_full_depth(layout, white):
    """OpenCV's V4L2 gives Y10, Y12 and Y16 as 16-bit words where no conversion is asked for."""

    class V4l2:
        def __init__(self):
            self.asked = []

        def getBackendName(self):
            return "V4L2"

        def get(self, key):
            return float(int.from_bytes(layout.encode(), "little"))

        def set(self, key, value):
            self.asked.append((key, value))

    camera = V4l2()
    assert keep_depth(camera, "0", "/dev/video0", 1, 1) == (camera, white)
    assert camera.asked == ([] if layout == "YUYV" else [(cv2.CAP_PROP_CONVERT_RGB, 0)])
