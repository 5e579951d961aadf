"""What the face path finds on real recordings whose truth was marked by eye (face_clips.csv). Prints a Markdown row
a clip.

    python benchmarks/face_clips.py ../shared/data/video

closed, yawn: from when to when, to about a frame. ahead: the person looks into or just past the camera, whatever
the head does. unclear: lids that are lowered or closed, which cannot be told apart; neither found nor false there.
A closure or yawn was found where one that was told overlaps half of it; one that was told and overlaps none is
false. away: the longest time that the gaze was farther than AWAY_DEG from straight ahead while the person looked
ahead; closed eyes do not count.
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
from edge_c2vl.pose import PoseEstimator

AWAY_DEG = 20.0
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
    print("| clip | pictures | face | closures | false | yawns | false | away, s |\n|---|---|---|---|---|---|---|---|")
    for clip, marked in truth.items():
        seen = look(arguments.folder / clip)
        pictures = len(seen) - 1  # without the one that ends it
        faces = sum(face is not None for _, face, _ in seen)
        cells = [clip, str(pictures), f"{faces / pictures:.1%}"]
        for what in ("closed", "yawn"):
            cells += [*found(what, marked, seen)]
        print(f"| {' | '.join(cells)} | {away(marked, seen):.2f} |", flush=True)


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
    spans = [span for kind, span in marked if kind == "ahead"]

    def looks_ahead(time_s: float) -> bool:
        return any(span.start_s <= time_s <= span.end_s for span in spans)

    watched = [(time_s, face, state) for time_s, face, state in seen if looks_ahead(time_s)]
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


if __name__ == "__main__":
    main()
