"""Bodies where nobody is, and drivers who are there: what the pose network finds, and what the vehicle makes of it.

    python benchmarks/phantoms.py                           # empty cars, noise; and simulated drivers
    python benchmarks/phantoms.py --clips ../shared/data/video   # the shared clips as well, whole and cropped to nobody
    python benchmarks/phantoms.py --min-detection 0.15 0.3 0.5 --seconds 8 --seeds 4 --keep found

Every recording goes through the real pose network, the real pipeline and a bundle, with what is evidence of a driver
(edge_c2vl/monitoring/body_watch.py) and without it. "found": pictures in which the network finds a body; "taken": those
that count as the driver's; "judged": decisions that say attentive or distracted; alerts are of distraction.
--keep FOLDER keeps what the network found there, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import edge_c2vl.runtime.frame_stage as stage_module
from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.cameras.simulated import make_empty_car, make_film, parse
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.monitoring.body_watch import Look
from edge_c2vl.monitoring.standing import OF_DISTRACTION, Level
from edge_c2vl.outputs.base import Sink
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.pose.estimator import MIN_DETECTION
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.skeletons.evidence import Evidence
from edge_c2vl.utils.progress import track

FPS = 10.0
# Parts of the shared clips in which nobody is: left, right, top, bottom as shares of the picture.
NOBODY = {
    "action_recognition.gif": [(0.55, 1, 0, 1), (0.62, 0.95, 0.05, 0.6), (0.55, 1, 0, 0.5), (0.7, 1, 0, 1)],
    "eat.mkv": [(0, 0.25, 0, 1), (0.72, 1, 0, 1)],
    "learn.mkv": [(0, 0.25, 0, 1), (0.72, 1, 0, 1)],
    "walk.mkv": [(0, 0.25, 0, 1), (0.72, 1, 0, 1)],
}
WHOLE = ("action_recognition.gif", "eat.mkv", "learn.mkv", "milk.mkv", "thanks.mkv", "walk.mkv")

Image = Any
Seen = list[tuple[float, tuple[int, int], Any, Evidence | None]]


@dataclass(frozen=True)
class Recording:
    """group: what the tables count it under."""

    group: str
    name: str
    images: Callable[[], Iterator[Image]]


def simulated(group: str, uri: str, seconds: float, start_s: float = 4.0) -> Recording:
    def images() -> Iterator[Image]:
        settings = parse(uri + "&size=640x480")
        film = (make_empty_car if settings.empty else make_film)(settings)
        for frame in range(round(seconds * FPS)):
            yield film.image(start_s + frame / FPS)

    return Recording(group, uri, images)


def clip(path: Path, crop: tuple[float, ...] = (0, 1, 0, 1), mirrored: bool = False, seconds: float = 8.0) -> Recording:
    """Again and again until so many seconds are full, as it is filmed every time."""

    def images() -> Iterator[Image]:
        capture = cv2.VideoCapture(str(path))
        kept = []
        while (frame := capture.read())[0]:
            kept.append(frame[1])
        step = max(1, round(capture.get(cv2.CAP_PROP_FPS) / FPS))
        height, width = kept[0].shape[:2]
        left, right, top, bottom = crop
        for image in itertools.islice(itertools.cycle(kept[::step]), round(seconds * FPS)):
            part = image[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
            yield np.ascontiguousarray(part[:, ::-1] if mirrored else part)

    whole = crop == (0, 1, 0, 1)
    group = ("clip" if whole else "crop without a person") + (", mirrored" if mirrored else "")
    return Recording(group, f"{path.name} {crop}", images)


def noise(mean: float, spread: float, seed: int, seconds: float) -> Recording:
    def images() -> Iterator[Image]:
        random = np.random.default_rng(seed)
        still = random.normal(mean, spread / 2, (480, 640))
        for _ in range(round(seconds * FPS)):
            gray = (still + random.normal(0, spread, still.shape)).clip(0, 255).astype(np.uint8)
            yield cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)

    return Recording("noise", f"noise {mean:g} +- {spread:g}, seed {seed}", images)


def dark(recording: Recording, light: float, spread: float = 6.0) -> Recording:
    """The same in the dark: a share of the light, the sensor's noise, and brightened up again."""

    def images() -> Iterator[Image]:
        random = np.random.default_rng(0)
        for image in recording.images():
            gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) * light + random.normal(0, spread, image.shape[:2])
            gray = gray.clip(0, 255)
            gray *= min(12.0, 90 / max(float(gray.mean()), 1.0))
            yield cv2.cvtColor(gray.clip(0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)

    return Recording(f"{recording.group}, dark and noise", f"{recording.name}, light {light:g}", images)


def recordings(clips: Path | None, cameras: list[str], seeds: int, seconds: float) -> list[Recording]:
    made = []
    for camera, look in itertools.product(cameras, ("rgb", "ir")):
        for seed in range(seeds):
            empty = simulated("empty car", f"simulated:empty?camera={camera}&look={look}&seed={seed}", seconds)
            driver = simulated("driver", f"simulated:attentive?camera={camera}&look={look}&driver={seed + 1}", seconds)
            made += [empty, driver]
            if look == "ir" and seed == 0:
                made += [dark(empty, 0.05), dark(driver, 0.05), dark(driver, 0.025)]
    made += [noise(mean, spread, seed, seconds) for mean, spread in ((5, 8), (40, 30), (128, 50)) for seed in range(2)]
    if clips is not None:
        for name, mirrored in itertools.product(WHOLE, (False, True)):
            made.append(clip(clips / name, mirrored=mirrored, seconds=seconds))
        made += [dark(clip(clips / name, seconds=seconds), light) for name in WHOLE[:2] for light in (0.1, 0.05)]
        for name, parts in NOBODY.items():
            made += [clip(clips / name, part, mirrored, seconds) for part in parts for mirrored in (False, True)]
    return made


def see(recording: Recording, pose: PoseEstimator) -> Seen:
    pose.reset()
    seen: Seen = []
    for frame, image in enumerate(recording.images()):
        time_s = frame / FPS
        skeleton = pose.estimate(image, time_s)
        seen.append((time_s, image.shape[:2], skeleton, pose.evidence))
    return seen


def seen_or_kept(recording: Recording, pose: PoseEstimator, folder: Path | None, min_detection: float) -> Seen:
    """The same, read from the folder where it is there."""
    if folder is None:
        return see(recording, pose)
    name = hashlib.sha256(f"{recording.group} {recording.name} {min_detection:g}".encode()).hexdigest()[:16]
    path = folder / f"{name}.npz"
    if not path.is_file():
        _keep(see(recording, pose), path)
    with np.load(path) as file:
        times, shape, found, skeletons = (file[key] for key in ("times", "shape", "found", "skeletons"))
        told = zip(file["presence"], file["visibility"], file["points"], strict=True)
        evidence = [Evidence(float(one), seen, points) for one, seen, points in told]
    return [
        (float(time_s), (int(shape[0]), int(shape[1])), skeleton if there else None, one if there else None)
        for time_s, there, skeleton, one in zip(times, found, skeletons, evidence, strict=True)
    ]


def _keep(seen: Seen, path: Path) -> None:
    nothing = Evidence(0.0, np.zeros(33), np.zeros((33, 2)))
    told = [evidence or nothing for *_, evidence in seen]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        times=[time_s for time_s, *_ in seen],
        shape=seen[0][1],
        found=[skeleton is not None for _, _, skeleton, _ in seen],
        skeletons=[np.zeros((33, 4), np.float32) if skeleton is None else skeleton for _, _, skeleton, _ in seen],
        presence=[evidence.presence for evidence in told],
        visibility=[evidence.visibility for evidence in told],
        points=[evidence.points for evidence in told],
    )


@dataclass
class Frame:
    image: Image
    timestamp_s: float
    captured_s: float


class Replayed:
    """Camera and pose network of what was seen."""

    live, dropped = False, 0

    def __init__(self, seen: Seen) -> None:
        self._seen, self._read, self._asked = seen, 0, 0
        self.evidence: Evidence | None = None

    def interrupt(self) -> None:
        pass

    def read(self) -> Frame | None:
        if self._read == len(self._seen):
            return None
        time_s, shape, *_ = self._seen[self._read]
        self._read += 1
        return Frame(np.broadcast_to(np.uint8(0), (*shape, 3)), time_s, time.monotonic())

    def estimate(self, image_bgr: Image, timestamp_s: float) -> Any:  # noqa: ARG002
        _, _, skeleton, self.evidence = self._seen[self._asked]
        self._asked += 1
        return skeleton


class Everything:
    """In the place of BodyWatch: whatever is found is the driver."""

    def __init__(self, *_: object) -> None:
        pass

    def reset(self) -> None:
        pass

    def look(self, skeleton: Any, *_: object) -> Look:
        return Look(skeleton, True)


@dataclass
class Counts(Sink):
    """Of one group."""

    seconds: float = 0.0
    pictures: int = 0
    found: int = 0
    taken: int = 0
    decisions: int = 0
    judged: int = 0
    distracted: int = 0
    alerts: dict[str, int] = field(default_factory=dict)
    recordings: int = 0
    alerted: set[str] = field(default_factory=set)
    unseen: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    name: str = ""

    def decision(self, decision: Any) -> None:
        self.decisions += 1
        self.judged += decision.distraction is not None
        self.distracted += decision.state.value == "distracted"

    def alert(self, alert: Any) -> None:
        if alert.level > Level.NONE and alert.reason in OF_DISTRACTION:
            self.alerted.add(self.name)


def play(recording: Recording, seen: Seen, model: ClipModel, counts: Counts) -> None:
    counts.name = recording.name
    replayed = Replayed(seen)
    before = counts.judged
    summary = Pipeline(replayed, replayed, model, sinks=[counts]).run()
    counts.recordings += 1
    counts.seconds += len(seen) / FPS
    counts.pictures += len(seen)
    counts.found += sum(skeleton is not None for _, _, skeleton, _ in seen)
    counts.taken += summary.poses
    counts.unseen += counts.judged == before
    for why, number in summary.rejected.items():
        counts.rejected[why] = counts.rejected.get(why, 0) + number


def table(title: str, groups: dict[str, Counts]) -> str:
    lines = [
        title,
        "| | recordings | minutes | found | taken | judged | of those distracted | alerted | never judged |",
    ]
    lines.append("|---" * 9 + "|")
    for name, row in groups.items():
        judged = row.judged / max(row.decisions, 1)
        lines.append(
            f"| {name} | {row.recordings} | {row.seconds / 60:.1f} | {row.found / row.pictures:.1%} | "
            f"{row.taken / row.pictures:.1%} | {judged:.1%} | {row.distracted / max(row.judged, 1):.0%} | "
            f"{len(row.alerted)} | {row.unseen} |"
        )
        if row.rejected:
            lines.append(f"<!-- {name}: {', '.join(f'{why} {count}' for why, count in row.rejected.items())} -->")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--cameras", nargs="+", default=list(VIEWS), choices=list(VIEWS))
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--min-detection", type=float, nargs="+", default=[MIN_DETECTION])
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--only", default="", help="groups whose name begins so")
    asked = parser.parse_args()
    every = recordings(asked.clips, asked.cameras, asked.seeds, asked.seconds)
    chosen = [one for one in every if one.group.startswith(asked.only)]
    real = stage_module.BodyWatch
    with ClipModel.open(Bundle.open(asked.bundle)) as model:
        for min_detection in asked.min_detection:
            tables: dict[str, dict[str, Counts]] = {"without evidence": {}, "with evidence": {}}
            with PoseEstimator(min_detection_confidence=min_detection) as pose:
                for recording in track(chosen, "recordings"):
                    seen = seen_or_kept(recording, pose, asked.keep, min_detection)
                    for title, groups in tables.items():
                        stage_module.BodyWatch = Everything if title.startswith("without") else real  # type: ignore
                        play(recording, seen, model, groups.setdefault(recording.group, Counts()))
            for title, groups in tables.items():
                print(f"\n{table(f'--min-detection {min_detection:g}, {title}', groups)}")


if __name__ == "__main__":
    main()
