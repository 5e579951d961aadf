"""The keywords of `edge_c2vl.Monitor`, for editors and type checkers. A test holds them to RunSettings, which says what
each means: `edge-c2vl run --help`."""

from __future__ import annotations

from typing import TypedDict

from edge_c2vl.monitoring.policy_settings import PolicySettings


class RunKeywords(TypedDict, total=False):
    """Options of `edge-c2vl run` by name; those that are for a terminal (quiet, json, show) are left out. policy:
    limits of the alert policy."""

    realtime: bool
    reconnect: bool
    width: int | None
    height: int | None
    fps: float | None
    rotate: str
    mirror: bool
    crop: str | None
    camera_mode: str
    pose: str
    pose_model: str | None
    min_detection: float
    bundle: str
    backend: str
    precision: str
    threads: int
    decide_by: str
    hop: float
    pose_fps: float | None
    reasons: str
    face_fps: float
    no_alerts: bool
    settings: str | None
    normal: str | None
    learn_normal: float | None
    forget_normal: bool
    no_self_calibration: bool
    speed_kmh: float | None
    speed: str | None
    events: str | None
    decisions: str | None
    rotate_mb: float | None
    output: str | None
    mqtt: str | None
    mqtt_queue: str | None
    home_assistant: bool
    metrics: str | None
    webhook: str | None
    control: str | None
    alert_clips: str | None
    alert_clips_face: bool
    strict: bool
    serve: str | None
    public_url: str | None
    serve_video: bool
    duration: float | None
    policy: PolicySettings
