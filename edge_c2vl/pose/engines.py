"""The pose networks as TensorRT plans of this device, in the bundle beside the encoder's: built, verified, opened.

In FP16, which is closer to FP32 than MediaPipe is to itself. A plan has to come from the package's network, so a
bundle's plans are stale where the package has other networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.bundle.bundle import Bundle, Engine, revise_bundle
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.device.machine import folder_name
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.cuda import Cuda, undone
from edge_c2vl.inference.engine_check import Device, fitting_engine, listed_engines, vouched_plan
from edge_c2vl.inference.plan import BuildOptions, Say, build_plan, choose_flags
from edge_c2vl.inference.plan_runner import PlanRunner
from edge_c2vl.pose.detector import Detector
from edge_c2vl.pose.landmarks import BODY, LandmarkFinder
from edge_c2vl.pose.networks import FOLDER, NAMES, Network, Networks, digest, open_networks, verify
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.redact import redact

PRECISION = "fp16"
# Where --camera names no recording: a drawn driver, so that no picture of a person has to be shipped.
DRAWN = "simulated:story?live=no&fps=1&seconds=40"
# What the plans are verified on: at most so many pictures, from so much of the recording. Those of one second are all
# alike, and in the first one the driver may not sit there yet.
PICTURES, SPREAD_S = 32, 30.0
# A plan is refused where 95 % of the landmarks are not within this share of the region that was looked at. ONNX
# Runtime's FP16 of the drawn driver is within .0003 (`compare`, on a CPU).
MOST_APART = 0.01
MIN_PRESENCE = 0.5


class TensorRTNetwork(Network):
    """An open plan of a pose network. Raises BundleError where TensorRT or CUDA fail."""

    name, precision = "tensorrt", PRECISION

    def __init__(self, plan: bytes, engine: Engine, trt: Any) -> None:
        self._cuda = Cuda()
        with undone(self._cuda.close):
            self._plan = PlanRunner(plan, trt, self._cuda, engine=engine)

    def run(self, image: Array) -> dict[str, Array]:
        return self._plan.run({"image": image})

    def gpu_ms(self) -> list[float]:
        """See PlanRunner."""
        return self._plan.gpu_ms()

    def close(self) -> None:
        with self._cuda:
            self._plan.close()


def open_engines(bundle: Bundle) -> Networks:
    """The bundle's plans of both networks, of this device. Raises BundleError: there are none, or they do not fit."""
    from edge_c2vl.inference.tensorrt import load_tensorrt, this_device

    for name in NAMES:  # said before TensorRT is missed
        listed_engines(bundle, PRECISION, name)
    identity = verify(FOLDER, PRECISION)
    trt = load_tensorrt()
    device = this_device(trt)
    opened: list[Network] = []
    with ExitStack() as held:
        for name in NAMES:
            engine = fitting_engine(bundle, device, PRECISION, name, digest(FOLDER, name, PRECISION))
            opened.append(TensorRTNetwork(vouched_plan(bundle, engine), engine, trt))
            held.callback(opened[-1].close)
        held.pop_all()
    detector, landmarks = opened
    return Networks(identity, detector, landmarks)


def has_engines(bundle: Bundle) -> bool:
    return any(engine.model in NAMES for engine in bundle.manifest.engines)


def build_pose_engines(
    bundle: Bundle, options: BuildOptions, camera: str = DRAWN, say: Say = lambda _: None
) -> tuple[Bundle, list[Engine]]:
    """Builds both networks for this GPU, compares them with ONNX Runtime on what they would see of a recording, and
    puts them into the bundle. Raises BundleError where TensorRT is missing or refuses or a plan answers otherwise,
    CameraError where the recording does not open; the bundle is as it was then."""
    from edge_c2vl.inference.tensorrt import load_tensorrt, this_device, version_of

    trt = load_tensorrt()
    device, flags = this_device(trt), choose_flags(version_of(trt), PRECISION)
    verify(FOLDER, PRECISION)
    verify(FOLDER, flags.model)
    pictures = spread_pictures(camera)
    say(f"{len(pictures)} pictures of {redact(camera)}, spread over {SPREAD_S:.0f} s at most, are to verify them")
    entries, plans = [], {}
    # A picture at a time, on the GPU that is here: the other options are the encoder's.
    for_one = BuildOptions(
        PRECISION,
        workspace_mb=options.workspace_mb,
        optimisation_level=options.optimisation_level,
        timing_cache=options.timing_cache,
    )
    for name in NAMES:
        say(f"building the pose network {name} in {PRECISION}")
        model = FOLDER / f"{name}.{flags.model}.onnx"
        plan, layers = build_plan(trt, model, flags, for_one, device, {}, say)
        entry = _entry(name, plan, device)
        entry.measured["layers"] = layers
        entries.append(entry)
        plans[entry.path] = plan
    opened: list[TensorRTNetwork] = []
    with ExitStack() as held:
        for entry in entries:
            opened.append(TensorRTNetwork(plans[entry.path], entry, trt))
            held.callback(opened[-1].close)
        _verify(opened, pictures, entries)
    kept = [engine for engine in bundle.manifest.engines if engine.path not in plans]
    return revise_bundle(bundle, plans, engines=[*kept, *entries]), entries


def spread_pictures(camera: str) -> list[NDArray[np.uint8]]:
    """Pictures of a recording's first SPREAD_S, at equal distances: all of them, or PICTURES / 2 to PICTURES."""
    found: list[NDArray[np.uint8]] = []
    # Every `stride`th picture is kept. It doubles when they become too many: how many will come nobody knows.
    count, stride, begun_s = 0, 1, None
    with open_camera(camera, CameraOptions()) as source:
        while (frame := source.read()) is not None:
            begun_s = frame.timestamp_s if begun_s is None else begun_s
            if frame.timestamp_s - begun_s > SPREAD_S:
                break
            if frame.image is None:
                continue
            if count % stride == 0:
                found.append(frame.image)
            count += 1
            if len(found) > PICTURES:
                found, stride = found[::2], 2 * stride
    return found


def _entry(name: str, plan: bytes, device: Device) -> Engine:
    return Engine(
        path=f"engines/{folder_name(device.gpu)}/{name}.{PRECISION}.plan",
        device=folder_name(device.gpu),
        gpu=device.gpu,
        sm=device.sm,
        tensorrt=device.tensorrt,
        precision=PRECISION,
        sha256=hashlib.sha256(plan).hexdigest(),
        model=name,
        cuda=device.cuda,
        model_sha256=digest(FOLDER, name, PRECISION),
    )


def _verify(opened: Sequence[TensorRTNetwork], pictures: Sequence[NDArray[np.uint8]], entries: list[Engine]) -> None:
    """Notes in `entries` how far the plans are from ONNX Runtime in FP32, and their latency. Raises BundleError."""
    reference = open_networks(("cpu",))
    try:
        found = compare(opened, reference, pictures)
    finally:
        reference.close()
    for entry, network in zip(entries, opened, strict=True):
        p50_ms, p95_ms = np.percentile(network.gpu_ms(), (50, 95))
        entry.measured.update(found[entry.model], p50_ms=round(float(p50_ms), 4), p95_ms=round(float(p95_ms), 4))
        if not found[entry.model]["apart_p95"] <= MOST_APART or found[entry.model]["found_alike"] < 1:
            raise BundleError(
                f"the {PRECISION} plan of the pose network {entry.model} answers otherwise than ONNX Runtime "
                f"({found[entry.model]}): build with --no-pose, and pose runs on the CPU"
            )


def compare(
    networks: Sequence[Network], reference: Networks, pictures: Sequence[NDArray[np.uint8]]
) -> dict[str, dict[str, Any]]:
    """networks: detector and landmarks. For each of the two, over the pictures with somebody in: `pictures`,
    `found_alike` (the share in which both or neither found somebody), `apart_p50` and `apart_p95`, how far what they
    found is apart, as a share of the region. Raises BundleError where nobody is in any of them."""
    detectors = [Detector(network) for network in (networks[0], reference.detector)]
    finders = [LandmarkFinder(network) for network in (networks[1], reference.landmarks)]
    alike: dict[str, list[bool]] = {name: [] for name in NAMES}
    apart: dict[str, list[NDArray[Any]]] = {name: [] for name in NAMES}
    for picture in pictures:
        people = [detector.detect(picture) for detector in detectors]
        alike["detector"].append(bool(people[0]) == bool(people[1]))
        if not people[1]:
            continue
        region = people[1][0]
        if people[0]:
            first = people[0][0]
            moved = np.array([first.x - region.x, first.y - region.y, first.size - region.size])
            apart["detector"].append(np.abs(moved) / region.size)
        seen = [finder.find(picture, region) for finder in finders]
        alike["landmarks"].append((seen[0].presence > MIN_PRESENCE) == (seen[1].presence > MIN_PRESENCE))
        moved = seen[0].points[:BODY, :2] - seen[1].points[:BODY, :2]
        apart["landmarks"].append(np.linalg.norm(moved, axis=1) / region.size)
    if not alike["landmarks"]:
        raise BundleError("nobody is in the pictures to verify the pose networks on: name a recording with --camera")
    found = {}
    for name in NAMES:
        # NaN, as of a plan that overflows, is not "at most" anything.
        p50, p95 = np.percentile(np.concatenate(apart[name]), (50, 95)) if apart[name] else (np.nan, np.nan)
        found[name] = {
            "pictures": len(alike[name]),
            "found_alike": round(float(np.mean(alike[name])), 4),
            "apart_p50": round(float(p50), 6),
            "apart_p95": round(float(p95), 6),
        }
    return found
