"""A recording as a file for the Rerun viewer (rerun.io). Needs the extra `rerun`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_c2vl.errors import UsageError
from edge_c2vl.names import utf8_name
from edge_c2vl.replay.recording import ReplayRecording, ReplaySkeletons
from edge_c2vl.skeletons.skeleton import Layout
from edge_c2vl.utils.atomic import whole_file
from edge_c2vl.utils.files import PRIVATE_FILE

if TYPE_CHECKING:
    import rerun

TIMELINE = "drive"
_LEVELS = {"none": "INFO", "notice": "INFO", "warning": "WARN", "critical": "CRITICAL"}


def write_rerun(recording: ReplayRecording, target: str) -> None:
    """Writes skeletons (`driver/joints`, `driver/bones`), probabilities (`classes/...`), awareness and distraction
    (`policy/...`), states and alerts (`states`, `alerts`) on one time line, "drive", in seconds from the start. Raises
    UsageError where nothing can be written there."""
    import rerun as rr

    path = Path(target)
    if not path.parent.is_dir():
        raise UsageError(f"--rerun {target}: there is no folder {path.parent}")
    stream = rr.RecordingStream("edge-c2vl", recording_id=recording.name or None)
    with whole_file(path, PRIVATE_FILE) as part:
        with utf8_name(part) as name:
            stream.save(name)
        if recording.skeletons is not None:
            _log_skeletons(rr, stream, recording.skeletons, recording.start_s)
        _log_decisions(rr, stream, recording)
        for alert in recording.alerts:
            stream.set_time(TIMELINE, duration=alert["timestamp_s"] - recording.start_s)
            level = "ended" if alert["level"] == "none" else alert["level"]
            text = " ".join(word for word in (level, alert["reason"], alert["label"]) if word)
            stream.log("alerts", rr.TextLog(text, level=_LEVELS[alert["level"]]))
        stream.flush()
        stream.disconnect()


def _log_skeletons(rr: Any, stream: rerun.RecordingStream, seen: ReplaySkeletons, start_s: float) -> None:
    flat = not seen.frames[..., 2].any()
    # Rerun's 2-D views look down on y, as pictures do; in 3-D the layout's own axes are stated.
    if not flat:
        stream.log("driver", rr.ViewCoordinates.RIGHT_HAND_Y_UP, static=True)
    sign = np.array([1, -1] if flat else [1, 1, -1], np.float32)
    points, strips = (rr.Points2D, rr.LineStrips2D) if flat else (rr.Points3D, rr.LineStrips3D)
    for frame, time_s in zip(seen.frames, seen.times_s, strict=True):
        stream.set_time(TIMELINE, duration=float(time_s) - start_s)
        there = frame[:, 3] > seen.min_confidence
        at = frame[:, : len(sign)] * sign
        stream.log("driver/joints", points(at[there], labels=_names(seen.layout, there), show_labels=False))
        bones = [at[[a, b]] for a, b in seen.layout.bones if there[a] and there[b]]
        stream.log("driver/bones", strips(np.array(bones).reshape(-1, 2, len(sign))))


def _names(layout: Layout, there: np.ndarray) -> list[str]:
    return [name for name, seen in zip(layout.joints, there, strict=True) if seen]


def _log_decisions(rr: Any, stream: rerun.RecordingStream, recording: ReplayRecording) -> None:
    state = None
    for text in recording.decisions:
        decision = json.loads(text)
        stream.set_time(TIMELINE, duration=decision["timestamp_s"] - recording.start_s)
        for label, probability in (decision.get("probabilities") or {}).items():
            stream.log(f"classes/{rr.escape_entity_path_part(label)}", rr.Scalars(probability))
        for name in ("awareness", "distraction"):
            if decision.get(name) is not None:
                stream.log(f"policy/{name}", rr.Scalars(decision[name]))
        if decision["state"] != state:
            state = decision["state"]
            stream.log("states", rr.TextLog(state))
