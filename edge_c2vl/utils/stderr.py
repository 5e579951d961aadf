"""Keeps the chatter of C and C++ libraries off the terminal, so that an error stays the one line that is seen."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence


def quiet_opencv() -> None:
    """Silences OpenCV's and FFmpeg's own messages; the callers check return values and raise errors.

    Call before OpenCV opens anything. A user's own OPENCV_LOG_LEVEL and OPENCV_FFMPEG_LOGLEVEL are respected.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read when FFmpeg is first used
    if "OPENCV_LOG_LEVEL" not in os.environ:
        import cv2

        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@contextlib.contextmanager
def filtered_stderr(noise: Sequence[str]) -> Iterator[None]:
    """Holds back what is written to file descriptor 2 within the block, and afterwards lets through every line that
    contains none of the words in `noise`.

    For libraries that log past Python and have no switch for it. It is the whole process's descriptor, so keep the
    block short.
    """
    try:
        original = os.dup(2)
    except OSError:  # closed, as a daemon's may be: nobody reads it
        yield
        return
    with tempfile.TemporaryFile() as held:
        _flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(original, 2)
            held.seek(0)
            wanted = [line for line in held.readlines() if not any(word.encode() in line for word in noise)]
            with contextlib.suppress(OSError):  # nobody hears it any more
                os.write(2, b"".join(wanted))
            os.close(original)


def _flush() -> None:
    if sys.stderr is not None and not sys.stderr.closed:
        sys.stderr.flush()
