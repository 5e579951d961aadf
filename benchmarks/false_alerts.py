"""False alerts an hour of simulated drivers who are attentive as people are (simulated:commuting: glances at mirrors,
instruments and over the shoulder, talking, a hand off the wheel), through the live pipeline, with the driver's face
watched and without. Prints a Markdown row a camera.

    python benchmarks/false_alerts.py --drivers 3 --minutes 60
    python benchmarks/false_alerts.py --drivers 3,4 --minutes 5 --cameras inner_mirror --keep seen --list

Each driver drives so many minutes before each camera, from a cold start: nothing is known of the driver. Each picture
is drawn once, and what pose and face are in it is found once; both runs get that, all pictures of it. --keep: a folder
where what was seen in a drive is kept; a drive that is there already is not drawn again, only judged, so that an
interruption loses one drive at most. An alert that grows more urgent counts once, and so do notices that the driver
cannot be seen (in brackets).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fast_raster import rasterise
from kept_drives import Drive, Look, read_drive, write_drive

from edge_c2vl.cameras.camera import Camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.cameras.simulated import Simulated, make_film, parse
from edge_c2vl.face.tracker import Face, FaceTracker
from edge_c2vl.inference.model import ClassifierBundle
from edge_c2vl.monitoring.apply_baseline import Personaliser
from edge_c2vl.monitoring.events import Alert
from edge_c2vl.monitoring.self_calibration import SelfCalibration
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.runtime.face_stage import Watching
from edge_c2vl.runtime.frame_stage import FrameLike, FrameSource
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.runtime.settings import parse_reasons
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.skeletons.evidence import Evidence
from edge_c2vl.skeletons.skeleton import Array

ACTIVITY_ONLY, ALL = "activity", "all"
# Away from these nothing was wrong: they say that there was nothing to judge by.
OF_SIGHT = (Reason.CANNOT_SEE, Reason.ELSEWHERE)


@dataclass(frozen=True)
class Played:
    """A frame whose picture was looked at before: black."""

    image: Any
    timestamp_s: float
    captured_s: float = 0.0


class Playback:
    """A drive as the camera of a recording."""

    live, dropped = False, 0

    def __init__(self, drive: Drive) -> None:
        self._frames = self._play(drive)

    def read(self) -> FrameLike | None:
        return next(self._frames, None)

    def interrupt(self) -> None:
        """Nobody waits for it."""

    @staticmethod
    def _play(drive: Drive) -> Iterator[Played]:
        for time_s, look in drive.items():
            yield Played(np.broadcast_to(np.uint8(0), look.size), time_s)


class Sight:
    """Pose and face, found once by networks, or remembered."""

    def __init__(self, drive: Drive, pose: PoseEstimator | None = None, faces: FaceTracker | None = None) -> None:
        self._drive, self._pose, self._faces = drive, pose, faces
        self._time_s = 0.0
        self.evidence: Evidence | None = None

    def estimate(self, image_bgr: Any, timestamp_s: float) -> Array | None:
        self._time_s = timestamp_s
        if self._pose is not None:
            landmarks = self._pose.estimate(image_bgr, timestamp_s)
            self._drive[timestamp_s] = Look(image_bgr.shape, landmarks, self._pose.evidence)
        look = self._drive[timestamp_s]
        self.evidence = look.evidence
        return look.landmarks

    def look(self, image_bgr: Any, skeleton: Array | None) -> Face | None:
        look = self._drive[self._time_s]
        if self._faces is not None:
            face = self._faces.look(image_bgr, skeleton)
            small = None if face is None else replace(face, points=np.empty((0, 3)))
            look = self._drive[self._time_s] = replace(look, looked=True, face=small)
        if not look.looked:
            raise KeyError(f"the face at {self._time_s:.3f} s was not looked for")
        return look.face

    def reset(self) -> None:
        if self._faces is not None:
            self._faces.reset()


def judge(camera: FrameSource, sight: Sight, bundle: ClassifierBundle, reasons: str) -> list[Alert]:
    """Every alert in a drive, each level of it, and its end."""
    calibration = SelfCalibration(bundle.manifest.attentive_odds)
    pipeline = Pipeline(
        camera,
        sight,
        bundle.model,
        personaliser=Personaliser(calibration=calibration),
        watching=Watching(parse_reasons(reasons), sight),
    )
    alerts = []
    pipeline.start()
    while (frame := camera.read()) is not None:
        alerts += [record for record in pipeline.step(frame) if isinstance(record, Alert)]
    pipeline.finish()
    return alerts


def begun(alerts: list[Alert]) -> list[Alert]:
    """Those with which a reason's alert begins."""
    began: list[Alert] = []
    standing: set[Reason] = set()
    for alert in alerts:
        if alert.level is Level.NONE:
            standing.discard(alert.reason)
        elif alert.reason not in standing:
            standing.add(alert.reason)
            began.append(alert)
    return began


def drive(uri: str, bundle: ClassifierBundle, kept: Path) -> Drive:
    """What is to be seen in the film of that URI; read from the file, or else found and written to it."""
    if kept.exists():
        return read_drive(kept)
    seen: Drive = {}
    settings = parse(f"{uri}&live=no")
    film = Simulated(make_film(settings, rasteriser=rasterise), settings, live=False)
    with Camera(uri, CameraOptions(), film) as camera, PoseEstimator() as pose:
        faces = FaceTracker.open()
        # Which body is the driver's, and so whether a face is looked for, the pipeline knows.
        judge(camera, Sight(seen, pose, faces), bundle, ALL)
        faces.close()
    write_drive(kept, seen)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="of each driver before each camera")
    parser.add_argument("--cameras", default=",".join(VIEWS))
    parser.add_argument("--drivers", default="3")
    parser.add_argument("--fps", type=int, default=8)
    parser.add_argument("--detail", type=float, default=0.3, help="megapixels that pictures are drawn from")
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="each alert with the face, on stderr")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    cameras = asked.cameras.split(",")
    found: dict[str, dict[str, list[Alert]]] = {camera: {ACTIVITY_ONLY: [], ALL: []} for camera in cameras}
    minutes = dict.fromkeys(cameras, 0.0)
    with tempfile.TemporaryDirectory() as passing, ClassifierBundle.open(asked.bundle) as bundle:
        folder = asked.keep or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        for driver in asked.drivers.split(","):
            for camera in cameras:
                options = f"camera={camera}&driver={driver}&fps={asked.fps}&detail={asked.detail}"
                uri = f"simulated:commuting?{options}&seconds={60 * asked.minutes:g}"
                name = f"{camera}-{driver}-{asked.fps}-{asked.detail:g}-{asked.minutes:g}.npy"
                seen = drive(uri, bundle, folder / name)
                minutes[camera] += asked.minutes
                for reasons, alerts in found[camera].items():
                    alerts += (new := begun(judge(Playback(seen), Sight(seen), bundle, reasons)))
                    for alert in new if asked.list else ():
                        where = f"{camera}, driver {driver}, {alert.timestamp_s:.1f} s, --reasons {reasons}"
                        print(
                            f"{where}: {alert.reason.value} ({alert.level.name.lower()})", file=sys.stderr, flush=True
                        )
    print(f"bundle {bundle.model.name}\n\n| camera | minutes | without the face | with it | reasons with it |")
    print("|---|---|---|---|---|")
    for camera in cameras:
        told = [f"{_count(alerts, False)} ({_count(alerts, True)})" for alerts in found[camera].values()]
        reasons = [alert.reason for alert in found[camera][ALL]]
        why = ", ".join(f"{reason.value} {reasons.count(reason)}" for reason in dict.fromkeys(reasons)) or "none"
        print(f"| {camera} | {minutes[camera]:g} | {told[0]} | {told[1]} | {why} |", flush=True)


def _count(alerts: list[Alert], of_sight: bool) -> int:
    return sum((alert.reason in OF_SIGHT) is of_sight for alert in alerts)


if __name__ == "__main__":
    main()
