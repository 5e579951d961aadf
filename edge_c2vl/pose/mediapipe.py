"""BlazePose by MediaPipe's own code: the reference for ours, and what runs a `.task` file.

The full model that MediaPipe 0.10.14 carries, through the solutions API, or a file through the Tasks API.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import sys
import types
import warnings
import zipfile
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.pose.base import Tracker
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, Array
from edge_c2vl.utils.stderr import filtered_stderr

# What MediaPipe, TensorFlow Lite and EGL say at every start; anything else they say is let through.
NOISE = (
    "Created TensorFlow Lite XNNPACK delegate",
    "before absl::InitializeLog()",
    "inference_feedback_manager.cc",
    "GPU suport is not available",  # MediaPipe's spelling
    "GL version",
    "Using NORM_RECT without IMAGE_DIMENSIONS",
)


def open_mediapipe(model: str | Path | None, static: bool, min_detection: float, min_tracking: float) -> Tracker:
    """model: a `.task` file, or None for the model that MediaPipe carries. Raises UsageError where it does not open."""
    with filtered_stderr(NOISE):
        if model is None:
            return Bundled(static, min_detection, min_tracking)
        return TaskNetwork(Path(model), static, min_detection, min_tracking)


def identity(model: str | Path | None) -> str:
    """See Tracker. Raises UsageError where there is no MediaPipe or no such model."""
    try:
        if model is not None:
            return f"mediapipe task {hashlib.sha256(Path(model).read_bytes()).hexdigest()[:12]}"
        return f"mediapipe {importlib.metadata.version('mediapipe')}"
    except (OSError, importlib.metadata.PackageNotFoundError) as error:
        raise UsageError(
            f"no pose by MediaPipe here: {error}; pip install mediapipe==0.10.14, or leave it out"
        ) from None


class _MediaPipe(Tracker):
    """What MediaPipe says at a start stays off the terminal."""

    def warm_up(self, timestamp_ms: int) -> None:
        with filtered_stderr(NOISE):  # the graphs start in threads that say the rest of it by their first picture
            super().warm_up(timestamp_ms)

    def reset(self) -> None:
        with filtered_stderr(NOISE):
            self._reset()

    @abstractmethod
    def _reset(self) -> None: ...


class Bundled(_MediaPipe):
    """The full model inside MediaPipe 0.10.14's wheel, through the solutions API."""

    def __init__(self, static: bool, min_detection: float, min_tracking: float) -> None:
        with _light_import(), _known_missing():
            from mediapipe.python.solutions.pose import Pose
        warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)
        # Complexity 1 is the one in the wheel; 0 and 2 would be downloaded at run time.
        self._pose: Any = Pose(
            static_image_mode=static,
            model_complexity=1,
            min_detection_confidence=min_detection,
            min_tracking_confidence=min_tracking,
        )
        self.identity = self.name = identity(None)

    def landmarks(self, image_bgr: NDArray[np.uint8], timestamp_ms: int) -> Array | None:
        # `process` counts 33.3 ms for each frame, whatever the camera does. Its smoothing would then lag by as much
        # as the frame rate is below 30, so the frame's own time is put in its place.
        self._pose._simulated_timestamp = timestamp_ms * 1000 - 33333
        found = self._pose.process(_rgb(image_bgr)).pose_landmarks
        return None if found is None else _as_array(found.landmark)

    def _reset(self) -> None:
        self._pose.reset()

    def close(self) -> None:
        self._pose.close()


class TaskNetwork(_MediaPipe):
    """A `.task` file through the Tasks API, which newer MediaPipe versions have too."""

    def __init__(self, model: Path, static: bool, min_detection: float, min_tracking: float) -> None:
        if not zipfile.is_zipfile(model):
            raise UsageError(f"{model} is no MediaPipe pose landmarker: a .task file holds two .tflite models")
        with _light_import(), _known_missing():
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
        self.identity = identity(model)
        self.name = f"{self.identity} ({model.name})"

    def landmarks(self, image_bgr: NDArray[np.uint8], timestamp_ms: int) -> Array | None:
        # Newer versions have one more message, when the first person appears.
        with contextlib.nullcontext() if self._anyone_yet else filtered_stderr(NOISE):
            image = self._image(_rgb(image_bgr))
            if self._static:
                found = self._landmarker.detect(image).pose_landmarks
            else:
                found = self._landmarker.detect_for_video(image, timestamp_ms).pose_landmarks
        self._anyone_yet |= bool(found)
        return _as_array(found[0]) if found else None

    def _reset(self) -> None:
        self._landmarker.close()
        self._landmarker = self._landmarker_class.create_from_options(self._options)

    def close(self) -> None:
        self._landmarker.close()


def _rgb(image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    return cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _as_array(landmarks: Any) -> Array:
    array = np.array([(point.x, point.y, point.z, point.visibility) for point in landmarks], np.float32)
    assert array.shape == (MEDIAPIPE33.size, 4)
    return array


@contextlib.contextmanager
def _known_missing() -> Iterator[None]:
    """Says what to do where MediaPipe is not installed, or is a version without the model."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"MediaPipe is missing or brings no pose model ({error}); leave out --pose mediapipe, name a model with "
            "--pose-model FILE.task, or install the version that brings one: pip install mediapipe==0.10.14"
        ) from None


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
