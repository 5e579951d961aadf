"""A decision, landmarks, and records like them."""

from __future__ import annotations

import numpy as np

from edge_c2vl.monitoring.events import Decision
from edge_c2vl.monitoring.policy import State

DECISION = Decision(
    timestamp_s=12.5,
    wall_s=1772352000.0,
    state=State.DISTRACTED,
    label="distracted",
    probability=0.93,
    distraction=0.88,
    probabilities={"attentive": 0.07, "distracted": 0.93},
    arms=1.0,
    pose_confidence=0.91,
    age_ms=24.1,
    encoder_ms=4.2,
)


def landmarks(confidence=1.0):
    points = np.zeros((33, 4), np.float32)
    points[:, 0] = np.linspace(5, 90, 33)
    points[:, 1] = -np.linspace(20, 60, 33)
    points[:, 3] = confidence
    return points
