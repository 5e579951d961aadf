"""False alerts an hour of the simulated driver who is attentive as people are (simulated:commuting: glances at mirrors,
instruments and over the shoulder, talking, a hand off the wheel), through the whole live pipeline, with the driver's
face watched and without. Prints a Markdown row a camera.

    python benchmarks/false_alerts.py --minutes 60
    python benchmarks/false_alerts.py --minutes 5 --cameras inner_mirror,a_column_driver --fps 10

Each camera's pictures are drawn once, into a video in a temporary folder, and played twice, every frame of it. An alert
that grows more urgent counts once, and so do notices that the driver cannot be seen (in brackets).
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2

from edge_c2vl.cameras.simulated import make_film, parse
from edge_c2vl.monitoring.events import Alert
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.run import watch
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.simulated.cameras import VIEWS

ACTIVITY_ONLY, ALL = "activity", "activity,gaze,eyes,drowsy,unresponsive"
# Away from these nothing was wrong: they say that there was nothing to judge by.
OF_SIGHT = (Reason.CANNOT_SEE, Reason.ELSEWHERE)


class Count(Sink):
    """How often each reason's alert began."""

    def __init__(self) -> None:
        self.begun: Counter[Reason] = Counter()
        self._standing: set[Reason] = set()

    def alert(self, alert: Alert) -> None:
        if alert.level is Level.NONE:
            self._standing.discard(alert.reason)
        elif alert.reason not in self._standing:
            self._standing.add(alert.reason)
            self.begun[alert.reason] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--cameras", default=",".join(VIEWS))
    parser.add_argument("--driver", type=int, default=3)
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--detail", type=float, default=0.3, help="megapixels that pictures are drawn from")
    asked = parser.parse_args()
    print("| camera | minutes | without the face | with it | reasons with it |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for camera in asked.cameras.split(","):
            video = Path(folder) / f"{camera}.avi"
            options = f"camera={camera}&driver={asked.driver}&fps={asked.fps}&detail={asked.detail}"
            draw(video, f"simulated:commuting?{options}", 60 * asked.minutes)
            found = {reasons: play(video, reasons) for reasons in (ACTIVITY_ONLY, ALL)}
            video.unlink()
            told = [
                f"{sum(n for r, n in one.items() if r not in OF_SIGHT)} ({sum(one[r] for r in OF_SIGHT)})"
                for one in found.values()
            ]
            why = ", ".join(f"{reason.value} {number}" for reason, number in found[ALL].items()) or "none"
            print(f"| {camera} | {asked.minutes:g} | {told[0]} | {told[1]} | {why} |", flush=True)


def draw(video: Path, uri: str, seconds: float) -> None:
    """The film of a simulated driver as a file of motion JPEG."""
    settings = parse(uri)
    film, writer = make_film(settings), None
    for number in range(round(seconds * settings.fps)):
        image = film.image(number / settings.fps)
        if writer is None:
            size = (image.shape[1], image.shape[0])
            writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), settings.fps, size)
        writer.write(image)
    if writer is not None:
        writer.release()


def play(video: Path, reasons: str) -> Counter[Reason]:
    count = Count()
    settings = RunSettings.of(camera=str(video), reasons=reasons)
    watch(replace(settings, console=replace(settings.console, quiet=True)), [count])
    return count.begun


if __name__ == "__main__":
    main()
