"""Cameras: each is opened for a moment. On a Jetson also what a CSI camera needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from edge_c2vl.device.jetson import find_jetson
from edge_c2vl.doctor.findings import Finding, output_of
from edge_c2vl.errors import EdgeC2VLError


def check_cameras(root: Path = Path("/")) -> list[Finding]:
    """Opens each V4L2 device and reads a picture from it."""
    from edge_c2vl.cameras.camera import open_camera
    from edge_c2vl.cameras.csi import has_gstreamer
    from edge_c2vl.cameras.device import devices, stable_name
    from edge_c2vl.cameras.options import CameraOptions

    findings = []
    for device in devices():
        name = str(stable_name(device))
        number = "" if name == str(device) else f"now {device}: "
        try:
            with open_camera(str(device), CameraOptions(open_timeout_s=3, read_timeout_s=3)) as camera:
                camera.read()
                findings.append(Finding(name, "ok", number + camera.describe()))
        except EdgeC2VLError as error:
            advice = "a CSI camera opens with --camera csi://0" if find_jetson(root) else ""
            findings.append(Finding(name, "info", number + str(error), advice))
    if not findings:
        findings.append(Finding("cameras", "info", "no /dev/video*; network streams and files need none"))
    program = shutil.which("gst-launch-1.0")
    gstreamer = "in OpenCV" if has_gstreamer() else "as gst-launch-1.0" if program else "none"
    if find_jetson(root) is None:
        return [*findings, Finding("GStreamer", "info", f"{gstreamer} (needed for csi:// on a Jetson only)")]
    if gstreamer == "none":
        advice = "sudo apt-get install gstreamer1.0-tools gstreamer1.0-plugins-base"
        return [*findings, Finding("GStreamer", "warn", "none: csi:// cannot work", advice)]
    if not output_of(["gst-inspect-1.0", "nvarguscamerasrc"]):
        advice = "sudo apt-get install nvidia-l4t-gstreamer nvidia-l4t-camera"
        return [*findings, Finding("GStreamer", "warn", f"{gstreamer}, but without nvarguscamerasrc", advice)]
    if not (root / "tmp/argus_socket").exists():
        advice = (
            "for csi://: sudo systemctl start nvargus-daemon; in a container -v /tmp/argus_socket:/tmp/argus_socket"
        )
        return [*findings, Finding("GStreamer", "warn", f"{gstreamer}, but nvargus-daemon does not run", advice)]
    return [*findings, Finding("GStreamer", "ok", f"{gstreamer}, with nvarguscamerasrc")]
