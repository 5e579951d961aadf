"""What a bundle calls the activities of the simulated driver, drawn for eight cameras and seen through BlazePose.

    python benchmarks/simulated_confusion.py --drivers 2 --picture confusion.png
    python benchmarks/simulated_confusion.py --true        # the true joints, to tell the pose network's share

The activities of the drawn driver (edge_c2vl/simulated/activities) that a class of the bundle stands for. Its movements
are other ones than those of the clips that the default bundle learnt from, but both are made by rules: this is no
accuracy on people. A window a second; one in which no arm was seen long enough is not judged.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np

from edge_c2vl import plots
from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.cameras.infrared import Brightener
from edge_c2vl.cameras.simulated import make_film, parse
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.skeletons.clip import ClipBuffer
from edge_c2vl.utils.atomic import write_file
from edge_c2vl.utils.progress import track
from train.metrics import confusion

# Activity of the drawn driver -> class of the bundle; {hand}: the driver's phone hand.
CLASSES = {
    "attentive": "attentive",
    "interacting_with_phone": "interacting_with_phone_{hand}",
    "talking_on_phone": "talking_on_phone_{hand}",
    "pressing_automation_button": "using_multimedia_display",
    "drinking": "eating_or_drinking",
    "eating": "eating_or_drinking",
    "fetching_an_object": "fetching_an_object",
    "reading_newspaper": "reading_or_writing",
    "putting_on_sunglasses": "adjusting",
    "fastening_seat_belt": "adjusting",
}


def windows(
    camera: str, number: int, activity: str, seconds: float, fps: float, pose: PoseEstimator | None, buffer: ClipBuffer
) -> list[np.ndarray | None]:
    """The clips of a film, one a second, None where too little of the arms was seen."""
    film = make_film(parse(f"simulated:{activity}?camera={camera}&driver={number}"), 480)
    if pose is not None:
        pose.reset()
    brightener, found = Brightener("auto"), []
    for picture in range(round(seconds * fps)):
        time_s = picture / fps
        if pose is None:
            skeleton = film.truth(time_s).pixels
        else:
            skeleton = pose.estimate(brightener.apply(film.image(time_s), time_s), time_s)
        buffer.add(time_s, skeleton)
        if time_s >= buffer.spec.seconds + 0.5 and picture % round(fps) == 0:
            clip = buffer.clip()
            found.append(clip.data if clip.arms >= buffer.spec.min_arms else None)
    return found


def told(probabilities: dict[str, float]) -> str:
    """What the vehicle tells: of a distraction the most probable of what distracts."""
    others = {name: value for name, value in probabilities.items() if name != "attentive"}
    return max(others, key=others.__getitem__) if sum(others.values()) > 0.5 else "attentive"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--drivers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each activity; the first window is left out")
    parser.add_argument("--fps", type=float, default=6.0)
    parser.add_argument("--cameras", nargs="+", default=list(VIEWS), choices=list(VIEWS))
    parser.add_argument("--true", action="store_true", help="the true joints in place of BlazePose's")
    parser.add_argument("--picture", type=Path, help="draw the confusion matrix there (.png)")
    parser.add_argument("--most-s", type=float, default=math.inf, help="end after so much time, and tell what was done")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    truth: list[str] = []
    answers: list[str] = []
    cameras: list[str] = []
    blind: Counter[str] = Counter()
    # Camera after camera, so that all activities were there when it is ended early.
    work = [(c, number, a) for number in range(1, given.drivers + 1) for c in given.cameras for a in CLASSES]
    started_s = time.monotonic()
    with ClipModel.open(Bundle.open(given.bundle)) as model, nullcontext() if given.true else PoseEstimator() as pose:
        names = model.labels
        for camera, number, activity in track(work, "films", len(work)):
            if time.monotonic() - started_s > given.most_s:
                break
            label = CLASSES[activity].format(hand=make_driver(number, 0).habits.phone_hand)
            buffer = ClipBuffer(model.clip, "mediapipe33")
            for clip in windows(camera, number, activity, given.seconds, given.fps, pose, buffer):
                if clip is None:
                    blind[camera] += 1
                    continue
                truth.append(label)
                answers.append(told(dict(zip(names, model.classify(clip[None])[0], strict=True))))
                cameras.append(camera)
    shown = [name for name in names if name in truth]
    print("| camera | windows judged | not judged | named rightly | attentive called so | the rest called so |")
    print("|---" * 6 + "|")
    is_, called, place = np.array(truth), np.array(answers), np.array(cameras)
    for camera in [*given.cameras, "all"]:
        here = np.ones(len(is_), bool) if camera == "all" else place == camera
        calm = here & (is_ == "attentive")
        rest = here & (is_ != "attentive")
        lost = sum(blind.values()) if camera == "all" else blind[camera]
        shares = [(is_ == called)[here], (called == "attentive")[calm], (called == "attentive")[rest]]
        cells = [f"{share.mean():.0%}" if len(share) else "–" for share in shares]
        print(f"| {camera} | {int(here.sum())} | {lost} | {' | '.join(cells)} |")
    print("\n| is | windows | named rightly | called most |\n|---|---|---|---|")
    for name in shown:
        said = Counter(called[is_ == name].tolist())
        most = ", ".join(f"{answer} {count}" for answer, count in said.most_common(3))
        print(f"| {name} | {sum(said.values())} | {said[name] / sum(said.values()):.0%} | {most} |")
    if given.picture:
        matrix = confusion([names.index(name) for name in truth], [names.index(name) for name in answers], len(names))
        write_file(given.picture, plots.png(plots.confusion(matrix, names, "simulated driver, eight cameras")))


if __name__ == "__main__":
    main()
