"""Observations for the policy."""

from __future__ import annotations

from edge_c2vl.monitoring.policy import Observation, Policy
from edge_c2vl.monitoring.standing import Level

HIDDEN_ARMS = {"arms_seen": False, "distracted": 0.99}
EMPTY_SEAT = {"unseen_s": 3.0}
LOOKS_AHEAD, ON_THE_PHONE = 0.02, 0.98


def play(*spans, rate_hz=20.0, policy_settings=None):
    """Plays spans of (seconds, what) and returns [(time, status)]. `what` is a probability of distraction of a driver
    well in view, or a dict of Observation's fields (with `distracted`, `kmh`)."""
    policy = Policy(["phoning", "drinking"], policy_settings)
    result = []
    step = 0
    end_s = 0.0
    for seconds, what in spans:
        end_s += seconds
        while step / rate_hz < end_s - 1e-9:
            now = step / rate_hz
            fields = {"unseen_s": 0.0, "fill": 1.0, "arms_seen": True, "distracted": LOOKS_AHEAD, "kmh": 100.0}
            fields |= what if isinstance(what, dict) else {"distracted": what}
            p, kmh = fields.pop("distracted"), fields.pop("kmh")
            probabilities = {"attentive": 1 - p, "phoning": p * 0.75, "drinking": p * 0.25}
            seen = Observation(now, probabilities=probabilities, speed_kmh=kmh, **fields)
            result.append((now, policy.update(seen)))
            step += 1
    return result


def first(played, level=Level.WARNING):
    """When that level was first reached; None: never."""
    return next((now for now, status in played if status.level >= level), None)
