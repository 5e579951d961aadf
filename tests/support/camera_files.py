"""Small videos and pictures as cameras."""

from __future__ import annotations

import struct
import subprocess

import cv2

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from tests.support.programs import needs


def ffmpeg(*arguments):
    subprocess.run([needs("ffmpeg"), "-loglevel", "error", "-y", *map(str, arguments)], check=True)


def turn(path, degrees):
    """Has a QuickTime file say that its pictures are to be turned clockwise, as a telephone's do."""
    content = path.read_bytes()
    # The header of the track: version and flags, times, number and length, place, layer and volume; then the matrix.
    at = content.index(b"tkhd") + 44
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content[:at] + matrix + content[at + len(matrix) :])


def read_all(uri, **options):
    with open_camera(str(uri), CameraOptions(**options)) as camera:
        return list(iter(camera.read, None))


def write_image(path, image):
    assert cv2.imwrite(str(path), image)
    return path


def read_to_the_end(camera):
    while camera.read() is not None:
        pass
