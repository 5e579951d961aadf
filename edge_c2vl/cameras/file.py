"""What a path names: a video, an image, a folder or glob of images, or a named pipe."""

from __future__ import annotations

import glob
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from edge_c2vl.cameras.base import PictureSource
from edge_c2vl.cameras.live import at_own_speed
from edge_c2vl.errors import CameraError
from edge_c2vl.utils.redact import redact

if TYPE_CHECKING:
    from edge_c2vl.cameras.options import CameraOptions

# The device number that every V4L2 camera has, however the file or link to it is called.
VIDEO4LINUX = 81


def open_path(uri: str, options: CameraOptions) -> PictureSource:
    """Opens what is at the path (or file:// URL), by what it is."""
    from edge_c2vl.cameras.images import Images, images_in, is_image, natural_order

    name = _from_url(uri)
    path = named_path(uri)
    try:
        status = path.stat()
    except FileNotFoundError:
        matches = [Path(match) for match in glob.glob(str(path), recursive=True)] if glob.has_magic(name) else []
        images = sorted((match for match in matches if is_image(match)), key=natural_order)
        if images:
            return at_own_speed(lambda: Images(images, options.fps), name, options)
        # What is no file may be an address whose scheme was forgotten.
        shown = redact(name)
        raise CameraError(
            f"no image matches {shown}" if glob.has_magic(name) else f"there is no file, folder or camera {shown}"
        ) from None
    except (OSError, ValueError) as error:
        raise CameraError(f"cannot read {redact(name)}: {getattr(error, 'strerror', None) or error}") from None
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        images = images_in(path)
        if not images:
            raise CameraError(f"the folder {name} holds no image (png, jpg, tiff, bmp, webp, pgm, ...)")
        return at_own_speed(lambda: Images(images, options.fps), name, options)
    if stat.S_ISFIFO(mode):
        from edge_c2vl.cameras.stream import open_stream

        return open_stream(path, options)
    if stat.S_ISCHR(mode) and os.major(status.st_rdev) == VIDEO4LINUX:
        from edge_c2vl.cameras.device import open_device

        return open_device(str(path), options)
    if not stat.S_ISREG(mode):
        raise CameraError(f"{name} is neither a file nor a folder nor a video device")
    if status.st_size == 0:
        raise CameraError(f"cannot read {name}: the file is empty")
    if is_image(path):
        return at_own_speed(lambda: Images([path], options.fps), name, options)
    from edge_c2vl.cameras.video import open_video

    return open_video(path, options)


def named_path(uri: str) -> Path:
    """The path that a URI of this kind names."""
    return _home(Path(_from_url(uri)))


def _from_url(uri: str) -> str:
    """file:///path, file://host/path -> /path. Percent-encoded bytes need not be UTF-8. A path as it is."""
    if not uri.lower().startswith("file://"):
        return uri
    path = "/" + re.split(r"[?#]", uri[len("file://") :])[0].partition("/")[2]
    return os.fsdecode(unquote_to_bytes(os.fsencode(path)))


def _home(path: Path) -> Path:
    """~ and ~somebody as the shell has them, unless that is what the file itself is called."""
    try:
        return path if os.path.lexists(path) else path.expanduser()
    except (RuntimeError, ValueError):  # no such user
        return path
