"""Cameras on CSI, through GStreamer."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from edge_c2vl.cameras import csi
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.errors import CameraError
from tests.support.camera_files import read_to_the_end
from tests.support.programs import needs


class TestCsi:
    def test_without_gstreamer_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr(csi, "has_gstreamer", lambda: False)
        monkeypatch.setattr(shutil, "which", lambda _: None)
        with pytest.raises(CameraError, match="apt-get install gstreamer"):
            open_camera("csi://0")

    def test_the_pipeline_asks_for_what_was_asked(self):
        text = csi.pipeline(1, 1920, 1080, 59.94)
        assert text.startswith("nvarguscamerasrc sensor-id=1 ! ")
        assert "width=1920,height=1080,framerate=60/1" in text
        assert text.endswith("format=BGR")

    @pytest.mark.parametrize("width", [320, 318])
    def test_pictures_through_gst_launch(self, width, monkeypatch):
        """The real program, with GStreamer's test picture in the sensor's place; 318 has padded rows."""
        needs("gst-launch-1.0", "gstreamer1.0-tools")
        test_picture = (
            f"videotestsrc is-live=true num-buffers=5 ! video/x-raw,format=BGR,width={width},height=240,framerate=30/1"
        )
        monkeypatch.setattr(csi, "has_gstreamer", lambda: False)
        monkeypatch.setattr(csi, "pipeline", lambda *_: test_picture)
        with open_camera("csi://0", CameraOptions(width=width, height=240, mode="rgb")) as camera:
            image = camera.read().image
            with pytest.raises(CameraError, match="csi://0 stopped"):
                read_to_the_end(camera)
        assert image.shape == (240, width, 3)
        # Colour bars: white first, then yellow (in BGR).
        assert image[10, 5].tolist() == [255, 255, 255]
        assert image[10, width * 3 // 14].tolist() == [0, 255, 255]
        assert image[150, width * 3 // 14].tolist() == [0, 255, 255]

    def test_messages_on_standard_output_do_not_reach_the_pictures(self, tmp_path, monkeypatch):
        """nvarguscamerasrc prints there."""
        program = tmp_path / "gst-launch-1.0"
        program.write_text(
            f"#!{sys.executable}\nimport os, sys\n"
            "print('GST_ARGUS: Creating output stream', flush=True)\n"
            "fd = next(int(word[3:]) for word in sys.argv if word.startswith('fd='))\n"
            "os.write(fd, b'\\7' * 768)\n"
            "sys.exit('ERROR: sensor lost')\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        source = csi.GstLaunch("csi://0", "a ! b ! c", 16, 16, 30, 2)
        assert (source.read().image == 7).all()
        with pytest.raises(CameraError, match="csi://0 stopped: ERROR: sensor lost"):
            source.read()
        source.close()
