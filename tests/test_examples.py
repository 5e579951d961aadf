"""examples/: each runs with the real thing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from edge_c2vl import open_camera
from tests.support.programs import needs

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_a_gstreamer_pipeline_is_watched(tmp_path):
    gst = needs("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-base")
    film = tmp_path / "film.bgr"
    with open_camera("sample") as camera, film.open("wb") as file:
        while (frame := camera.read()) is not None and frame.timestamp_s < 2:
            file.write(np.ascontiguousarray(cv2.resize(frame.image, (320, 240))).tobytes())
    caps = "video/x-raw,format=BGR,width=640,height=480,framerate=30/1"
    source = f"filesrc location={film} ! rawvideoparse format=bgr width=320 height=240 framerate=30/1"
    pipeline = f"{source} ! videoconvert ! videoscale ! videorate ! {caps} ! fdsink"
    player = subprocess.Popen([gst, "-q", *pipeline.split()], stdout=subprocess.PIPE)
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "gstreamer.py")],
        stdin=player.stdout,
        capture_output=True,
        text=True,
        timeout=120,
    )
    player.wait()
    assert done.returncode == 0, done.stderr
    decisions = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(decisions) >= 6
    assert decisions[-1]["state"] != "nobody"
    assert decisions[-1]["pose_confidence"] > 0.5
