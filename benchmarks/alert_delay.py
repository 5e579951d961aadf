"""From the beginning of an act to the alert: the simulated driver takes the phone, through the whole pipeline.

    python benchmarks/alert_delay.py [--drivers 3] [--glance 2]

Camera (drawn pictures, 10 a second, read as a file), pose, window, the default bundle and the policy are real; only
time does not pass, so that the figures do not depend on this machine. Each driver is attentive for 10 s and then
phones for 20 s; the truth says when the act begins. Printed, in seconds from there: the first decision in the state
"distracted" and each level of the alert; the median and the most over the drivers. A live run adds the age of a frame
(`camera to decision` on the page). --glance: an act of so many seconds instead; printed is how loud its alert gets.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge_c2vl.monitoring.events import Alert, Decision
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Level
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.run import watch
from edge_c2vl.runtime.settings import RunSettings

CALM_S = 10.0


class Told(Sink):
    """When the state and each level of the alert were first reached after the act began."""

    def __init__(self) -> None:
        self.first_s: dict[str, float] = {}
        self.loudest = Level.NONE

    def decision(self, decision: Decision) -> None:
        if decision.state is State.DISTRACTED and decision.timestamp_s >= CALM_S:
            self.first_s.setdefault("detected", decision.timestamp_s)

    def alert(self, alert: Alert) -> None:
        self.loudest = max(self.loudest, alert.level)
        if alert.level > Level.NONE and alert.timestamp_s >= CALM_S:
            self.first_s.setdefault(alert.level.name.lower(), alert.timestamp_s)


def play(driver: int, act: str, act_s: float, camera: str, folder: str) -> tuple[Told, float]:
    """What was told, and when the act began."""
    told, truth = Told(), Path(folder) / f"{driver}.jsonl"
    # An activity lasts `each` seconds; a longer calm is the attentive one twice.
    calm = ",".join(["attentive"] * max(1, round(CALM_S / act_s)))
    each = act_s if act_s < CALM_S else CALM_S
    acts = ",".join([act] * max(1, round(act_s / each)))
    seconds = CALM_S + act_s + CALM_S
    script = f"{calm},{acts},{calm}"
    uri = f"simulated:{script}?each={each}&seconds={seconds}&fps=10&live=no&driver={driver}&camera={camera}"
    watch(RunSettings.of(camera=f"{uri}&truth={truth}", quiet=True), [told])
    rows = [json.loads(line) for line in truth.read_text().splitlines()]
    begins = next(row["timestamp_s"] for row in rows if row["activity"] != rows[0]["activity"])
    return told, begins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=int, default=3)
    parser.add_argument("--act", default="phoning")
    parser.add_argument("--camera", default="a_column_driver")
    parser.add_argument("--glance", type=float, metavar="SECONDS")
    asked = parser.parse_args()
    delays: dict[str, list[float]] = {}
    loudest = []
    with tempfile.TemporaryDirectory() as folder:
        for driver in range(1, asked.drivers + 1):
            told, begins_s = play(driver, asked.act, asked.glance or 2 * CALM_S, asked.camera, folder)
            loudest.append(told.loudest.name.lower())
            for name, first_s in told.first_s.items():
                delays.setdefault(name, []).append(first_s - begins_s)
    figures = {
        name: {"p50_s": round(float(np.median(found)), 2), "most_s": round(max(found), 2), "of": len(found)}
        for name, found in delays.items()
    }
    print(json.dumps({"drivers": asked.drivers, "loudest": loudest} | figures))


if __name__ == "__main__":
    main()
