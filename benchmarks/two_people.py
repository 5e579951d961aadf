"""Whether the driver is still followed after a passenger has leaned over. Writes the table of docs/camera.md.

    python benchmarks/two_people.py ../shared/data/video/*.mkv

Every two recordings are laid beside each other: the one on the left is the driver, the one on the right a passenger who
leans over in front within 0.7 s, as far as the row says, and back, and 1.5 s of both in their seats follow. Without a
crop whoever the detector is surest of is followed: counted are the pairs in which that is the driver. Kept: at the end
the nose is where it is in a picture of the driver alone; taken over: it is in the passenger's half. With the driver's
half as --crop all pairs count.
"""

from __future__ import annotations

import argparse
import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33

NOSE = MEDIAPIPE33.index("nose")
WIDTH, HEIGHT, FPS = 480, 360, 30
OVER = (0.25, 0.5, 0.75, 1.0)
Pictures = list[NDArray[np.uint8]]


def pictures(uri: str) -> Pictures:
    with open_camera(uri) as camera:
        found = []
        while (frame := camera.read()) is not None:
            if frame.image is not None:
                found.append(cv2.resize(frame.image, (WIDTH, HEIGHT)).astype(np.uint8, copy=False))
    return found


def beside(driver: Pictures, passenger: Pictures, over: float) -> Pictures:
    """The two in one picture, frame by frame; the clips begin anew where they end."""
    way = np.concatenate([np.zeros(10), np.linspace(0, over, 20), np.linspace(over, 0, 20), np.zeros(45)])
    made = []
    for index, share in enumerate(way):
        image = np.zeros((HEIGHT, 2 * WIDTH, 3), np.uint8)
        image[:, :WIDTH] = driver[index % len(driver)]
        at = WIDTH - round(share * WIDTH)
        image[:, at : at + WIDTH] = passenger[index % len(passenger)]
        made.append(image)
    return made


def noses(images: Pictures) -> list[float]:
    """The column of the nose of whoever is followed, in each picture; NaN where nobody is."""
    with PoseEstimator() as pose:
        found = [pose.estimate(image, index / FPS) for index, image in enumerate(images)]
    return [float("nan") if skeleton is None else float(skeleton[NOSE, 0]) for skeleton in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+")
    clips = [pictures(uri) for uri in parser.parse_args().recordings]
    alone = [noses([image[:, :WIDTH] for image in beside(clip, clip, 0)])[-1] for clip in clips]
    print("| passenger over | pairs | kept | taken over | nobody | pairs | kept with --crop |")
    print("|" + "---|" * 7)
    for over in OVER:
        without, cropped = [], []
        for a, b in itertools.permutations(range(len(clips)), 2):
            images = beside(clips[a], clips[b], over)
            found = noses(images)
            if found[0] < WIDTH:
                last = found[-1]
                without.append((abs(last - alone[a]) < 20, last > WIDTH, np.isnan(last)))
            cropped.append(abs(noses([image[:, :WIDTH] for image in images])[-1] - alone[a]) < 20)
        shares = " | ".join(f"{value:.0%}" for value in np.mean(without, axis=0))
        print(f"| {over:.0%} of the seat | {len(without)} | {shares} | {len(cropped)} | {np.mean(cropped):.0%} |")


if __name__ == "__main__":
    main()
