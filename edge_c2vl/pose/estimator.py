"""Pose: a picture -> the 33 landmarks of the driver, by MediaPipe's BlazePose, run by us or by MediaPipe."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.pose.base import Tracker
from edge_c2vl.skeletons.evidence import Evidence
from edge_c2vl.skeletons.skeleton import Array

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Bundle

KINDS = ("auto", "blazepose", "mediapipe")
PLANS, INT8 = "blazepose:tensorrt", "blazepose:int8"
# How sure the detector has to be of a person: above what it says of noise and empty cars, below what it says of drivers
# whom it finds hard to see (docs/evidence.md). `run` has an option for it.
MIN_DETECTION = 0.3
# Smoothing goes by timestamps, which must rise: a frame that is not later than the one before it is taken to follow it
# by this much.
STEP_S = 1 / 30


class PoseEstimator:
    """Follows one person from frame to frame. For several people in view, crop the picture to the driver's seat.

    model: a `.task` file (MediaPipe pose landmarker), or None for BlazePose full. kind: "blazepose", our own graph on
    ONNX Runtime ("blazepose:cuda,cpu" tries these providers in that order; "blazepose:int8" is in INT8 on the CPU;
    "blazepose:tensorrt" runs the plans of `bundle`), "mediapipe", or "auto": see `resolve`. bundle: whose TensorRT
    plans of the pose networks may run. static: every picture stands for itself; nothing is followed or smoothed.
    threads: of the CPU; MediaPipe's own graph takes what it likes. Raises UsageError where the model cannot be used,
    BundleError where its files are not as they were.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        kind: str = "auto",
        static: bool = False,
        threads: int = 1,
        bundle: Bundle | None = None,
        min_detection_confidence: float = MIN_DETECTION,
        min_tracking_confidence: float = 0.5,
    ) -> None:
        self.kind = resolve(kind, model)
        confidences = (min_detection_confidence, min_tracking_confidence)
        self._tracker = _open(kind, self.kind, model, static, threads, bundle, *confidences)
        self._clock = RisingClock()
        self._tracker.warm_up(self._clock.at(-STEP_S))

    @property
    def identity(self) -> str:
        """Which networks run, and whose code: an archive's skeletons are all of one."""
        return self._tracker.identity

    @property
    def name(self) -> str:
        """The identity, and the engine that runs it."""
        return self._tracker.name

    @property
    def evidence(self) -> Evidence | None:
        """What the network said of the last picture; None where nobody was found, and of MediaPipe's own graph, which
        does not tell."""
        return self._tracker.evidence

    def estimate(self, image_bgr: NDArray[np.uint8], timestamp_s: float) -> Array | None:
        """The person's landmarks, mediapipe33 (33, 4), or None where nobody is in view.

        image_bgr: uint8 (H, W, 3). timestamp_s: rises from frame to frame; it is what tracking smooths by. x, y and z
        are in pixels of the picture, y = -row, z away from the camera and 0 between the hips; confidence is the
        model's visibility, and 0 for a landmark outside of the picture. Raises ValueError for a picture of another
        form.
        """
        if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8:
            raise ValueError(f"a picture is BGR uint8 (H, W, 3), this one is {image_bgr.dtype} {image_bgr.shape}")
        landmarks = self._tracker.landmarks(image_bgr, self._clock.at(timestamp_s))
        return None if landmarks is None else to_skeleton(landmarks, image_bgr.shape[1], image_bgr.shape[0])

    def reset(self) -> None:
        """Forgets the person who was followed: for the next recording. MediaPipe takes as long as for a start."""
        self._tracker.reset()

    def close(self) -> None:
        self._tracker.close()

    def __enter__(self) -> PoseEstimator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def resolve(kind: str = "auto", model: str | Path | None = None) -> str:
    """What `kind` and `model` come to: "auto" is MediaPipe where a `.task` file is named, else our own graph, which is
    the faster one; on a GPU or on the CPU is measured when it opens. Raises UsageError where they do not fit, or there
    is no such kind or file."""
    base, _, providers = kind.partition(":")
    if base not in KINDS or (providers and base != "blazepose") or kind.endswith(":"):
        known = ", ".join([*KINDS, "blazepose:cuda", INT8])
        raise UsageError(f"no pose estimator {kind!r}: there are {known} and {PLANS}")
    if model is not None and base == "blazepose":
        raise UsageError("a .task file runs through MediaPipe: leave out --pose, or give --pose mediapipe")
    if model is not None and not Path(model).is_file():
        raise UsageError(f"there is no pose model {model}")
    if base != "auto":
        return kind
    return "blazepose" if model is None else "mediapipe"


def _open(
    asked: str,
    kind: str,
    model: str | Path | None,
    static: bool,
    threads: int,
    bundle: Bundle | None,
    min_detection: float,
    min_tracking: float,
) -> Tracker:
    """asked: what `kind` was resolved from."""
    if kind == "mediapipe":
        from edge_c2vl.pose.mediapipe import open_mediapipe

        return open_mediapipe(model, static, min_detection, min_tracking)
    from edge_c2vl.pose.engines import open_engines
    from edge_c2vl.pose.fastest import open_fastest
    from edge_c2vl.pose.networks import open_networks
    from edge_c2vl.pose.tracker import BlazePose

    if asked == "auto":
        networks = open_fastest(threads, bundle=bundle)
    elif kind == PLANS:
        if bundle is None:
            raise UsageError(f"{PLANS} runs engines of a bundle (edge-c2vl build-engine), which are not used here")
        networks = open_engines(bundle)
    else:
        providers, precision = _how(kind)
        networks = open_networks(providers, threads, precision=precision)
    return BlazePose(networks, static, min_detection, min_tracking)


def identity_of(kind: str = "auto", model: str | Path | None = None) -> str:
    """The `identity` that an estimator of that kind would have; nothing is opened. Raises UsageError, BundleError."""
    kind = resolve(kind, model)
    if kind == "mediapipe":
        from edge_c2vl.pose.mediapipe import identity

        return identity(model)
    from edge_c2vl.pose.networks import FOLDER, verify

    return verify(FOLDER, _how(kind)[1])


def _how(kind: str) -> tuple[list[str], str]:
    """ONNX Runtime's providers from "blazepose:cuda,cpu", and the precision."""
    from edge_c2vl.pose.networks import precision_for

    if kind == INT8:
        return ["cpu"], "int8"
    providers = [name.strip() for name in (kind.partition(":")[2] or "cpu").split(",")]
    return providers, precision_for(providers)


def to_skeleton(landmarks: Array, width: int, height: int) -> Array:
    """Normalised landmarks (33, 4), x, y, z, visibility, as mediapipe33 in pixels, y up.

    x and z are shares of the width, y of the height, downwards; z is negative towards the camera.
    """
    skeleton = landmarks.astype(np.float32) * np.array([width, -height, width, 1], np.float32)
    inside = (landmarks[:, :2] >= 0).all(axis=1) & (landmarks[:, :2] <= 1).all(axis=1)
    skeleton[~inside | ~np.isfinite(landmarks).all(axis=1)] = 0
    skeleton[:, 3] = np.clip(skeleton[:, 3], 0, 1)
    return skeleton


class RisingClock:
    """Turns timestamps into ones that rise strictly, by whole milliseconds: what smoothing goes by."""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._last_ms: int | None = None

    def at(self, timestamp_s: float) -> int:
        """Milliseconds of a timestamp. Where time stands still or goes back, it goes on one frame later instead."""
        now_ms = round((timestamp_s + self._offset_s) * 1000)
        if self._last_ms is not None and now_ms <= self._last_ms:
            self._offset_s = self._last_ms / 1000 + STEP_S - timestamp_s
            now_ms = round((timestamp_s + self._offset_s) * 1000)
        self._last_ms = now_ms
        return now_ms
