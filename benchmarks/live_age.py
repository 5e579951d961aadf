"""How old the frame behind a decision is, on a live stream with a slow encoder.

    python benchmarks/live_age.py VIDEO [--seconds 60] [--encoder-ms 80]

A real ffmpeg plays VIDEO (looped, 30 frames a second) as motion JPEG on 127.0.0.1; the live pipeline watches it
with the real pose network and the default bundle, whose encoder is held back to --encoder-ms. Printed: the age of the
newest frame when each decision was made, p50 and p95, in tenths of the run: a queue anywhere would make it grow.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.inference.base import Backend
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.inference.select import open_backend
from edge_c2vl.monitoring.events import Decision
from edge_c2vl.outputs.base import Sink
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.skeletons.skeleton import Array
from tests.support.videos import ffmpeg


class Slow(Backend):
    """Another backend, held back."""

    def __init__(self, inner: Backend, least_s: float) -> None:
        super().__init__(f"{inner.name} held back", inner.precision, inner.clip_shape)
        self._inner, self._least_s = inner, least_s

    def _infer(self, clip: Array) -> tuple[Array, Array]:
        end = time.perf_counter() + self._least_s
        result = self._inner.infer(clip)
        time.sleep(max(0.0, end - time.perf_counter()))
        return result

    def _close(self) -> None:
        self._inner.close()


class Ages(Sink):
    def __init__(self) -> None:
        self.ages_ms: list[float] = []

    def decision(self, decision: Decision) -> None:
        self.ages_ms.append(decision.age_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--encoder-ms", type=float, default=80)
    parser.add_argument("--bundle", default="default")
    asked = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    stream = [ffmpeg(), "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", asked.video, "-r", "30", "-q:v", "4"]
    player = subprocess.Popen([*stream, "-f", "mpjpeg", "-listen", "1", url])
    time.sleep(1.0)
    ages = Ages()
    try:
        bundle = Bundle.open(asked.bundle)
        manifest = bundle.manifest
        with (
            open_camera(url, CameraOptions()) as camera,
            PoseEstimator() as pose,
            Slow(open_backend(bundle), asked.encoder_ms / 1e3) as backend,
        ):
            pipeline = Pipeline(
                camera,
                pose,
                ClipModel(backend, manifest.labels, manifest.distraction, manifest.clip),
                sinks=[ages],
            )
            summary = pipeline.run(asked.seconds)
    finally:
        player.kill()
        player.wait()
    print(summary.to_text())
    # The first second holds the start of the pose network.
    parts = np.array_split(np.array(ages.ages_ms[4:]), 10)
    result = {
        "decisions": len(ages.ages_ms),
        "age_p50_ms": round(float(np.percentile(ages.ages_ms[4:], 50)), 1),
        "age_p95_ms": round(float(np.percentile(ages.ages_ms[4:], 95)), 1),
        "p95_ms_by_tenth": [round(float(np.percentile(part, 95)), 1) for part in parts],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
