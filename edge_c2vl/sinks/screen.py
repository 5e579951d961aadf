"""The process that has the window: `python -m edge_c2vl.sinks.screen TITLE`.

OpenCV's window library ends the whole process where there is no display, or where the display goes away. Here that ends
this process and no run.

It reads pictures from standard input (width and height as two uint32, little-endian, then BGR bytes), says "open" on
standard output when the window is there, and ends with exit code 0 when the user closes it or standard input ends.
"""

from __future__ import annotations

import struct
import sys
import threading
from typing import Any, BinaryIO

HEADER = struct.Struct("<II")
KEYS = (ord("q"), 27)


def main(title: str) -> None:
    import cv2

    cv2.namedWindow(title)
    print("open", flush=True)
    newest: list[Any] = []
    threading.Thread(target=_read, args=(sys.stdin.buffer, newest), daemon=True).start()
    shown = False
    while True:
        picture = newest[-1] if newest else None
        if picture is False:
            return
        if picture is not None:
            newest.clear()
            cv2.imshow(title, picture)
            shown = True
        key = cv2.waitKey(15) & 0xFF
        if key in KEYS or (shown and cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1):
            return


def _read(stream: BinaryIO, newest: list[Any]) -> None:
    """Puts the newest picture into a list, and False at the end."""
    import numpy as np

    while len(header := stream.read(HEADER.size)) == HEADER.size:
        width, height = HEADER.unpack(header)
        if len(pixels := stream.read(width * height * 3)) < width * height * 3:
            break
        newest.append(np.frombuffer(pixels, np.uint8).reshape(height, width, 3))
    newest.append(False)


if __name__ == "__main__":
    main(sys.argv[1])
