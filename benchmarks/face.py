"""How well the face path reads the simulated driver, whose truth is known: head, gaze, closed eyes. Prints Markdown
rows.

    python benchmarks/face.py turns --cameras inner_mirror,ceiling --drivers 1,2
    python benchmarks/face.py closures --cameras a_column_driver --drivers 1,3

Everything is as in a run: the pose finds the driver, the face's region comes from it, infrared goes through the
camera's brightener. turns: the driver looks at each of six zones with head and eyes, PICTURES_A_S pictures a
second. A picture counts where the head points past the camera by at most WITHIN_DEG; its error is that of the
head's yaw and pitch from the driver's own straight ahead, which the face path learns from the first seconds, as it
would in a vehicle, and, "absolute", from the camera. closures: the eyes close for .3 to 3 s, again and again, in
pictures 30 times a second, of which those are looked at that the face path asks for; how far this driver's eyes are
open is learnt from the first seconds.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import cv2
import numpy as np
from fast_raster import rasterise

from edge_c2vl.cameras.infrared import Brightener
from edge_c2vl.face.bouts import Bout, Bouts
from edge_c2vl.face.gaze import ZONES, straight_ahead, zone_of
from edge_c2vl.face.head_pose import angles_of
from edge_c2vl.face.tracker import Face, FaceTracker
from edge_c2vl.face.watch import CLOSED, OPEN, FaceWatch, OwnOpening, Rate
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.simulated.activities import Habits, Key
from edge_c2vl.simulated.activities.key import Keys, Random, between
from edge_c2vl.simulated.cameras import VIEWS, View
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.film import Film, Truth

PICTURES_A_S = 5.0
AHEAD_S = 4.0  # at the beginning
WITHIN_DEG = 60.0
# A closure counts as one from here on; shorter ones are blinks.
MIN_CLOSURE_S = 0.25
HEAD_SHARE = 0.6  # of a look that the head does
LOOKS = {"ir": ("ir", "rgb"), "rgb": ("rgb", "ir"), "relief": ("relief",)}


def zones(random: Random, habits: Habits) -> Keys:
    yield Key(habits.left(), habits.right(), 0.3, AHEAD_S, head=(0, 4, 0), gaze=(0, 0))
    while True:
        for name in random.permutation(list(ZONES)):
            left, up = ZONES[name]
            head = (HEAD_SHARE * left, 4 - HEAD_SHARE * up, 0.0)
            yield Key(habits.left(), habits.right(), 0.45, 0.75, head=head, gaze=(left, -up))


def closing(random: Random, habits: Habits) -> Keys:
    yield Key(habits.left(), habits.right(), 0.3, AHEAD_S)
    while True:
        head = (habits.gaze + between(random, -5, 5), between(random, 2, 9), 0.0)
        length_s = 0.3 * 10 ** between(random, 0, 1)
        yield Key(habits.left(), habits.right(), length_s / 2, length_s / 2, head=head, closed=True)
        yield Key(habits.left(), habits.right(), 0.4, between(random, 0.6, 1.6), head=head)


@dataclass
class Row:
    """errors: degrees (yaw, pitch) from straight ahead and absolute. zones: whether the zone was right. found, counted:
    pictures."""

    errors: list[tuple[float, float]] = field(default_factory=list)
    absolute: list[tuple[float, float]] = field(default_factory=list)
    gaze: list[float] = field(default_factory=list)
    zones: list[bool] = field(default_factory=list)
    found: int = 0
    counted: int = 0
    true: list[Bout] = field(default_factory=list)
    told: list[Bout] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    hits: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("turns", "closures"))
    parser.add_argument("--cameras", default=",".join(VIEWS))
    parser.add_argument("--looks", help="instead of each camera's own and daylight or infrared")
    parser.add_argument("--drivers", default="1,2")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--detail", type=float, default=0.33, help="megapixels that pictures are drawn from")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for camera in arguments.cameras.split(","):
        looks = arguments.looks.split(",") if arguments.looks else LOOKS[VIEWS[camera].look]
        for look in looks:
            row = Row()
            for number in arguments.drivers.split(","):
                view = VIEWS[camera]
                script = zones if arguments.what == "turns" else closing
                film = Film(
                    make_driver(int(number)),
                    iter([(arguments.what, script, arguments.seconds)]),
                    view,
                    look,
                    640,
                    round(640 * view.height / view.width),
                    inner_pixels=round(arguments.detail * 1e6),
                    rasteriser=rasterise,
                )
                watch = turns if arguments.what == "turns" else closures
                watch(film, arguments.seconds, row)
            print(
                f"| {camera} | {look} | {turns_row(row) if arguments.what == 'turns' else closures_row(row)} |",
                flush=True,
            )


Seen = list[tuple[Truth, bool, Face | None]]
"""Of each picture the truth, whether the gaze is steady, and the face."""


def see_turns(film: Film, seconds: float) -> Seen:
    seen: Seen = []
    brightener = Brightener("auto")
    with PoseEstimator() as pose:
        tracker = FaceTracker.open()
        for number in range(int(seconds * PICTURES_A_S)):
            time_s = number / PICTURES_A_S
            image = brightener.apply(film.image(time_s), time_s)
            face = tracker.look(image, pose.estimate(image, time_s))
            truth = film.truth(time_s)
            steady = np.allclose(film.truth(max(time_s - 0.15, 0)).gaze, truth.gaze, atol=0.05)
            seen.append((truth, steady, face))
        tracker.close()
    return seen


def turns(film: Film, seconds: float, row: Row) -> None:
    judge_turns(see_turns(film, seconds), film.view, row)


def judge_turns(seen: Seen, view: View, row: Row) -> None:
    learnt = [face for truth, _, face in seen if truth.time_s < AHEAD_S and face is not None]
    if not learnt:
        return
    ahead = straight_ahead(
        [face.head.rotation for face in learnt], [face.gaze for face in learnt if face.gaze is not None]
    )
    first = [truth for truth, _, _ in seen if truth.time_s < AHEAD_S]
    true_ahead = straight_ahead([truth.head for truth in first], [truth.gaze for truth in first])
    axes = view.axes
    for truth, steady, face in seen:
        if truth.time_s < AHEAD_S:
            continue
        head = axes @ truth.head
        way = view.to_camera(truth.car[0])
        if np.degrees(np.arccos(np.clip(head[:, 2] @ way / np.linalg.norm(way), -1, 1))) > WITHIN_DEG:
            continue
        row.counted += 1
        if face is None:
            continue
        row.found += 1
        told, true = ahead.of_head(face.head.rotation), true_ahead.of_head(truth.head)
        row.errors.append((abs(told[0] - true[0]), abs(told[1] - true[1])))
        told, true = angles_of(face.head.rotation)[:2], angles_of(head)[:2]
        row.absolute.append((abs(told[0] - true[0]), abs(told[1] - true[1])))
        # While the gaze jumps and while the eyes blink there is no zone to be told.
        if truth.lids > 0.9 and steady and face.gaze is not None:
            angles, true = ahead.of_gaze(face.gaze), true_ahead.of_gaze(truth.gaze)
            row.gaze.append(float(np.hypot(angles[0] - true[0], angles[1] - true[1])))
            row.zones.append(zone_of(*angles) == zone_of(*true))


def closures(film: Film, seconds: float, row: Row) -> None:
    own, opened = OwnOpening(), []
    brightener, watch, rate = Brightener("auto"), FaceWatch(own), Rate()
    truly, true, told = Bouts(CLOSED, OPEN), [], []
    with PoseEstimator() as pose:
        tracker = FaceTracker.open()
        for number in range(int(seconds * 30)):
            time_s = number / 30
            if ended := truly.update(time_s, film.truth(time_s).lids):
                true.append(ended)
            if not rate.due(time_s):
                continue
            image = brightener.apply(film.image(time_s), time_s)
            face = tracker.look(image, pose.estimate(image, time_s))
            if time_s < AHEAD_S and face is not None and face.gap_mm is not None:
                opened.append(face.gap_mm)
                own.hold(float(np.percentile(opened, 75)))
            state = watch.update(time_s, face)
            rate.looked(time_s, state)
            if state.closure is not None:
                told.append(state.closure)
        tracker.close()
    match(true, told, row)


def match(true: list[Bout], told: list[Bout], row: Row) -> None:
    """Each true closure with the one told that overlaps it most; those too short on both sides are blinks."""
    row.true += [closure for closure in true if closure.length_s >= MIN_CLOSURE_S]
    row.told += [closure for closure in told if closure.length_s >= MIN_CLOSURE_S]
    for closure in true:
        if closure.length_s < MIN_CLOSURE_S:
            continue
        best = max(told, key=lambda other: closure.overlap_s(other), default=None)
        if best is not None and closure.overlap_s(best) > closure.length_s / 2:
            row.hits += 1
            row.lengths.append(abs(best.length_s - closure.length_s))
    right = [other for other in told if other.length_s >= MIN_CLOSURE_S and any(c.overlap_s(other) > 0 for c in true)]
    row.found += len(right)


def turns_row(row: Row) -> str:
    if not row.errors:
        return f"{row.counted} | none found"
    yaw, pitch = np.array(row.errors).T
    far, high = np.array(row.absolute).T
    parts = [f"{np.median(part):.1f} / {np.percentile(part, 95):.1f}" for part in (yaw, pitch, far, high)]
    zones_right = f"{np.mean(row.zones):.2f}" if row.zones else "-"
    gaze = f"{np.median(row.gaze):.1f}" if row.gaze else "-"
    return " | ".join([str(row.counted), f"{row.found / row.counted:.1%}", *parts, gaze, zones_right])


def closures_row(row: Row) -> str:
    recall = row.hits / max(len(row.true), 1)
    precision = row.found / max(len(row.told), 1)
    error = f"{1000 * np.median(row.lengths):.0f}" if row.lengths else "-"
    late = f"{1000 * np.percentile(row.lengths, 95):.0f}" if row.lengths else "-"
    return f"{len(row.true)} | {recall:.2f} | {precision:.2f} | {error} / {late}"


if __name__ == "__main__":
    main()
