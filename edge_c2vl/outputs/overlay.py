"""Drawing a skeleton and a state on a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.face.contours import LINES, RINGS
from edge_c2vl.face.landmarks import EYES
from edge_c2vl.monitoring.events import SeenFrame
from edge_c2vl.monitoring.policy import State
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from edge_c2vl.utils.clock import time_of_day

if TYPE_CHECKING:
    from edge_c2vl.face.tracker import Face

# BGR, chosen to be told apart without seeing red and green apart (Okabe & Ito's palette).
COLOURS = {
    State.ATTENTIVE: (115, 158, 0),
    State.DISTRACTED: (0, 94, 213),
    State.CANNOT_SEE: (0, 159, 230),
    State.NOBODY: (0, 159, 230),
    State.STARTING: (153, 153, 153),
}


def draw(frame: SeenFrame, min_confidence: float = 0.5) -> NDArray[Any]:
    """A copy of the frame, uint8 BGR (H, W, 3), with the bones whose two ends were seen; above them the state
    and the time: of a live camera the time of day, of a recording the seconds in it."""
    import cv2

    image = np.ascontiguousarray(frame.image).copy()
    height, width = image.shape[:2]
    thickness = max(1, height // 240)
    state = frame.decision.state if frame.decision else State.STARTING
    colour = COLOURS[state]
    if frame.landmarks is not None:
        points = np.stack([frame.landmarks[:, 0], -frame.landmarks[:, 1]], axis=1).round().astype(int)
        seen = frame.landmarks[:, 3] >= min_confidence
        for a, b in MEDIAPIPE33.bones:
            if seen[a] and seen[b]:
                cv2.line(image, points[a].tolist(), points[b].tolist(), colour, thickness, cv2.LINE_AA)
        for point in points[seen]:
            cv2.circle(image, point.tolist(), 2 * thickness, (255, 255, 255), -1, cv2.LINE_AA)
    if frame.face is not None:
        _draw_face(image, frame.face, thickness)
    bar = max(14, height // 14)
    image[:bar] = (image[:bar] * 0.35).astype(np.uint8)
    text = state.value
    if frame.decision and frame.decision.label is not None:
        text += f"  {frame.decision.label} {frame.decision.probability:.2f}"
    if frame.decision and frame.decision.alerts:
        reason, level = next(iter(frame.decision.alerts.items()))
        text = f"{level.name}: {reason.value}  {text}"
    cv2.rectangle(image, (0, 0), (bar // 3, bar), colour, -1)
    scale = bar / 32
    cv2.putText(
        image, text, (bar // 2, bar - bar // 3), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA
    )
    clock = f"{frame.timestamp_s:.1f} s" if frame.wall_s is None else time_of_day(frame.wall_s)
    (text_width, _), _ = cv2.getTextSize(clock, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    where = (width - text_width - bar // 3, bar - bar // 3)
    cv2.putText(image, clock, where, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return image


def _draw_face(image: NDArray[Any], face: Face, thickness: int) -> None:
    """Its contours, and of each eye that can be seen the iris and a line to where it looks."""
    import cv2

    points = face.points[:, :2]
    white, blue = (255, 255, 255), (178, 114, 0)
    for lines, closed in ((RINGS, True), (LINES, False)):
        parts = [points[list(line)].round().astype(np.int32) for line in lines]
        cv2.polylines(image, parts, closed, white, 1, cv2.LINE_AA)
    reach = 0.08 * face.head.px_per_m  # 8 cm
    for side, eye in (("left", face.left), ("right", face.right)):
        if eye.seen:
            iris = points[EYES[side].iris[0]]
            start, end = (place.round().astype(int).tolist() for place in (iris, iris + reach * eye.gaze[:2] * [1, -1]))
            cv2.circle(image, start, 2 * thickness, blue, -1, cv2.LINE_AA)
            cv2.line(image, start, end, blue, thickness + 1, cv2.LINE_AA)
