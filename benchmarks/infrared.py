"""How should dark infrared pictures be brightened before the pose? Writes the tables of docs/camera.md.

    python benchmarks/infrared.py ../shared/data

Pictures: a real near-infrared frame of Drive&Act in 72 variants (size, cut, mirrored, gain), and every 8th frame of
real clips, gray, darkened (gain, photon and read noise, 8 bits; "spot": lit from the camera, with a sunlit window).
Each picture stands for itself, which is harder than following a person; the second table follows. Takes 10 minutes.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.infrared import Brightener
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.skeletons.skeleton import Array

Gray = NDArray[np.uint8]
# Of one picture: gray, and the landmarks (33, 4) of the picture before it was darkened, where known.
Case = tuple[Gray, Array | None]
CONDITIONS = [
    (1.0, False),
    (0.3, False),
    (0.2, False),
    (0.12, False),
    (0.06, False),
    (0.04, False),
    (0.12, True),
    (0.06, True),
]


def stretch(gray: Gray, low: float = 1, high: float = 99) -> Gray:
    black, white = np.percentile(gray[::4, ::4], [low, high]).astype(np.float32)
    scaled = (gray.astype(np.float32) - black) * np.float32(255 / max(white - black, 0.03 * 255))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def gamma(gray: Gray, exponent: float) -> Gray:
    return lut(gray, 255 * (np.arange(256) / 255) ** exponent)


def gamma_to(gray: Gray, median: float) -> Gray:
    """The gamma that brings the picture's median to a share of white."""
    now = max(float(np.median(gray[::4, ::4])) / 255, 1e-3)
    return gamma(gray, float(np.clip(np.log(median) / np.log(now), 0.2, 1)))


def lut(gray: Gray, table: NDArray[Any]) -> Gray:
    return cv2.LUT(gray, table.astype(np.uint8)).astype(np.uint8, copy=False)


def clahe(gray: Gray, clip: float, tiles: int = 8) -> Gray:
    return cv2.createCLAHE(clip, (tiles, tiles)).apply(gray).astype(np.uint8, copy=False)


def blur(gray: Gray, size: int) -> Gray:
    return cv2.GaussianBlur(gray, (size, size), 0).astype(np.uint8, copy=False)


METHODS: dict[str, Callable[[Gray], Gray]] = {
    "as it is": lambda g: g,
    "stretch 1-99 %": stretch,
    "stretch 1-95 %": lambda g: stretch(g, 1, 95),
    "gamma 0.5": lambda g: gamma(g, 0.5),
    "gamma, median to 0.3": lambda g: gamma_to(g, 0.3),
    "equalised histogram": lambda g: cv2.equalizeHist(g).astype(np.uint8, copy=False),
    "CLAHE 4": lambda g: clahe(g, 4),
    "stretch, gamma 0.7": lambda g: gamma(stretch(g), 0.7),
    "stretch, CLAHE 4": lambda g: clahe(stretch(g), 4),
    "blur 3, stretch": lambda g: stretch(blur(g, 3)),
    "blur 3, gamma 0.5": lambda g: gamma(blur(g, 3), 0.5),
    "blur 3, CLAHE 4": lambda g: clahe(blur(g, 3), 4),
    "blur 3, stretch, CLAHE 2": lambda g: clahe(stretch(blur(g, 3)), 2),
    "blur 3, stretch, CLAHE 4": lambda g: clahe(stretch(blur(g, 3)), 4),
    "the same, only while dark (used)": lambda g: Brightener("auto").apply(g, 0.0)[..., 0],
    "blur 5, stretch, CLAHE 4": lambda g: clahe(stretch(blur(g, 5)), 4),
    "median 3, stretch, CLAHE 4": lambda g: clahe(stretch(cv2.medianBlur(g, 3).astype(np.uint8)), 4),
}


def darkened(gray: Gray, gain: float, spot: bool, rng: np.random.Generator) -> Gray:
    """The picture as a sensor with little light gives it: photon noise, one count of read noise, 8 bits."""
    light = gray.astype(np.float32) * gain
    if spot:
        height, width = gray.shape
        rows, columns = np.mgrid[:height, :width]
        distance = np.hypot((columns - width / 2) / width, (rows - height / 2) / height)
        light *= 1.2 - 1.4 * distance.clip(0, 0.8)
        light[: height // 8, -width // 8 :] = 255
    noise = rng.normal(0, 1, gray.shape) * np.sqrt(np.maximum(light, 0)) * 0.25 + rng.normal(0, 1, gray.shape)
    return np.clip(light + noise, 0, 255).astype(np.uint8)


def infrared_variants(path: Path) -> list[Case]:
    frame = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert frame is not None, path
    cases: list[Case] = []
    for scale, left, top, mirrored, gain in itertools.product((1, 0.75, 0.5), (0, 30, 60), (0, 30), (0, 1), (1, 0.6)):
        cut = frame[top:, left:]
        cut = cv2.resize(cut[:, ::-1] if mirrored else cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cases.append(((cut * gain).astype(np.uint8), None))
    return cases


def read_gray(uri: str) -> list[tuple[Gray, float]]:
    with open_camera(uri, CameraOptions(mode="rgb")) as camera:
        return [
            (cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY).astype(np.uint8), frame.timestamp_s)
            for frame in iter(camera.read, None)
        ]


def three(gray: Gray) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.dstack([gray] * 3))


def print_still(clips: dict[str, list[tuple[Gray, float]]], infrared: Path) -> None:
    rng = np.random.default_rng(0)
    with PoseEstimator(static=True) as pose:
        stills = [gray for frames in clips.values() for gray, _ in frames[4::8]]
        known = [(gray, found) for gray in stills if (found := pose.estimate(three(gray), 0.0)) is not None]
        cases = {"real infrared": infrared_variants(infrared)}
        for gain, spot in CONDITIONS:
            cases[f"{gain}{' spot' if spot else ''}"] = [(darkened(g, gain, spot, rng), p) for g, p in known]
        print(f"{len(cases['real infrared'])} infrared variants; {len(known)} frames of {len(clips)} clips\n")
        print("| method | " + " | ".join(cases) + " | ms |")
        print("|" + "---|" * (len(cases) + 2))
        for name, method in METHODS.items():
            cells = [cell([(pose.estimate(three(method(g)), 0.0), ref) for g, ref in rows]) for rows in cases.values()]
            print(
                f"| {name} | " + " | ".join(cells) + f" | {milliseconds(method, cases['0.12'][0][0]):.1f} |", flush=True
            )


def cell(found: list[tuple[Array | None, Array | None]]) -> str:
    """Share of the pictures with a pose; median distance from the landmarks in full light, in shoulder widths."""
    shift = []
    for pose, reference in found:
        if pose is not None and reference is not None:
            both = (pose[:25, 3] > 0.5) & (reference[:25, 3] > 0.5)
            width = max(float(np.linalg.norm(reference[11, :2] - reference[12, :2])), 1.0)
            if both.any():
                shift.append(np.linalg.norm(pose[:25][both, :2] - reference[:25][both, :2], axis=1).mean() / width)
    share = f"{100 * sum(pose is not None for pose, _ in found) / len(found):.0f} %"
    return share + (f" ({np.median(shift):.2f})" if shift else "")


def milliseconds(method: Callable[[Gray], Gray], gray: Gray) -> float:
    """Processor time of one thread, which other programs do not change much."""
    picture = cv2.resize(gray, (640, 480)).astype(np.uint8)
    times = []
    for _ in range(30):
        started = time.thread_time()
        method(picture)
        times.append(time.thread_time() - started)
    return float(np.median(times)) * 1e3


def print_followed(clips: dict[str, list[tuple[Gray, float]]]) -> None:
    print("\n| followed | " + " | ".join(f"{gain}{' spot' if s else ''}" for gain, s in CONDITIONS) + " |")
    print("|" + "---|" * (len(CONDITIONS) + 1))
    for mode in ("rgb", "auto"):
        shares = []
        for gain, spot in CONDITIONS:
            rng = np.random.default_rng(0)
            seen = total = 0
            for frames in clips.values():
                brightener = Brightener(mode)
                with PoseEstimator() as pose:
                    for gray, timestamp_s in frames:
                        image = brightener.apply(darkened(gray, gain, spot, rng), timestamp_s)
                        seen += pose.estimate(np.ascontiguousarray(image), timestamp_s) is not None
                        total += 1
            shares.append(f"{100 * seen / total:.0f} %")
        print(f"| `{mode}` | " + " | ".join(shares) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with drive-act/ and video/")
    data = parser.parse_args().data
    cv2.setNumThreads(1)
    paths = [*sorted((data / "video").glob("*.mkv")), *sorted((data / "video").glob("*.gif"))]
    clips = {uri: read_gray(uri) for uri in ["sample", *map(str, paths)]}
    print_still(clips, data / "drive-act" / "nir_inner_mirror_1.png")
    print_followed(clips)


if __name__ == "__main__":
    main()
