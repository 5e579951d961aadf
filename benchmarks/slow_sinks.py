"""What a slow broker, a blocked pipe and a slow disk cost the decisions.

    pip install mfusepy        # and libfuse2 or libfuse3, mosquitto; mounting needs root
    python benchmarks/slow_sinks.py [--rounds 10] [--seconds 3] [--hop 0.05]

The live pipeline watches the sample clip (looped, 30 frames a second) with the real pose network and the default
bundle's encoder. What they answer is replaced: a driver whose arms are in view takes the phone for 1.5 s out of 3, so
that there are four alerts and two changes of state in 3 s. Its outputs:

    mqtt   alerts and states to a real mosquitto; slow: through a proxy that lets 50 bytes pass every half second
    pipe   decisions into a named pipe of 4 kB; slow: its reader is stopped (SIGSTOP)
    disk   events into a file of a FUSE file system; slow: each write takes 0.5 s, each fsync 2 s

Blocks without and with each of them slow take turns within one run. Printed for each: p50 and p95 of the age of the
newest frame when a decision was made; the ratio of p95 to that without, with a 95 % interval by resampling rounds; and
the longest backlog, which shows that the output did hang.
"""

# ruff: noqa: ARG002  FUSE's operations take what they take.
from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import fcntl
import itertools
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from page_clients import Ages, Loop
from soak import ScriptedPose

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.inference.base import Backend
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.inference.select import open_backend
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.outputs.jsonl import JsonLines
from edge_c2vl.outputs.mqtt import Mqtt
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.skeletons.skeleton import Array

# Which outputs are slow in the blocks of a round.
ROUND = ((), ("mqtt",), ("pipe",), (), ("disk",), ("mqtt", "pipe", "disk"))


def be_proxy(port: str, broker: str, slow: Path) -> None:
    """Slow while there is a file `slow`."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(50 if slow.exists() else 1 << 16):
                if slow.exists():
                    await asyncio.sleep(0.5)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Small buffers, so that what is slow here is felt at the other end.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        there = await asyncio.open_connection("127.0.0.1", int(broker), limit=200)
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    async def listen() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", int(port), limit=200)
        async with server:
            await server.serve_forever()

    asyncio.run(listen())


def be_disk(mount: str, slow: Path) -> None:
    """Slow while there is a file `slow`."""
    import mfusepy as fuse

    class Disk(fuse.Operations):
        """One folder of files in memory."""

        def __init__(self) -> None:
            self.files: dict[str, bytearray] = {}

        def getattr(self, path: str, fh: Any = None) -> dict[str, Any]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
            if path not in self.files:
                raise fuse.FuseOSError(errno.ENOENT)
            return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": len(self.files[path])}

        def readdir(self, path: str, fh: Any) -> list[str]:
            return [".", "..", *(name[1:] for name in self.files)]

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            self.files[path] = bytearray()
            return 0

        def read(self, path: str, size: int, offset: int, fh: Any) -> bytes:
            return bytes(self.files[path][offset : offset + size])

        def write(self, path: str, data: bytes, offset: int, fh: Any) -> int:
            time.sleep(0.5 * slow.exists())
            self.files[path][offset : offset + len(data)] = data
            return len(data)

        def fsync(self, path: str, datasync: int, fh: Any) -> int:
            time.sleep(2.0 * slow.exists())
            return 0

    fuse.FUSE(Disk(), mount, foreground=True, nothreads=True)


class Pose:
    """Takes the real network's time and answers with skeletons whose arms are in view."""

    def __init__(self, real: PoseEstimator) -> None:
        self._real, self._scripted = real, ScriptedPose()

    def estimate(self, image_bgr: Any, timestamp_s: float) -> Array:
        self._real.estimate(image_bgr, timestamp_s)
        return self._scripted.estimate(image_bgr, timestamp_s)


class Encoder(Backend):
    """Takes the real encoder's time and answers by the clock."""

    def __init__(self, real: Backend) -> None:
        super().__init__(real.name, real.precision, real.clip_shape)
        self._real = real

    def _infer(self, clip: Array) -> tuple[Array, Array]:
        logits, embedding = self._real.infer(clip)
        logits[:] = (0, 4) if time.monotonic() % 3 < 1.5 else (4, 0)
        return logits, embedding

    def _close(self) -> None:
        self._real.close()


class Outputs:
    """The processes behind the outputs, and how each is made slow and fast again."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        port, proxy = free_port(), free_port()
        (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        path = f"{os.environ['PATH']}:/usr/sbin"
        start(stack, ["mosquitto", "-c", str(folder / "mosquitto.conf")], env=os.environ | {"PATH": path})
        self.fifo, self.mount, self.broker = folder / "pipe", folder / "disk", f"mqtt://127.0.0.1:{proxy}/edge"
        os.mkfifo(self.fifo)
        self.mount.mkdir()
        self._flags = {"mqtt": folder / "slow broker", "disk": folder / "slow disk"}
        me = [sys.executable, __file__]
        start(stack, [*me, "--be-proxy", str(proxy), str(port), str(self._flags["mqtt"])])
        start(stack, [*me, "--be-disk", str(self.mount), str(self._flags["disk"])])
        self._reader = start(stack, ["cat", str(self.fifo)], stdout=subprocess.DEVNULL)
        stack.callback(subprocess.run, ["umount", "--lazy", str(self.mount)], stderr=subprocess.DEVNULL)
        wait(lambda: os.path.ismount(self.mount))
        wait(lambda: socket.socket().connect_ex(("127.0.0.1", proxy)) == 0)
        descriptor = os.open(self.fifo, os.O_RDWR)
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096)
        stack.callback(os.close, descriptor)

    def make_slow(self, which: tuple[str, ...]) -> None:
        self._reader.send_signal(signal.SIGSTOP if "pipe" in which else signal.SIGCONT)
        for name, flag in self._flags.items():
            if name in which:
                flag.touch()
            else:
                flag.unlink(missing_ok=True)


def start(stack: ExitStack, command: list[str], **how: Any) -> subprocess.Popen:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **how)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(condition: Any, seconds: float = 20.0) -> None:
    end_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end_s:
            raise SystemExit("an output did not start or did not recover; is mfusepy there, and are you root?")
        time.sleep(0.05)


def measure(asked: argparse.Namespace) -> Iterator[tuple[tuple[str, ...], np.ndarray, dict[str, int]]]:
    """(which outputs were slow, ages of the decisions, records waiting at the end) of each block."""
    bundle = Bundle.open("default")
    manifest, ages = bundle.manifest, Ages()
    with ExitStack() as stack:
        outputs = Outputs(stack, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        backend = stack.enter_context(Encoder(open_backend(bundle)))
        pose = Pose(stack.enter_context(PoseEstimator()))
        mqtt = Mqtt(outputs.broker)
        events, pipe = JsonLines(str(outputs.mount / "events.jsonl"), "state"), JsonLines(str(outputs.fifo), "decision")
        pipeline = Pipeline(
            Loop(asked.video),
            pose,
            ClipModel(backend, manifest.labels, manifest.distraction, manifest.clip),
            sinks=[ages, mqtt, pipe, events],
            hop_s=asked.hop,
            # All three levels within 1.5 s of distraction.
            policy=PolicySettings(warning_fast_s=0.5, recovery=5.0, smoothing_s=0.2),
        )

        def backlog() -> dict[str, int]:
            waiting = {"pipe": 0, "disk": 0} | {"mqtt": mqtt.waiting}
            for queue in pipeline._queues:
                name = {id(pipe): "pipe", id(events): "disk", id(mqtt): "mqtt"}.get(id(queue.sink))
                if name:
                    waiting[name] += len(queue._records)
            return waiting

        running = threading.Thread(target=pipeline.run, daemon=True)
        running.start()
        stack.callback(running.join)
        stack.callback(pipeline.stop)
        stack.callback(outputs.make_slow, ())
        time.sleep(5.0)
        for slow in itertools.chain.from_iterable(itertools.repeat(ROUND, asked.rounds)):
            outputs.make_slow(slow)
            time.sleep(1.0)
            began = time.monotonic()
            time.sleep(asked.seconds)
            ended = time.monotonic()
            yield slow, np.array([age for when, age in list(ages.seen) if began <= when < ended]), backlog()
            outputs.make_slow(())
            wait(lambda: sum(backlog().values()) <= 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", default="sample")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--hop", type=float, default=0.05)
    parser.add_argument("--be-proxy", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--be-disk", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.be_proxy:
        return be_proxy(*asked.be_proxy[:2], Path(asked.be_proxy[2]))
    if asked.be_disk:
        return be_disk(asked.be_disk[0], Path(asked.be_disk[1]))
    blocks: dict[tuple[str, ...], list[np.ndarray]] = {which: [] for which in ROUND}
    longest = dict.fromkeys(blocks, 0)
    for slow, seen, backlog in measure(asked):
        blocks[slow].append(seen)
        longest[slow] = max(longest[slow], *(backlog[name] for name in slow or backlog))
    # One of each kind a round; without, the two of a round are one.
    blocks[()] = [np.concatenate(pair) for pair in zip(blocks[()][::2], blocks[()][1::2], strict=True)]
    generator = np.random.default_rng(0)
    draws = generator.integers(0, asked.rounds, (2000, asked.rounds))

    def p95(which: tuple[str, ...], rounds: Any) -> float:
        return float(np.percentile(np.concatenate([blocks[which][index] for index in rounds]), 95))

    print("| slow | decisions | p50 | p95 | ratio of p95 | longest backlog |")
    print("|---|---|---|---|---|---|")
    everything = range(asked.rounds)
    for which, seen in blocks.items():
        ages = np.concatenate(seen)
        ratio = p95(which, everything) / p95((), everything)
        low, high = np.percentile([p95(which, drawn) / p95((), drawn) for drawn in draws], (2.5, 97.5))
        shown = f"{ratio:.3f} ({low:.3f} to {high:.3f})" if which else "1"
        cells = (
            " + ".join(which) or "none",
            str(len(ages)),
            f"{np.median(ages):.1f} ms",
            f"{p95(which, everything):.1f} ms",
            shown,
            str(longest[which]),
        )
        print(f"| {' | '.join(cells)} |")
    return None


if __name__ == "__main__":
    main()
