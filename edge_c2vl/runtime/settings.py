"""What a live run is asked for. Each field is an option of `edge-c2vl run` and a key of `run --config FILE.yaml`.

Nothing heavy is imported here, so that the command lists its options fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from edge_c2vl.cameras.options import parse_crop
from edge_c2vl.errors import UsageError
from edge_c2vl.inference.providers import PROVIDERS
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import Aspect
from edge_c2vl.settings.fields import build, check, check_needs, flag, options_of, own_options, section, setting

# Of a picture, pixels: more is a mistake that would take all memory.
LARGEST_SIDE = 16384


def parse_reasons(text: str) -> frozenset[Aspect]:
    """Raises UsageError for a name that there is not."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return frozenset(Aspect)
    known = [aspect.value for aspect in Aspect]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UsageError(
            f"there is no reason {unknown[0] if unknown else repr(text)}; there are {', '.join(known)}, and all"
        )
    return frozenset(Aspect(name) for name in names)


@dataclass(frozen=True)
class SourceSettings:
    """Camera."""

    camera: str = setting(
        "",
        "0, /dev/video2, csi://0, rtsp://..., http://..., udp://..., tcp://..., a video file, a folder or glob of "
        "images, `sample` (a man talking in a moving car), or `simulated` (a drawn driver, such as simulated:story).",
        metavar="URI",
    )
    realtime: bool = setting(False, "Play a file at its own speed instead of as fast as it goes.")
    reconnect: bool = setting(False, "Open a live camera again and again when it fails, instead of ending.")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class PictureSettings:
    """Picture."""

    width: int | None = setting(None, "Width to ask the camera for, pixels.", least=16, most=LARGEST_SIDE)
    height: int | None = setting(None, "Height to ask the camera for, pixels.", least=16, most=LARGEST_SIDE)
    fps: float | None = setting(None, "Frames a second to ask the camera for.", least=1, most=1000)
    rotate: str = setting("0", "Clockwise degrees.", ("0", "90", "180", "270"))
    mirror: bool = setting(False, "Flip left and right.")
    crop: str | None = setting(
        None,
        "The driver's seat in the picture: pixels, or shares of the picture such as 0.5,0,0.5,1.",
        metavar="X,Y,W,H",
        parse=parse_crop,
    )
    camera_mode: str = setting(
        "auto",
        "ir brightens dark infrared pictures before the pose; auto decides by the picture.",
        ("auto", "rgb", "ir"),
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class PoseSettings:
    """Pose."""

    pose: str = setting(
        "auto",
        "Who runs BlazePose: blazepose (this program, on ONNX Runtime; blazepose:cuda, blazepose:int8 on the CPU, "
        "blazepose:tensorrt by the bundle's engines), mediapipe (MediaPipe's own code, an extra), or auto: "
        "blazepose on what is fastest at the start, CPU, CUDA or engines, with --pose-model mediapipe.",
        metavar="NAME",
    )
    pose_model: str | None = setting(
        None,
        "A MediaPipe pose landmarker of your own, instead of BlazePose full; needs the extra mediapipe.",
        metavar="FILE.task",
    )
    min_detection: float = setting(
        0.3,
        "How sure the person detector has to be, 0 to 1: lower finds more drivers, and more bodies that are none.",
        above=0,
        most=0.99,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class BundleSettings:
    """Model bundle."""

    bundle: str = setting("default", "The model bundle to run.", metavar="FOLDER")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class BackendSettings:
    """Inference."""

    backend: str = setting(
        "auto",
        f"Inference engine: tensorrt, onnxruntime, onnxruntime:PROVIDER,... (of {', '.join(PROVIDERS)}, tried in that "
        "order), or auto: the best that opens.",
        metavar="NAME",
    )
    precision: str = setting("auto", "Which of the bundle's models to run.", ("auto", "fp32", "fp16", "int8"))
    threads: int = setting(1, "CPU threads of each network; 0: all cores.", least=0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class DecisionSettings:
    """Decisions and alerts."""

    decide_by: str = setting(
        "classifier",
        "What states and alerts follow: the trained classes, or the bundle's labels in words.",
        ("classifier", "words"),
    )
    reasons: str = setting(
        "activity",
        "What alerts may come of: activity, gaze (looking away), eyes (closed), drowsy, unresponsive, or all. All but "
        "activity and unresponsive look at the driver's face.",
        metavar="NAME,...",
        parse=parse_reasons,
    )
    face_fps: float = setting(
        10.0, "Looks at the face a second; in every frame while the eyes close.", least=2, most=1000
    )
    pose_fps: float | None = setting(
        None,
        "Frames a second that the pose looks at; every one while hands move fast or an alert is near. Left out: 15 of "
        "a live camera, every frame of a recording.",
        least=5,
        most=1000,
    )
    hop: float = setting(0.25, "Seconds between decisions.", least=0.02, most=1)
    no_alerts: bool = setting(
        False, "Never alert; needed for a bundle none of whose labels counts as distraction.", off="alerts"
    )
    settings: str | None = setting(
        None,
        "Limits of the alert policy from a file of their own, which holds `policy:` alone; read again on SIGHUP.",
        metavar="FILE.yaml",
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class BaselineSettings:
    """The driver's normal driving."""

    normal: str | None = setting(None, "This driver's normal driving, as --learn-normal has learnt it.", metavar="FILE")
    learn_normal: float | None = setting(
        None, "Learn it first, into --normal FILE.", least=0.5, metavar="MINUTES", needs=("normal",)
    )
    forget_normal: bool = setting(False, "Remove what --normal FILE holds.", needs=("normal",))
    no_self_calibration: bool = setting(
        False, "Do not learn the driver's own level in the first minutes of a drive.", off="self_calibration"
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class SpeedSettings:
    """Speed."""

    speed_kmh: float | None = setting(None, "The vehicle's speed, where it is always the same.", least=0, most=500)
    speed: str | None = setting(
        None,
        "Where the speed comes from: unix:PATH, mqtt://HOST/TOPIC, can:CHANNEL?dbc=FILE&signal=NAME. Unknown: fast.",
        metavar="URI",
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class OutputSettings:
    """Outputs."""

    events: str | None = setting(
        None, "Append a JSON line for every change of state and every alert.", metavar="FILE|-"
    )
    decisions: str | None = setting(None, "Append a JSON line for every decision.", metavar="FILE|-")
    rotate_mb: float | None = setting(
        None, "Start a new JSON lines file at this size; keep five.", least=0.01, needs=("events", "decisions")
    )
    output: str | None = setting(
        None, "Keep a video with skeleton and state drawn. Stores pictures.", metavar="FILE.mp4"
    )
    show: bool = setting(False, "Show a window with skeleton and state drawn; q ends.")
    mqtt: str | None = setting(
        None, "Alerts and states to a broker: mqtt[s]://[USER@]HOST[:PORT]/TOPIC.", metavar="URI"
    )
    mqtt_queue: str | None = setting(
        None, "Keep what the broker could not take in this file over a restart.", metavar="FILE", needs=("mqtt",)
    )
    home_assistant: bool = setting(False, "Announce the driver monitor to Home Assistant over MQTT.", needs=("mqtt",))
    metrics: str | None = setting(None, "Serve Prometheus metrics at /metrics.", metavar="[HOST:]PORT")
    webhook: str | None = setting(None, "POST every alert there as JSON.", metavar="URL")
    control: str | None = setting(
        None, "Listen on this Unix socket (mode 0600) for edge-c2vl calibrate.", metavar="PATH"
    )
    alert_clips: str | None = setting(None, "Keep the skeletons (never pictures) around each alert.", metavar="FOLDER")
    alert_clips_face: bool = setting(
        False, "Keep the landmarks of the face in --alert-clips as well.", needs=("alert_clips",)
    )
    strict: bool = setting(False, "End where an output cannot be opened, instead of going on without it (live).")

    def __post_init__(self) -> None:
        check(self)
        if self.events == "-" and self.decisions == "-":
            raise UsageError("--events - and --decisions - would mix on standard output; give one of them a file")


@dataclass(frozen=True)
class PageSettings:
    """Live page."""

    serve: str | None = setting(
        None,
        "Serve the live page, at http://127.0.0.1:8480/ unless told otherwise. It shows skeletons, not pictures.",
        metavar="[HOST:PORT]",
        bare="",
    )
    public_url: str | None = setting(
        None,
        "Where a reverse proxy serves the page to others, such as https://fleet.example/car-17: that host and path "
        "are allowed as well.",
        metavar="URL",
        needs=("serve", "metrics"),
    )
    serve_video: bool = setting(False, "Show the camera's pictures on the live page as well.", needs=("serve",))

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class ConsoleSettings:
    """How long, and what is said."""

    duration: float | None = setting(None, "End after this long.", above=0, metavar="SECONDS")
    quiet: bool = setting(False, "No status line and no summary.")
    json: bool = setting(False, "Print the summary as JSON.")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class RunSettings:
    """Everything that a run is asked for."""

    source: SourceSettings = SourceSettings()
    picture: PictureSettings = PictureSettings()
    pose: PoseSettings = PoseSettings()
    model: BundleSettings = BundleSettings()
    inference: BackendSettings = BackendSettings()
    decision: DecisionSettings = DecisionSettings()
    baseline: BaselineSettings = BaselineSettings()
    speed: SpeedSettings = SpeedSettings()
    outputs: OutputSettings = OutputSettings()
    page: PageSettings = PageSettings()
    console: ConsoleSettings = ConsoleSettings()
    policy: PolicySettings = field(
        default=PolicySettings(), metadata=section("Limits of the alert policy, each above 0; read again on SIGHUP.")
    )

    def __post_init__(self) -> None:
        check_needs(self)
        if self.decision.settings and self.policy != PolicySettings():
            raise UsageError("--settings and `policy:` both hold limits of the alert policy: keep one of them")

    @classmethod
    def of(cls, **options: Any) -> RunSettings:
        """From options by name, such as camera="0", hop=0.2, and policy=PolicySettings(...). What is None or not named
        keeps its default. Raises UsageError: an option that there is not, or a value that cannot be."""
        known = [option.name for option in options_of(cls)] + ["policy"]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise UsageError(f"no option {flag(unknown[0])}; there are {', '.join(known)}")
        return build(cls, {name: value for name, value in options.items() if value is not None})


def changed_options(before: RunSettings, after: RunSettings) -> list[str]:
    """The flags whose values differ."""
    groups = [(getattr(before, entry.name), getattr(after, entry.name)) for entry in fields(RunSettings)]
    return [
        flag(option.name)
        for old, new in groups
        if not isinstance(old, PolicySettings)
        for option in own_options(type(old))
        if getattr(old, option.name) != getattr(new, option.name)
    ]
