"""In how many single pictures somebody is found: in the whole picture, and in parts of it too; for docs/camera.md.

    python benchmarks/static_pose.py ../shared/data/video/*.mkv

Pictures: every twelfth frame of the recordings; the same ones made so small that they take a quarter and 15 % of a
gray picture's width; five activities of a drawn driver, from each camera of the simulated car; and noise, in which
there is nobody.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.simulated.cameras import VIEWS

DRAWN = "simulated:attentive,phoning,drinking,texting,searching?live=no&seconds=15&fps=1&each=3&size=640x480&camera="
WIDTH, HEIGHT = 640, 480
Pictures = list[NDArray[np.uint8]]


def pictures(uri: str, step: int) -> Pictures:
    with open_camera(uri) as camera:
        found = []
        while (frame := camera.read()) is not None:
            if frame.image is not None:
                found.append(frame.image)
    return found[::step]


def small(image: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The picture at `share` of the width, off the centre of a gray one."""
    width = round(WIDTH * share)
    shrunk = cv2.resize(image, (width, round(width * image.shape[0] / image.shape[1])), interpolation=cv2.INTER_AREA)
    result = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    result[HEIGHT // 2 : HEIGHT // 2 + len(shrunk), WIDTH // 2 : WIDTH // 2 + width] = shrunk
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+")
    real = [image for uri in parser.parse_args().recordings for image in pictures(uri, 12)]
    noise = np.random.default_rng(0)
    sets = {
        "recordings": real,
        "25 % of the width": [small(image, 0.25) for image in real],
        "15 % of the width": [small(image, 0.15) for image in real],
        **{f"drawn, {view}": pictures(DRAWN + view, 1) for view in VIEWS},
        "noise": [noise.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(5)],
    }
    print("| pictures | number | found in the whole | in parts too |\n|---|---|---|---|")
    with PoseEstimator() as tracking, PoseEstimator(static=True) as static:
        for name, images in sets.items():
            whole = parts = 0
            for index, image in enumerate(images):
                tracking.reset()
                whole += tracking.estimate(image, index) is not None
                parts += static.estimate(image, index) is not None
            count = len(images)
            print(f"| {name} | {count} | {whole / count:.0%} | {parts / count:.0%} |", flush=True)


if __name__ == "__main__":
    main()
