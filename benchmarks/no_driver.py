"""An hour without a driver: which alerts the whole live pipeline raises, and what it takes for a person.

    python benchmarks/no_driver.py                                     # rendered empty cars
    python benchmarks/no_driver.py --clips ../shared/data/video        # parts of the shared clips without a person

Empty cars: eight cameras, RGB and infrared, a new seed (seats, belts, and by lot phone mounts, bags, jackets, bottles)
every 15 s; every picture is drawn for itself. Clips: ten parts of them in which nobody is, each as filmed and mirrored,
played over and over for as long as their share of the hour. Time stamps are those of the hour; the pictures are read as
fast as they can be. An alert of distraction is a false one; "cannot see" is what has to be said.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import phantoms
from phantoms import NOBODY, Frame, Recording, clip, simulated

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.monitoring.standing import OF_DISTRACTION, Level
from edge_c2vl.outputs.base import Sink
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.utils.progress import track

SECONDS = 15.0  # of each empty car
ROUNDS = 4


class Played:
    """A recording as a camera."""

    live, dropped = False, 0

    def __init__(self, recording: Recording, fps: float) -> None:
        self._images: Iterator[Any] = recording.images()
        self._fps, self._read = fps, 0

    def interrupt(self) -> None:
        pass

    def read(self) -> Frame | None:
        image = next(self._images, None)
        if image is None:
            return None
        self._read += 1
        return Frame(image, (self._read - 1) / self._fps, time.monotonic())


class Found(PoseEstimator):
    """Counts pictures in which a body is found."""

    pictures = bodies = 0

    def estimate(self, image_bgr: Any, timestamp_s: float) -> Any:
        skeleton = super().estimate(image_bgr, timestamp_s)
        self.pictures += 1
        self.bodies += skeleton is not None
        return skeleton


class Told(Sink):
    """What was told: decisions by what is missing, and the alerts that began, by reason."""

    def __init__(self) -> None:
        self.decisions = self.judged = 0
        self.missing: Counter[str] = Counter()
        self.alerts: Counter[str] = Counter()
        self.false: list[str] = []
        self.name = ""

    def decision(self, decision: Any) -> None:
        self.decisions += 1
        self.judged += decision.distraction is not None
        self.missing[str(decision.missing and decision.missing.value)] += 1

    def alert(self, alert: Any) -> None:
        if alert.level > Level.NONE:
            self.alerts[alert.reason.value] += 1
            if alert.reason in OF_DISTRACTION:
                self.false.append(f"{self.name}: {alert.reason.value} at {alert.timestamp_s:.1f} s")


def empty_cars(minutes: float) -> list[Recording]:
    places = list(itertools.product(VIEWS, ("rgb", "ir")))
    count = math.ceil(60 * minutes / SECONDS)
    uris = [
        f"simulated:empty?camera={camera}&look={look}&seed={number}"
        for number, (camera, look) in zip(range(count), itertools.cycle(places), strict=False)
    ]
    return [simulated("empty car", uri, SECONDS) for uri in uris]


def parts_of_clips(folder: Path, minutes: float) -> list[Recording]:
    parts = [(name, part, side) for name, of_it in NOBODY.items() for part in of_it for side in (False, True)]
    # Round after round, so that all have been played when it is ended early.
    seconds = 60 * minutes / len(parts) / ROUNDS
    return [clip(folder / name, part, side, seconds) for _ in range(ROUNDS) for name, part, side in parts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="the folder of the shared clips; without: rendered empty cars")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--fps", type=float, default=5.0, help="pictures a second of the hour")
    parser.add_argument("--min-detection", type=float, help="the detector's threshold, instead of the default")
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--most-s", type=float, default=math.inf, help="end after so much time, and tell what was done")
    asked = parser.parse_args()
    phantoms.FPS = asked.fps
    recordings = parts_of_clips(asked.clips, asked.minutes) if asked.clips else empty_cars(asked.minutes)
    threshold = {} if asked.min_detection is None else {"min_detection_confidence": asked.min_detection}
    told, started_s = Told(), time.monotonic()
    with ClipModel.open(Bundle.open(asked.bundle)) as model, Found(**threshold) as pose:
        for number, recording in enumerate(track(recordings, "recordings")):
            if time.monotonic() - started_s > asked.most_s:
                recordings = recordings[:number]
                break
            pose.reset()
            told.name = recording.name
            Pipeline(Played(recording, asked.fps), pose, model, sinks=[told]).run()
    print(f"{len(recordings)} recordings, {pose.pictures / asked.fps / 60:.1f} minutes, {pose.pictures} pictures")
    print(f"a body is found in {pose.bodies / max(pose.pictures, 1):.1%} of the pictures")
    print(f"{told.judged} of {told.decisions} decisions judged; missing: {dict(told.missing)}")
    print(f"alerts: {dict(told.alerts) or 'none'}; of distraction: {len(told.false)}")
    print("\n".join(told.false))


if __name__ == "__main__":
    main()
