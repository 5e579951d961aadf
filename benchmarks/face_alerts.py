"""From closed eyes and a look down to the alert: a simulated driver who falls asleep, and later looks at a phone on the
lap, through the live pipeline with every reason. Prints Markdown rows.

    python benchmarks/face_alerts.py --cameras inner_mirror,a_column_driver

Attentive for 70 s, in which the driver is learnt, drowsy for 30 s, asleep for 30 s, attentive for 20 s, looking down
for 30 s; pictures are read as a file's. times: how often the eyes are closed, or the gaze is on the lap, for so long
that the level is due (docs/alerts.md). told: how often it came. seconds: from the beginning of the closure or look to
the level, median and most.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from false_alerts import ALL, Playback, Sight, drive, judge

from edge_c2vl.cameras.simulated import make_film, parse
from edge_c2vl.face.watch import CLOSED
from edge_c2vl.inference.model import ClassifierBundle
from edge_c2vl.monitoring.events import Alert
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.simulated.film import Truth

SCRIPT = ["attentive"] * 7 + ["drowsy"] * 3 + ["asleep"] * 3 + ["attentive"] * 2 + ["looking_down"] * 3
SECONDS = 180
LAP_DEG = 35.0  # so far down a gaze is on the lap
# When each level is due, as in docs/alerts.md, at a speed that is not known.
DUE_S = {
    Reason.EYES_CLOSED: {Level.NOTICE: 1.0, Level.WARNING: 1.5, Level.CRITICAL: 3.0},
    Reason.LOOKING_AWAY: {Level.NOTICE: 2.1, Level.WARNING: 3.5, Level.CRITICAL: 7.0},
}


def closed(truth: Truth) -> bool:
    return truth.lids < CLOSED


def on_lap(truth: Truth) -> bool:
    return truth.activity == "looking_down" and truth.gaze[1] < -np.sin(np.radians(LAP_DEG))


def bouts(truths: list[Truth], so: Callable[[Truth], bool]) -> list[tuple[float, float]]:
    """Beginning and end of each time in which it is so, seconds."""
    found: list[list[float]] = []
    before = False
    for truth in truths:
        if so(truth):
            if not before:
                found.append([truth.time_s, truth.time_s])
            found[-1][1] = truth.time_s
        before = so(truth)
    return [(begin_s, end_s) for begin_s, end_s in found]


def standing(alerts: list[Alert], reason: Reason, level: Level) -> list[tuple[float, float]]:
    """Beginning and end of each time in which this reason's alert is so loud or louder."""
    found: list[tuple[float, float]] = []
    since_s: float | None = None
    for alert in alerts:
        if alert.reason is not reason:
            continue
        if since_s is None and alert.level >= level:
            since_s = alert.timestamp_s
        elif since_s is not None and alert.level < level:
            found.append((since_s, alert.timestamp_s))
            since_s = None
    return found if since_s is None else [*found, (since_s, float(SECONDS))]


def rows(alerts: list[Alert], truths: list[Truth]) -> list[str]:
    told = []
    for reason, so in ((Reason.EYES_CLOSED, closed), (Reason.LOOKING_AWAY, on_lap)):
        for level, due_s in DUE_S[reason].items():
            due = [(begin_s, end_s) for begin_s, end_s in bouts(truths, so) if end_s - begin_s >= due_s]
            loud = standing(alerts, reason, level)
            delays = []
            for begin_s, end_s in due:
                # It may come a decision after the end, and may stand since the closure before.
                came = [since_s for since_s, until_s in loud if since_s <= end_s + 0.5 and until_s > begin_s]
                delays += [max(since_s - begin_s, 0.0) for since_s in came[:1]]
            seconds = f"{np.median(delays):.1f}, {max(delays):.1f}" if delays else "-"
            told.append(f"{reason.value} | {level.name.lower()} ({due_s:g} s) | {len(due)} | {len(delays)} | {seconds}")
    drowsy_s = [alert.timestamp_s for alert in alerts if alert.reason is Reason.DROWSY and alert.level > Level.NONE]
    began_s = next(truth.time_s for truth in truths if truth.activity == "drowsy")
    told.append(
        f"drowsy | notice | 1 | {len(drowsy_s[:1])} | {drowsy_s[0] - began_s:.1f}"
        if drowsy_s
        else "drowsy | notice | 1 | 0 | -"
    )
    for alert in alerts:
        if alert.level > Level.NONE and alert.reason not in (*DUE_S, Reason.DROWSY):
            told.append(
                f"{alert.reason.value} | {alert.level.name.lower()} | | | at {alert.timestamp_s:.0f} s of the film"
            )
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", default="inner_mirror")
    parser.add_argument("--looks", default="ir,rgb")
    parser.add_argument("--driver", type=int, default=3)
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="as of false_alerts.py")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    print("| camera | look | reason | level | times | told | seconds |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as passing, ClassifierBundle.open("default") as bundle:
        for camera in asked.cameras.split(","):
            for look in asked.looks.split(","):
                options = f"camera={camera}&look={look}&driver={asked.driver}&fps={asked.fps}&detail=0.3"
                uri = f"simulated:{','.join(SCRIPT)}?{options}&seconds={SECONDS}&each=10"
                folder = asked.keep or Path(passing)
                folder.mkdir(parents=True, exist_ok=True)
                seen = drive(uri, bundle, folder / f"{camera}-{look}-{asked.driver}-{asked.fps}.npy")
                alerts = judge(Playback(seen), Sight(seen), bundle, ALL)
                film = make_film(parse(uri))
                for row in rows(alerts, [film.truth(number / 30) for number in range(30 * SECONDS)]):
                    print(f"| {camera} | {look} | {row} |", flush=True)


if __name__ == "__main__":
    main()
