"""What pages that are open cost the decisions.

    python benchmarks/page_clients.py VIDEO [--clients 20] [--blocks 40] [--seconds 4] [--hop 0.1]

The live pipeline with the real pose network and the default bundle watches VIDEO (looped from memory, 30 frames a
second) and serves the page. Blocks of --seconds without a client and with --clients of them take turns, in the order
ABBA, so that whatever else the machine does meets both alike. The clients are a process of their own that reads
everything and looks at nothing. Printed: the age of the newest frame when a decision was made (p50, p95) without and
with clients; their ratio with a 95 % interval by resampling blocks; and the processor time of both.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time

import numpy as np

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.cameras.camera import Frame, open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.inference.select import open_backend
from edge_c2vl.monitoring.events import Decision
from edge_c2vl.outputs.base import Sink
from edge_c2vl.outputs.page import Page, RunDescription
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.runtime.pipeline import Pipeline

SETTLE_S = 1.0


class Loop:
    """A video from memory, 30 frames a second, for ever."""

    live = True
    dropped = 0

    def __init__(self, video: str) -> None:
        with open_camera(video, CameraOptions(width=640)) as camera:
            self._images = [frame.image for frame in iter(camera.read, None)]
        self._count, self._started = 0, time.monotonic()

    def interrupt(self) -> None:
        """It never waits long."""

    def read(self) -> Frame:
        now = time.monotonic()
        due = self._started + self._count / 30
        if now > due + 1 / 30:
            # A camera does not wait for a machine that is busy, nor makes up for it.
            self._count = round((now - self._started) * 30)
        time.sleep(max(0.0, due - now))
        self._count += 1
        now = time.monotonic()
        return Frame(self._images[self._count % len(self._images)], now, now, self._count)


class Ages(Sink):
    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def decision(self, decision: Decision) -> None:
        self.seen.append((time.monotonic(), decision.age_ms))


def be_clients(port: int, count: int) -> None:
    """Opens and closes `count` WebSockets as lines on standard input say; answers each line with the bytes read."""
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    opened: list[socket.socket] = []
    read = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is not sys.stdin:
                read += len(key.fileobj.recv(1 << 16))
                continue
            asked = sys.stdin.readline().strip()
            for client in opened:
                selector.unregister(client)
                client.close()
            opened = [shake_hands(port) for _ in range(count)] if asked == "open" else []
            for client in opened:
                selector.register(client, selectors.EVENT_READ)
            print(read, flush=True)
            read = 0
            if asked == "":
                return
            # What else was ready belongs to sockets that are closed by now.
            break


def shake_hands(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    request = f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    client.sendall(f"{request}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    return client


def measure(asked: argparse.Namespace) -> tuple[dict[bool, list[np.ndarray]], dict[bool, float], float]:
    """Ages of each block by whether clients were there, processor seconds a second, and bytes a second to a client."""
    bundle = Bundle.open("default")
    manifest, ages = bundle.manifest, Ages()
    blocks: dict[bool, list[np.ndarray]] = {False: [], True: []}
    processor, wall, received = {False: 0.0, True: 0.0}, {False: 0.0, True: 0.0}, 0
    with PoseEstimator() as pose, open_backend(bundle) as backend:
        about = RunDescription(
            lambda: "loop", backend.name, backend.precision, manifest.name, manifest.labels, manifest.distraction
        )
        page = Page("127.0.0.1:0", about)
        pipeline = Pipeline(
            Loop(asked.video),
            pose,
            ClipModel(backend, manifest.labels, manifest.distraction, manifest.clip),
            sinks=[ages, page],
            hop_s=asked.hop,
        )
        running = threading.Thread(target=pipeline.run, daemon=True)
        running.start()
        command = [sys.executable, __file__, "--be-clients", str(page.port), str(asked.clients)]
        clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert clients.stdin is not None
        assert clients.stdout is not None
        time.sleep(5.0)
        for block in range(2 * asked.blocks):
            there = block % 4 in (1, 2)
            clients.stdin.write("open\n" if there else "close\n")
            clients.stdin.flush()
            received += int(clients.stdout.readline())
            time.sleep(SETTLE_S)
            while page.viewers != (asked.clients if there else 0):
                time.sleep(0.05)
            began, used = time.monotonic(), time.process_time()
            time.sleep(asked.seconds)
            ended = time.monotonic()
            processor[there] += time.process_time() - used
            wall[there] += ended - began
            blocks[there].append(np.array([age for when, age in list(ages.seen) if began <= when < ended]))
        clients.stdin.close()
        received += int(clients.stdout.readline())
        pipeline.stop()
        running.join()
    load = {there: processor[there] / wall[there] for there in (False, True)}
    return blocks, load, received / (wall[True] + asked.blocks * SETTLE_S) / asked.clients


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--hop", type=float, default=0.1)
    parser.add_argument("--be-clients", nargs=2, type=int, metavar=("PORT", "COUNT"))
    asked = parser.parse_args()
    if asked.be_clients:
        be_clients(*asked.be_clients)
        return
    blocks, load, rate = measure(asked)
    generator = np.random.default_rng(0)

    def p95(there: bool, chosen: np.ndarray) -> float:
        return float(np.percentile(np.concatenate([blocks[there][index] for index in chosen]), 95))

    # Neighbours share what else the machine did at that time, so they are drawn together.
    draws = [generator.integers(0, asked.blocks, asked.blocks) for _ in range(2000)]
    ratios = [p95(True, drawn) / p95(False, drawn) for drawn in draws]
    everything = np.arange(asked.blocks)
    result = {
        "decisions": {name: sum(map(len, blocks[there])) for name, there in (("alone", False), ("clients", True))},
        "p50_ms": [round(float(np.median(np.concatenate(blocks[there]))), 1) for there in (False, True)],
        "p95_ms": [round(p95(there, everything), 1) for there in (False, True)],
        "ratio_p95": round(p95(True, everything) / p95(False, everything), 3),
        "interval": [round(float(value), 3) for value in np.percentile(ratios, (2.5, 97.5))],
        "processor": [round(load[there], 3) for there in (False, True)],
        "kb_a_second_to_each": round(rate / 1e3, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
