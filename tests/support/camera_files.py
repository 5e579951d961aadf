"""Small videos and pictures as cameras."""

from __future__ import annotations

import subprocess

import cv2

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from tests.support.programs import needs


def ffmpeg(*arguments):
    subprocess.run([needs("ffmpeg"), "-loglevel", "error", "-y", *map(str, arguments)], check=True)


def read_all(uri, **options):
    with open_camera(str(uri), CameraOptions(**options)) as camera:
        return list(iter(camera.read, None))


def write_image(path, image):
    assert cv2.imwrite(str(path), image)
    return path


def read_to_the_end(camera):
    while camera.read() is not None:
        pass
