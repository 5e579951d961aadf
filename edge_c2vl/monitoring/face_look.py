"""What one look at the driver's face tells, from the driver's own straight ahead and open eye."""

from __future__ import annotations

from dataclasses import dataclass

from edge_c2vl.face.bouts import Bout

Angles = tuple[float, float]


@dataclass(frozen=True)
class FaceLook:
    """seen: whether there was a face. gaze, head: yaw (to the driver's left) and pitch (up) in degrees from the
    driver's straight ahead; None where they cannot be told, or straight ahead is not known. ahead_known: the share of
    straight ahead that has been learnt, opening_known: that of the open eye, 0 to 1. openness: of the eyes, 0 closed to
    1 the driver's own open eye; None where they cannot be seen. closed_s: for how long they have been closed. closure:
    one that ended with this look, a blink too. perclos: share of the last minute with closed eyes. yawns: of the last
    five minutes. looks_down: lids that are lowered under a lowered head, no look at the road; where exactly such
    eyes look cannot be told. left_eye, right_eye: how far each can be believed, 0 to 1."""

    time_s: float
    seen: bool = False
    gaze: Angles | None = None
    head: Angles | None = None
    ahead_known: float = 0.0
    opening_known: float = 0.0
    openness: float | None = None
    closed_s: float = 0.0
    closure: Bout | None = None
    perclos: float | None = None
    blinks_a_minute: int = 0
    yawns: int = 0
    mouth_mm: float | None = None
    left_eye: float = 0.0
    right_eye: float = 0.0
    looks_down: bool = False
