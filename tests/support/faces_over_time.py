"""Looks at a face for the policy, second by second."""

from __future__ import annotations

from edge_c2vl.face.bouts import Bout
from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.policy import Observation, Policy
from edge_c2vl.monitoring.standing import Aspect

ALL = frozenset(Aspect)
ROAD = {"gaze": (0.0, 0.0)}
MIRROR, SPEEDOMETER, SHOULDER, LAP = ({"gaze": at} for at in ((42.0, -8.0), (0.0, -24.0), (85.0, 0.0), (-8.0, -48.0)))
CLOSED = {"gaze": None, "openness": 0.05}
NO_FACE = {"seen": False}


def watch(*spans, kmh=80.0, settings=None, aspects=ALL, known=1.0, looks_hz=10.0):
    """Plays spans of (seconds, what) and returns [(time, status)], four observations a second. `what` holds fields of a
    look: gaze, head (as gaze where it is left out), openness, looks_down, seen, perclos, yawns; and of the observation:
    kmh, phone (probability of phoning), slumped, hands_on_wheel, unseen_s. known: the share that is learnt of the
    driver."""
    policy, played, looks = Policy(["phoning"], settings, aspects), [], []
    closed_since = None
    step, end_s = 0, 0.0
    for seconds, what in spans:
        end_s += seconds
        while step / looks_hz < end_s - 1e-9:
            now = step / looks_hz
            step += 1
            fields = {"openness": 1.0, "gaze": (0.0, 0.0), "seen": True, "perclos": 0.0, "yawns": 0} | what
            shut = fields["seen"] and fields["openness"] is not None and fields["openness"] < 0.3
            closure = None
            if closed_since is not None and not shut:
                closure, closed_since = Bout(closed_since, now, 0.0), None
            elif shut and closed_since is None:
                closed_since = now
            gaze = fields["gaze"] if fields["seen"] else None
            head = fields.get("head", gaze if gaze is not None else (0.0, 0.0)) if fields["seen"] else None
            looks.append(
                FaceLook(
                    now,
                    fields["seen"],
                    gaze,
                    head,
                    known,
                    known,
                    fields["openness"] if fields["seen"] else None,
                    0.0 if closed_since is None else now - closed_since + 0.05,
                    closure,
                    fields["perclos"],
                    yawns=fields["yawns"],
                    looks_down=fields.get("looks_down", False),
                )
            )
            if step % round(looks_hz / 4) == 0:
                phone = fields.get("phone", 0.02)
                seen = Observation(
                    now,
                    fields.get("unseen_s", 0.0),
                    1.0,
                    fields.get("arms_seen", True),
                    {"attentive": 1 - phone, "phoning": phone},
                    fields.get("kmh", kmh),
                    looks=tuple(looks[-20:]),
                    face_failed=fields.get("failed", False),
                    slumped=fields.get("slumped", False),
                    hands_on_wheel=fields.get("hands_on_wheel", False),
                )
                played.append((now, policy.update(seen)))
    return played


def reached(played, reason, level, after_s=0.0):
    """When the alert of that reason first stood at that level or above; None: never."""
    return next((now for now, status in played if now >= after_s and status.alerts.get(reason, 0) >= level), None)


def ever(played):
    """Every reason that alerted."""
    return {reason for _, status in played for reason in status.alerts}
