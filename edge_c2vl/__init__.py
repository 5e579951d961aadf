"""Edge-C2VL: driver monitoring that runs on the device in the vehicle.

    from edge_c2vl import Monitor

    for decision in Monitor("0"):
        print(decision.state, decision.distraction)

What is public is listed in `__all__` and explained in docs/python.md. Each name is imported when it is first used, so
that `import edge_c2vl` itself loads nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from edge_c2vl.utils import telemetry

if TYPE_CHECKING:
    from edge_c2vl.cameras.camera import Frame, open_camera
    from edge_c2vl.cameras.options import CameraOptions
    from edge_c2vl.errors import EdgeC2VLError
    from edge_c2vl.inference.model import ClassifierBundle as Bundle
    from edge_c2vl.monitoring.events import Alert, Decision, StateChange
    from edge_c2vl.monitoring.policy import State
    from edge_c2vl.monitoring.policy_settings import PolicySettings
    from edge_c2vl.monitoring.standing import Level, Reason
    from edge_c2vl.outputs.base import Sink
    from edge_c2vl.pose.estimator import PoseEstimator
    from edge_c2vl.runtime.monitor import Monitor
    from edge_c2vl.skeletons.clip import Clip, make_clip
    from edge_c2vl.skeletons.skeleton import to_ntu25

__version__ = "0.1.0"

# Public name -> the module that has it, and its name there.
_PUBLIC = {
    "Alert": "monitoring.events:Alert",
    "Bundle": "inference.model:ClassifierBundle",
    "CameraOptions": "cameras.options:CameraOptions",
    "Clip": "skeletons.clip:Clip",
    "Decision": "monitoring.events:Decision",
    "EdgeC2VLError": "errors:EdgeC2VLError",
    "Frame": "cameras.camera:Frame",
    "Level": "monitoring.standing:Level",
    "Monitor": "runtime.monitor:Monitor",
    "PolicySettings": "monitoring.policy_settings:PolicySettings",
    "PoseEstimator": "pose.estimator:PoseEstimator",
    "Reason": "monitoring.standing:Reason",
    "Sink": "outputs.base:Sink",
    "State": "monitoring.policy:State",
    "StateChange": "monitoring.events:StateChange",
    "make_clip": "skeletons.clip:make_clip",
    "open_camera": "cameras.camera:open_camera",
    "to_ntu25": "skeletons.skeleton:to_ntu25",
}
__all__ = [
    "Alert",
    "Bundle",
    "CameraOptions",
    "Clip",
    "Decision",
    "EdgeC2VLError",
    "Frame",
    "Level",
    "Monitor",
    "PolicySettings",
    "PoseEstimator",
    "Reason",
    "Sink",
    "State",
    "StateChange",
    "__version__",
    "make_clip",
    "open_camera",
    "to_ntu25",
]

telemetry.switch_off()
# An image file may state any size: OpenCV takes 1 Gpixel (3 GB) unless it is told less before it is first imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
