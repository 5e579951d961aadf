"""What the face path finds on real recordings whose truth was marked by eye (face_clips.csv). Prints a Markdown row
a clip.

    python benchmarks/face_clips.py ../shared/data/video

closed, yawn: from when to when, to about a frame. ahead: the person looks into or just past the camera, whatever
the head does. unclear: lids that are lowered or closed, which cannot be told apart; neither found nor false there.
A closure or yawn was found where one that was told overlaps half of it; one that was told and overlaps none is
false. away: the longest time that the gaze was farther than AWAY_DEG from straight ahead while the person looked
ahead; closed eyes do not count. by the run: what `edge-c2vl run --reasons all` makes of the same faces, after it has
learnt from what looks ahead, played to and fro: the longest time for which the driver was not said to look at the road
while looking ahead, and the alerts.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.face.bouts import Bout
from edge_c2vl.face.gaze import straight_ahead
from edge_c2vl.face.tracker import Face, FaceTracker
from edge_c2vl.face.watch import CLOSING, FaceState, FaceWatch
from edge_c2vl.monitoring.face_reader import SeenFace
from edge_c2vl.monitoring.own_driver import OwnDriver
from edge_c2vl.monitoring.policy import Observation, Policy
from edge_c2vl.monitoring.standing import Aspect, Condition
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.skeletons.clip import Clip

AWAY_DEG = 20.0
# Decisions of the run, and for how long it learns first.
HOP_S, LEARN_S = 0.25, 100.0
# Shorter ones are blinks, which nobody marked on all recordings.
MIN_CLOSURE_S = 0.25
TRUTH = Path(__file__).with_suffix(".csv")

Seen = list[tuple[float, Face | None, FaceState]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    truth: dict[str, list[tuple[str, Bout]]] = defaultdict(list)
    with TRUTH.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            truth[row["clip"]].append((row["what"], Bout(float(row["start_s"]), float(row["end_s"]), 0.0)))
    print("| clip | pictures | face | closures | false | yawns | false | away, s | by the run, s | alerts |")
    print("|---" * 10 + "|")
    for clip, marked in truth.items():
        seen = look(arguments.folder / clip)
        pictures = len(seen) - 1  # without the one that ends it
        faces = sum(face is not None for _, face, _ in seen)
        cells = [clip, str(pictures), f"{faces / pictures:.1%}"]
        for what in ("closed", "yawn"):
            cells += [*found(what, marked, seen)]
        off_s, alerts = by_the_run(marked, seen)
        print(f"| {' | '.join(cells)} | {away(marked, seen):.2f} | {off_s:.2f} | {alerts} |", flush=True)


def look(path: Path) -> Seen:
    watch, seen = FaceWatch(), []
    with open_camera(str(path), CameraOptions()) as camera, PoseEstimator() as pose:
        tracker = FaceTracker.open()
        while (frame := camera.read()) is not None:
            assert frame.image is not None
            face = tracker.look(frame.image, pose.estimate(frame.image, frame.timestamp_s))
            seen.append((frame.timestamp_s, face, watch.update(frame.timestamp_s, face)))
        tracker.close()
    # What has not ended ends with the recording.
    seen.append((seen[-1][0] + 1.0, None, watch.update(seen[-1][0] + 1.0, None)))
    return seen


def found(what: str, marked: list[tuple[str, Bout]], seen: Seen) -> tuple[str, str]:
    told = [state.closure if what == "closed" else state.yawn for _, _, state in seen]
    bouts = [bout for bout in told if bout is not None]
    true = [bout for kind, bout in marked if kind == what]
    hits = sum(any(one.overlap_s(other) > one.length_s / 2 for other in bouts) for one in true)
    known = [bout for kind, bout in marked if kind in (what, "unclear")]
    false = [
        bout
        for bout in bouts
        if bout.length_s >= MIN_CLOSURE_S and not any(bout.overlap_s(other) > 0 for other in known)
    ]
    return f"{hits} of {len(true)}", str(len(false))


def away(marked: list[tuple[str, Bout]], seen: Seen) -> float:
    watched = [(time_s, face, state) for time_s, face, state in seen if inside(marked, time_s)]
    faces = [face for _, face, _ in watched if face is not None]
    ahead = straight_ahead([face.head.rotation for face in faces], [f.gaze for f in faces if f.gaze is not None])
    longest = 0.0
    since: float | None = None
    for time_s, face, state in watched:
        off = False
        if face is not None and face.gaze is not None and (state.openness or 0.0) > CLOSING:
            off = bool(np.hypot(*ahead.of_gaze(face.gaze)) > AWAY_DEG)
        since = (time_s if since is None else since) if off else None
        longest = max(longest, time_s - since if since is not None else 0.0)
    return longest


def by_the_run(marked: list[tuple[str, Bout]], seen: Seen) -> tuple[float, str]:
    aspects = frozenset({Aspect.GAZE, Aspect.EYES, Aspect.DROWSY})
    own, policy = OwnDriver(aspects), Policy([], aspects=aspects)
    nobody = Clip(np.zeros((3, 2, 25), np.float32), 0.0, 0.0, 0.0)
    now_s, recent, due_s = 0.0, [], 0.0
    longest = off_s = 0.0
    alerts: dict[str, str] = {}

    def play(step_s: float, face: Face | None, at_s: float | None) -> None:
        nonlocal now_s, due_s, off_s, longest, recent
        now_s += step_s
        recent = [*recent[-30:], SeenFace(now_s, face)]
        if now_s < due_s:
            return
        due_s = now_s + HOP_S
        looks = own.read(recent, nobody)
        status = policy.update(Observation(now_s, 0.0, 1.0, True, {"attentive": 1.0}, looks=looks))
        own.learn(now_s, status, moving=True)
        if at_s is None:
            return
        for reason, level in status.alerts.items():
            alerts[reason.value] = level.name.lower()
        off = status.reasons[Aspect.GAZE].state in (Condition.GLANCE, Condition.AWAY)
        off_s = off_s + HOP_S if off and inside(marked, at_s) else 0.0
        longest = max(longest, off_s)

    ahead = [one for one in seen if inside(marked, one[0])]
    while now_s < LEARN_S:
        for _, face, _ in [*ahead, *ahead[::-1]]:
            play(1 / 15, face, None)
    before_s = seen[0][0]
    for at_s, face, _ in seen:
        play(min(max(at_s - before_s, 0.001), 0.2), face, at_s)
        before_s = at_s
    return longest, ", ".join(f"{reason} ({level})" for reason, level in alerts.items())


def inside(marked: list[tuple[str, Bout]], at_s: float) -> bool:
    return any(span.start_s <= at_s <= span.end_s for kind, span in marked if kind == "ahead")


if __name__ == "__main__":
    main()
