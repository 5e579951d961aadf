"""The process that has the window: `python -m edge_c2vl.outputs.screen TITLE`.

A library for windows may end the whole process where the display goes away. Here that ends this process and no run.

It reads pictures from standard input (width and height as two uint32, little-endian, then BGR bytes), says "open" on
standard output when the window is there, and ends with exit code 0 when the user closes it or standard input ends.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from typing import Any, BinaryIO

HEADER = struct.Struct("<II")
WAIT_MS = 15


def main(title: str) -> None:
    os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
    try:
        import pygame
    except ModuleNotFoundError:
        sys.exit("the package pygame-ce is missing: pip install 'edge-c2vl[show]'")

    pygame.display.init()
    if pygame.display.get_driver() in ("dummy", "offscreen"):
        sys.exit("no screen answers")  # SDL would draw where nobody sees it
    pygame.display.set_caption(title)
    window = pygame.display.set_mode((640, 480), pygame.RESIZABLE)
    print("open", flush=True)
    newest: list[Any] = []
    threading.Thread(target=_read, args=(sys.stdin.buffer, newest), daemon=True).start()
    shape = None
    while True:
        picture = newest[-1] if newest else None
        if picture is False:
            return
        if picture is not None:
            newest.clear()
            size, pixels = picture
            if size != shape:
                window = pygame.display.set_mode(size, pygame.RESIZABLE)
                shape = size
            window = pygame.display.get_surface() or window  # a user may have made it larger
            image = pygame.image.frombuffer(pixels, size, "BGR")
            window.blit(pygame.transform.smoothscale(image, window.get_size()), (0, 0))
            pygame.display.flip()
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (
                event.type == pygame.KEYDOWN and event.key in (pygame.K_q, pygame.K_ESCAPE)
            ):
                return
        pygame.time.wait(WAIT_MS)


def _read(stream: BinaryIO, newest: list[Any]) -> None:
    """Puts the newest picture into a list, and False at the end."""
    while len(header := stream.read(HEADER.size)) == HEADER.size:
        width, height = HEADER.unpack(header)
        if len(pixels := stream.read(width * height * 3)) < width * height * 3:
            break
        newest.append(((width, height), pixels))
    newest.append(False)


if __name__ == "__main__":
    main(sys.argv[1])
