"""Driver monitoring at the end of any GStreamer pipeline: BGR pictures on standard input, JSON lines on output.

    gst-launch-1.0 -q v4l2src ! videoconvert ! videoscale ! videorate \
        ! video/x-raw,format=BGR,width=640,height=480,framerate=30/1 ! fdsink | python examples/gstreamer.py

Any other element that gives pictures may stand for v4l2src: nvarguscamerasrc, rtspsrc ! decodebin, ...
"""

from __future__ import annotations

import json
import sys

import numpy as np

from edge_c2vl import Monitor

WIDTH, HEIGHT, FPS = 640, 480, 30


def main() -> None:
    with Monitor(on_alert=lambda alert: print(json.dumps(alert.to_json()), flush=True)) as monitor:
        index = 0
        while len(data := sys.stdin.buffer.read(WIDTH * HEIGHT * 3)) == WIDTH * HEIGHT * 3:
            picture = np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 3)
            decision = monitor.push(picture, timestamp_s=index / FPS)
            if decision is not None:
                print(json.dumps(decision.to_json()), flush=True)
            index += 1


if __name__ == "__main__":
    main()
