"""One video -> skeletons, by the live pipeline's own camera and pose code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.camera import CameraOptions
from edge_c2vl.skeleton import MEDIAPIPE33, Array, to_ntu25


@dataclass(frozen=True)
class Recipe:
    """How skeletons are made of videos. pose, pose_model: `kind` and `model` of pose.PoseEstimator."""

    camera: CameraOptions = field(default_factory=CameraOptions)
    pose_model: str | None = None
    pose: str = "auto"


@dataclass(frozen=True)
class Skeletons:
    """What a video gave: ntu25 frames (T, 25, 4), all zeros where nobody was seen; seconds (T,); frames a second; in
    how many frames somebody was seen."""

    frames: Array
    timestamps: NDArray[np.float64]
    fps: float
    poses: int


def read_video(path: str, recipe: Recipe, tell: Callable[[float], None]) -> Skeletons:
    """Follows the driver from the first frame to the last. tell: is given the share that is done, now and then.

    Raises CameraError, UsageError.
    """
    from edge_c2vl.camera import open_camera
    from edge_c2vl.pose import PoseEstimator

    frames: list[Array] = []
    stamps: list[float] = []
    nobody = np.zeros((MEDIAPIPE33.size, 4), np.float32)
    poses = 0
    with open_camera(path, recipe.camera) as camera, PoseEstimator(recipe.pose_model, kind=recipe.pose) as pose:
        total, rate = camera.frame_count, camera.fps
        while (frame := camera.read()) is not None:
            landmarks = None if frame.image is None else pose.estimate(frame.image, frame.timestamp_s)
            # As the window of the live pipeline does: a frame that is not later than the last is dropped.
            if stamps and frame.timestamp_s <= stamps[-1]:
                continue
            poses += landmarks is not None
            frames.append(nobody if landmarks is None else landmarks)
            stamps.append(frame.timestamp_s)
            if total and len(frames) % 30 == 0:
                tell(min(1.0, len(frames) / total))
    timestamps = np.array(stamps, np.float64)
    if len(stamps) > 1:
        rate = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    return Skeletons(to_ntu25(np.stack(frames), MEDIAPIPE33), timestamps, float(rate or 30.0), poses)
