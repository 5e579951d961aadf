"""Pose: a picture -> the 33 landmarks of the driver, by MediaPipe's BlazePose.

Bazarevsky et al., "BlazePose: On-device real-time body pose tracking", CVPR Workshops 2020. The full model that
MediaPipe 0.10.14 carries runs by default, or a `.task` file that the user names, through the Tasks API.
"""

from __future__ import annotations

import contextlib
import sys
import types
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.quiet import filtered_stderr
from edge_c2vl.skeleton import MEDIAPIPE33, Array

# What MediaPipe, TensorFlow Lite and EGL say at every start; anything else they say is let through.
NOISE = (
    "Created TensorFlow Lite XNNPACK delegate",
    "before absl::InitializeLog()",
    "inference_feedback_manager.cc",
    "GPU suport is not available",  # MediaPipe's spelling
    "GL version",
    "Using NORM_RECT without IMAGE_DIMENSIONS",
)
# The smoothing in MediaPipe's graphs goes by timestamps, which must rise: a frame that is not later than the one
# before it is taken to follow it by this much.
STEP_S = 1 / 30


class PoseEstimator:
    """Follows one person from frame to frame. For several people in view, crop the picture to the driver's seat.

    model: a `.task` file (MediaPipe pose landmarker), or None for the model that MediaPipe carries. static: every
    picture stands for itself; nothing is followed or smoothed. Raises UsageError where the model cannot be used.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        static: bool = False,
        min_detection_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
    ) -> None:
        confidences = (min_detection_confidence, min_tracking_confidence)
        self._clock = _RisingClock()
        with filtered_stderr(NOISE):
            if model is None:
                self._network: _Network = _Bundled(static, *confidences)
            else:
                self._network = _Task(Path(model), static, *confidences)
            # The graphs start in threads that say the rest of it by their first picture.
            self._network.landmarks(np.zeros((64, 64, 3), np.uint8), self._clock.at(-STEP_S))

    def estimate(self, image_bgr: NDArray[np.uint8], timestamp_s: float) -> Array | None:
        """The person's landmarks, mediapipe33 (33, 4), or None where nobody is in view.

        image_bgr: uint8 (H, W, 3). timestamp_s: rises from frame to frame; it is what tracking smooths by. x, y and z
        are in pixels of the picture, y = -row, z away from the camera and 0 between the hips; confidence is the
        model's visibility, and 0 for a landmark outside of the picture. Raises ValueError for a picture of another
        form.
        """
        import cv2

        if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8:
            raise ValueError(f"a picture is BGR uint8 (H, W, 3), this one is {image_bgr.dtype} {image_bgr.shape}")
        image_rgb = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        landmarks = self._network.landmarks(image_rgb, self._clock.at(timestamp_s))
        if landmarks is None:
            return None
        return to_skeleton(landmarks, image_bgr.shape[1], image_bgr.shape[0])

    def reset(self) -> None:
        """Forgets the person who was followed: for the next recording. Takes as long as starting does."""
        with filtered_stderr(NOISE):
            self._network.reset()

    def close(self) -> None:
        self._network.close()

    def __enter__(self) -> PoseEstimator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def to_skeleton(landmarks: Array, width: int, height: int) -> Array:
    """MediaPipe's normalised landmarks (33, 4), x, y, z, visibility, as mediapipe33 in pixels, y up.

    x and z are shares of the width, y of the height, downwards; z is negative towards the camera.
    """
    skeleton = landmarks.astype(np.float32) * np.array([width, -height, width, 1], np.float32)
    inside = (landmarks[:, :2] >= 0).all(axis=1) & (landmarks[:, :2] <= 1).all(axis=1)
    skeleton[~inside | ~np.isfinite(landmarks).all(axis=1)] = 0
    skeleton[:, 3] = np.clip(skeleton[:, 3], 0, 1)
    return skeleton


class _RisingClock:
    """Turns timestamps into ones that rise strictly, by whole milliseconds: what MediaPipe's graphs take."""

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


class _Network(ABC):
    """One way to run BlazePose."""

    @abstractmethod
    def landmarks(self, image_rgb: NDArray[np.uint8], timestamp_ms: int) -> Array | None:
        """Normalised landmarks (33, 4), x, y, z, visibility, of one person, or None."""

    @abstractmethod
    def reset(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class _Bundled(_Network):
    """The full model inside MediaPipe 0.10.14's wheel, through the solutions API."""

    def __init__(self, static: bool, min_detection: float, min_tracking: float) -> None:
        with _light_import():
            try:
                from mediapipe.python.solutions.pose import Pose
            except ImportError as error:
                raise UsageError(
                    f"MediaPipe is missing or brings no pose model ({error}); name one with --pose-model FILE.task, "
                    "or install the version that does: pip install mediapipe==0.10.14"
                ) from None
        warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)
        # Complexity 1 is the one in the wheel; 0 and 2 would be downloaded at run time.
        self._pose: Any = Pose(
            static_image_mode=static,
            model_complexity=1,
            min_detection_confidence=min_detection,
            min_tracking_confidence=min_tracking,
        )

    def landmarks(self, image_rgb: NDArray[np.uint8], timestamp_ms: int) -> Array | None:
        # `process` counts 33.3 ms for each frame, whatever the camera does. Its smoothing would then lag by as much
        # as the frame rate is below 30, so the frame's own time is put in its place.
        self._pose._simulated_timestamp = timestamp_ms * 1000 - 33333
        found = self._pose.process(image_rgb).pose_landmarks
        return None if found is None else _as_array(found.landmark)

    def reset(self) -> None:
        self._pose.reset()

    def close(self) -> None:
        self._pose.close()


class _Task(_Network):
    """A `.task` file through the Tasks API, which newer MediaPipe versions have too."""

    def __init__(self, model: Path, static: bool, min_detection: float, min_tracking: float) -> None:
        if not model.is_file():
            raise UsageError(f"there is no pose model {model}")
        if not zipfile.is_zipfile(model):
            raise UsageError(f"{model} is no MediaPipe pose landmarker: a .task file holds two .tflite models")
        with _light_import():
            import mediapipe
            from mediapipe.tasks.python.core.base_options import BaseOptions
            from mediapipe.tasks.python.vision import PoseLandmarker, PoseLandmarkerOptions, RunningMode

        self._image = lambda rgb: mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
        self._static, self._landmarker_class = static, PoseLandmarker
        self._anyone_yet = False
        self._options = PoseLandmarkerOptions(
            # Its content, because MediaPipe opens no name that is not UTF-8.
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            running_mode=RunningMode.IMAGE if static else RunningMode.VIDEO,
            min_pose_detection_confidence=min_detection,
            min_pose_presence_confidence=min_tracking,
            min_tracking_confidence=min_tracking,
        )
        try:
            self._landmarker: Any = PoseLandmarker.create_from_options(self._options)
        except (RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"MediaPipe cannot use the pose model {model}: {reason}") from None

    def landmarks(self, image_rgb: NDArray[np.uint8], timestamp_ms: int) -> Array | None:
        # Newer versions have one more message, when the first person appears.
        with contextlib.nullcontext() if self._anyone_yet else filtered_stderr(NOISE):
            image = self._image(image_rgb)
            if self._static:
                found = self._landmarker.detect(image).pose_landmarks
            else:
                found = self._landmarker.detect_for_video(image, timestamp_ms).pose_landmarks
        self._anyone_yet |= bool(found)
        return _as_array(found[0]) if found else None

    def reset(self) -> None:
        self._landmarker.close()
        self._landmarker = self._landmarker_class.create_from_options(self._options)

    def close(self) -> None:
        self._landmarker.close()


def _as_array(landmarks: Any) -> Array:
    array = np.array([(point.x, point.y, point.z, point.visibility) for point in landmarks], np.float32)
    assert array.shape == (MEDIAPIPE33.size, 4)
    return array


@contextlib.contextmanager
def _light_import() -> Iterator[None]:
    """Imports MediaPipe without what it imports only to plot and to record sound.

    matplotlib costs 33 MB, most of the import's time, and a font search at each start where the home folder is
    read-only; sounddevice wakes the sound system. Empty modules stand in for them, and only during the import.
    """
    unused = [name for name in ("matplotlib", "matplotlib.pyplot", "sounddevice") if name not in sys.modules]
    if "matplotlib" not in unused and "matplotlib.pyplot" in unused:
        unused.remove("matplotlib.pyplot")
    sys.modules.update({name: types.ModuleType(name) for name in unused})
    try:
        yield
    finally:
        for name in unused:
            sys.modules.pop(name, None)
