"""Every message to the page (docs/page.md's table); decisions, states and alerts are lines of their records."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.face.contours import LINES, RINGS
from edge_c2vl.face.landmarks import EYES
from edge_c2vl.monitoring.events import SeenFrame, SeenSkeleton
from edge_c2vl.monitoring.standing import Aspect, Reason
from edge_c2vl.monitoring.stats import RunFigures
from edge_c2vl.skeletons.skeleton import Array, Layout, get_layout

if TYPE_CHECKING:
    from edge_c2vl.face.tracker import Face

# Grows when a page that was loaded before would misread what is sent now.
VERSION = 3
PICTURE_WIDTH = 640
JPEG_QUALITY = 70
# A stage's latency is told over its newest measurements.
LATENCY_SAMPLES = 120

# What is watched, and the reasons of the alerts that come of it; then the reasons that are about the watching itself.
ASPECTS = [
    {"name": aspect.value, "watched": True, "reasons": [reason.value for reason in Reason if reason.aspect is aspect]}
    for aspect in Aspect
] + [{"name": reason.value, "watched": False, "reasons": [reason.value]} for reason in Reason if reason.aspect is None]

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class RunDescription:
    """What a run is made of, for people to read. camera: asked every second, since what is known of it changes."""

    camera: Callable[[], str]
    backend: str
    precision: str
    bundle: str
    labels: Sequence[str]
    distraction: Sequence[str]
    layout: str = "mediapipe33"
    min_confidence: float = 0.5


def line(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"), allow_nan=False)


def parse(text: str | None) -> dict[str, Any]:
    """The JSON object in what a client sent; an empty one where there is none, whatever it sent instead."""
    try:
        record = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def hello(boot: str, about: RunDescription, video: bool) -> str:
    """The first message of a live page. boot: of this process, which tells a page that it was started anew."""
    return _hello(
        boot,
        "live",
        about.labels,
        about.distraction,
        layout_of(get_layout(about.layout), about.min_confidence),
        video,
        {
            "camera": about.camera(),
            "backend": f"{about.backend} {about.precision}",
            "bundle": about.bundle,
            "face": {"rings": RINGS, "lines": LINES, "irises": [eye.iris for eye in EYES.values()]},
        },
    )


def hello_replay(boot: str, source: str) -> str:
    """The first message of a replay. Labels and layout come with each `recording`."""
    return _hello(boot, "replay", (), (), None, False, {"source": source})


def _hello(
    boot: str,
    mode: str,
    labels: Sequence[str],
    distraction: Sequence[str],
    layout: dict[str, Any] | None,
    video: bool,
    more: Mapping[str, Any],
) -> str:
    told = {
        "labels": list(labels),
        "distraction": list(distraction),
        "aspects": ASPECTS,
        "layout": layout,
        "video": video,
    }
    return line({"kind": "hello", "version": VERSION, "mode": mode, "boot": boot, **more, **told})


def history(decisions: Iterable[str], alerts: Iterable[str]) -> str:
    """What came before the page was opened. Both are lines."""
    return f'{{"kind":"history","decisions":[{",".join(decisions)}],"alerts":[{",".join(alerts)}]}}'


def status(camera: str, temperature_c: float | None, run: RunFigures | None) -> str:
    """run: None before it has begun."""
    told: dict[str, Any] = {"kind": "status", "camera": camera, "temperature_c": temperature_c}
    if run is not None:
        stages = {stage: run.timings.newest(stage, LATENCY_SAMPLES) for stage in run.timings.totals()}
        told |= {
            "frames": run.summary.frames,
            "dropped_frames": run.dropped_frames,
            "reconnects": run.reconnects,
            "outputs_down": [name for name, why in run.outputs_down().items() if why is not None],
            "stages": {
                stage: [round(float(value), 2) for value in np.percentile(durations, (50, 95))]
                for stage, durations in stages.items()
                if durations
            },
        }
    return line(told)


def recording(
    index: int,
    count: int,
    *,
    name: str,
    label: str | None,
    start_s: float,
    end_s: float,
    spans: Sequence[Any],
    marks: Sequence[tuple[float, str, str]],
    decisions: bool,
    labels: Sequence[str],
    distraction: Sequence[str],
    layout: dict[str, Any] | None,
) -> str:
    """The recording that a replay shows from now on. marks: time, level and reason of alerts. decisions: whether it has
    any."""
    about = {"name": name, "label": label, "start_s": start_s, "end_s": end_s, "spans": spans, "marks": marks}
    judged = {"decisions": decisions, "labels": labels, "distraction": distraction, "layout": layout}
    return line({"kind": "recording", "index": index, "count": count, **about, **judged})


def position(time_s: float, playing: bool, speed: float) -> str:
    """Where a replay is."""
    return line({"kind": "position", "time_s": round(time_s, 3), "playing": playing, "speed": speed})


def ended() -> str:
    """The run is over."""
    return line({"kind": "ended"})


def beat() -> str:
    """A sign of life."""
    return line({"kind": "beat"})


def layout_of(layout: Layout, min_confidence: float) -> dict[str, Any]:
    """How the points of a skeleton are joined, and from which confidence on they are drawn."""
    return {"joints": layout.joints, "bones": layout.bones, "min_confidence": min_confidence}


def skeleton(landmarks: Array | None, timestamp_s: float, view: Box | None, label: str | None = None) -> str:
    """landmarks: (V, 4), y up. view: (left, top, width, height) of what the camera sees, y down; None: no picture.
    label: the recording's label at this moment, where it has such labels.

    The points are sent as x, y (down), confidence, x, y, ... to three places, which is under a pixel or a millimetre.
    """
    points = None
    if landmarks is not None:
        flat = landmarks[:, [0, 1, 3]].astype(np.float64) * (1, -1, 1)
        points = np.round(flat, 1 if np.abs(flat).max() > 100 else 3).ravel().tolist()
    message = {"kind": "skeleton", "timestamp_s": round(timestamp_s, 3), "view": view, "points": points}
    return line(message if label is None else message | {"label": label})


def face(seen: Face | None, timestamp_s: float) -> str:
    """The landmarks of a face in shares of its size, 0 to 1000 from its upper left corner; None: there is none. eyes:
    of the left and the right one, how far it can be believed, and where it looks in the picture, unit length."""
    message: dict[str, Any] = {"kind": "face", "timestamp_s": round(timestamp_s, 3), "points": None}
    if seen is not None:
        flat = seen.points[:, :2]
        low = flat.min(axis=0)
        share = (flat - low) * (1000 / max(float((flat.max(axis=0) - low).max()), 1e-6))
        message["points"] = np.rint(share).astype(int).ravel().tolist()
        message["eyes"] = [
            [round(eye.quality, 2), round(float(eye.gaze[0]), 3), round(-float(eye.gaze[1]), 3)]
            for eye in (seen.left, seen.right)
        ]
    return line(message)


def seen_skeleton(seen: SeenSkeleton) -> str:
    view = None if seen.size is None else (0.0, 0.0, float(seen.size[0]), float(seen.size[1]))
    return skeleton(seen.landmarks, seen.timestamp_s, view)


def picture(frame: SeenFrame) -> bytes:
    """A frame's skeleton and the frame itself, as one message: length of the skeleton's JSON (uint32, little-endian),
    that JSON, and a JPEG at most 640 pixels wide."""
    import cv2

    height, width = frame.image.shape[:2]
    header = skeleton(frame.landmarks, frame.timestamp_s, (0.0, 0.0, float(width), float(height))).encode()
    image: NDArray[Any] = frame.image
    if width > PICTURE_WIDTH:
        size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return struct.pack("<I", len(header)) + header + jpeg.tobytes()
