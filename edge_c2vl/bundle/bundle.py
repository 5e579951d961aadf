"""The model bundle: what goes to the vehicle. A folder that is verified whenever it is opened.

manifest.json                   what the model is, and size + SHA-256 of every other file
model.fp32.onnx                 input clip (N, 3, T, 25); outputs logits (N, K), embedding (N, D) of unit length
model.fp16.onnx                 the same network in FP16; optional
model.int8.onnx                 the same network with explicit Q/DQ; optional
calibration.npz                 some of the clips that INT8 was calibrated on, to check an engine with; optional
engines/<device>/*              engines, each for one device: TensorRT's .plan (of the encoder, model.*, and of the pose
                                networks, detector.* and landmarks.*), ONNX Runtime's .ort; optional
report.json                     how well it did, on what; optional
words.npz                       labels in words (text_labels.py); optional
language.safetensors            how phrases are embedded, for edge-c2vl labels on a workstation; optional
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from edge_c2vl.bundle.external_data import external_files
from edge_c2vl.bundle.text_labels import FILE as WORDS
from edge_c2vl.bundle.text_labels import TextLabels
from edge_c2vl.device.cpu_cores import load_onnxruntime
from edge_c2vl.errors import BundleError
from edge_c2vl.names import utf8_name
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.utils.atomic import exists_already, put_in_place, temporary_beside

FORMAT_VERSION = 1
DEFAULT = Path(__file__).parent.parent / "bundles" / "default"
PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class Engine:
    """A model made ready for one kind of device by one version of an engine library; elsewhere it does not run.

    backend "tensorrt": a plan for the GPU `gpu` of compute capability `sm` (such as "8.7"). backend "onnxruntime": an
    optimised model for the CPU `device`. model: "encoder", the bundle's own, or one of the pose networks that come with
    the package, "detector" or "landmarks". model_sha256: the ONNX model that it was made from; it is stale once that
    differs. batch: fewest, usual and most clips an inference. measured: how far its outputs are from ONNX
    Runtime's, and its latency.
    """

    path: str
    device: str
    gpu: str
    sm: str
    tensorrt: str
    precision: str
    sha256: str
    backend: str = "tensorrt"
    model: str = "encoder"
    onnxruntime: str = ""
    cuda: str = ""
    model_sha256: str = ""
    batch: list[int] = field(default_factory=lambda: [1, 1, 1])
    version_compatible: bool = False
    hardware_compatible: bool = False
    dla: int | None = None
    measured: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What manifest.json says. `distraction`: those of `labels` that count as distraction. `files`: path relative to
    the bundle -> {"size": bytes, "sha256": hex}; `write_bundle` fills it. `accuracy`: precision -> data -> figures.
    `licences`: whose work is in it, each with the attribution that it asks for. `calibration`: what INT8 was calibrated
    on and how. `latency`: CPU -> what inference took there, by precision; by it "auto" picks a precision.
    `attentive_odds`: the log-odds of distraction that attentive driving usually has (see
    monitoring/self_calibration.py); None: not known."""

    name: str
    labels: list[str]
    distraction: list[str]
    clip: ClipSpec
    embedding_size: int
    trained_on: str = ""
    accuracy: dict[str, Any] = field(default_factory=dict)
    licences: list[str] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    engines: list[Engine] = field(default_factory=list)
    calibration: dict[str, Any] = field(default_factory=dict)
    latency: dict[str, dict[str, Any]] = field(default_factory=dict)
    attentive_odds: float | None = None
    layout: str = "ntu25"
    format_version: int = FORMAT_VERSION

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"clip": self.clip.to_json()}

    @classmethod
    def from_json(cls, values: Any) -> Manifest:
        """Raises ValueError, TypeError or KeyError where `values` is no manifest of this version."""
        known = {entry.name for entry in fields(cls)}
        manifest = cls(**{key: value for key, value in values.items() if key in known})
        spec = ClipSpec.from_json(values["clip"])
        engines = [Engine(**entry) for entry in manifest.engines]  # type: ignore[arg-type]
        manifest = cls(**(asdict(manifest) | {"clip": spec, "engines": engines}))
        manifest._check()
        return manifest

    def _check(self) -> None:
        if not self.labels or not all(isinstance(label, str) for label in self.labels):
            raise ValueError("labels is no list of words")
        unknown = set(self.distraction) - set(self.labels)
        if unknown:
            raise ValueError(f"distraction names {', '.join(sorted(unknown))}, which labels does not")
        for path, entry in self.files.items():
            if not (isinstance(path, str) and isinstance(entry["size"], int) and isinstance(entry["sha256"], str)):
                raise ValueError(f"the entry of {path} in files has no size and sha256")
        for engine in self.engines:
            if engine.path not in self.files:
                raise ValueError(f"the engine {engine.path} is not in files")
            if len(engine.batch) != 3 or not all(isinstance(size, int) and size > 0 for size in engine.batch):
                raise ValueError(f"the engine {engine.path} has no batch of three numbers")
        odds = self.attentive_odds
        if odds is not None and (isinstance(odds, bool) or not isinstance(odds, (int, float)) or not abs(odds) <= 20):
            raise ValueError(f"attentive_odds is a number of -20 to 20, not {odds!r}")
        if not isinstance(self.calibration, dict) or not all(isinstance(row, dict) for row in self.latency.values()):
            raise ValueError("calibration or latency is no mapping")
        self.clip.check()
        size = self.embedding_size
        if not isinstance(size, int) or isinstance(size, bool) or size < 1 or self.layout != "ntu25":
            raise ValueError("embedding_size or layout is not what this version knows")


class Bundle:
    """A verified bundle: `path` (the folder) and `manifest`."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: str | Path = "default") -> Bundle:
        """Opens and verifies a folder, or "default": the bundle that comes with this package.

        Every file's size and SHA-256, and the shapes of each ONNX model, must be what the manifest says. Raises
        BundleError with the command that mends it.
        """
        folder = DEFAULT if str(path) == "default" else Path(path)
        mend = _mend(folder)
        manifest = _read_manifest(folder, mend)
        for name, entry in manifest.files.items():
            _check_file(folder, name, entry, mend)
        models = [name for name in manifest.files if name.endswith(".onnx")]
        if "model.fp32.onnx" not in models:
            raise BundleError(f"bundle {folder} has no model.fp32.onnx: {mend}")
        for name in models:
            _check_model(folder, name, manifest, mend)
        bundle = cls(folder, manifest)
        _ = bundle.words  # so that words that do not fit are told now
        return bundle

    def model_path(self, precision: str = "fp32") -> Path:
        """The ONNX model of one of PRECISIONS. Raises BundleError where the bundle has none of that precision."""
        name = f"model.{precision}.onnx"
        if name not in self.manifest.files:
            hint = f": make it with edge-c2vl quantize {self.path} --calibration ARCHIVE"
            raise BundleError(f"bundle {self.path} has no {name}{hint}")
        return self.path / name

    @property
    def precisions(self) -> list[str]:
        """Those of PRECISIONS that there is a model of."""
        return [name for name in PRECISIONS if f"model.{name}.onnx" in self.manifest.files]

    @cached_property
    def words(self) -> TextLabels | None:
        """The labels in words, read once; None where there are none. Raises BundleError where they do not fit."""
        if WORDS not in self.manifest.files:
            return None
        return TextLabels.read(self.path / WORDS, self.manifest.embedding_size)

    @property
    def report(self) -> dict[str, Any]:
        """report.json; empty where there is none."""
        if "report.json" not in self.manifest.files:
            return {}
        values: dict[str, Any] = json.loads((self.path / "report.json").read_text("utf-8"))
        return values


def write_bundle(
    path: str | Path, manifest: Manifest, files: Mapping[str, Path | bytes], overwrite: bool = False
) -> Bundle:
    """Writes a bundle of `files` (path in the bundle -> file to copy, or its content), verifies it, puts it in place.

    Sizes and hashes are computed here, whatever `manifest.files` holds. A model's external data, where `files` names
    the model as a path, is taken from beside it. Raises BundleError where `path` exists (with overwrite=True a bundle
    there is replaced), or where what would be written is not a valid bundle; nothing is left then.
    """
    path = Path(path)
    if path.exists() and not (overwrite and (path / "manifest.json").is_file()):
        raise BundleError(exists_already(path, path / "manifest.json"))
    for name in files:
        if not _is_inside(name) or name == "manifest.json":
            raise BundleError(f"{name} is no path for a file in a bundle")
    try:
        folder = temporary_beside(path)
    except OSError as error:
        raise BundleError(
            f"{path.parent} cannot be written to ({error.strerror}): copy the bundle to a folder of your own"
        ) from None
    try:
        for name, content in files.items():
            _put(folder, name, content)
            if name.endswith(".onnx") and isinstance(content, Path):
                for location in _external(folder, name):
                    if _is_inside(location) and (content.parent / location).is_file():
                        _put(folder, str(PurePosixPath(name).parent / location), content.parent / location)
        listed = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        entries = {name: {"size": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in listed}
        values = manifest.to_json() | {"files": entries, "format_version": FORMAT_VERSION}
        (folder / "manifest.json").write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", "utf-8")
        verified = Bundle.open(folder)
        put_in_place(folder, path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Bundle(path, verified.manifest)


def revise_bundle(bundle: Bundle, files: Mapping[str, Path | bytes | None], **manifest: Any) -> Bundle:
    """The bundle with these files added, replaced or (None) left out and these fields of its manifest changed, put in
    the old one's place whole. Raises BundleError where the outcome is no valid bundle; the old one stays then."""
    kept: dict[str, Path | bytes | None] = {name: bundle.path / name for name in bundle.manifest.files}
    wanted = {name: content for name, content in (kept | dict(files)).items() if content is not None}
    return write_bundle(bundle.path, replace(bundle.manifest, **manifest), wanted, overwrite=True)


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _put(folder: Path, name: str, content: Path | bytes) -> None:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
    else:
        shutil.copyfile(content, target)


def _mend(folder: Path) -> str:
    if folder == DEFAULT:
        return "install it again with pip install --force-reinstall --no-deps edge-c2vl"
    return f"copy it again, or write it with edge-c2vl export CHECKPOINT {folder}"


def _read_manifest(folder: Path, mend: str) -> Manifest:
    file = folder / "manifest.json"
    if not file.is_file():
        what = "is not a model bundle (no manifest.json)" if folder.exists() else "does not exist"
        raise BundleError(f"bundle {folder} {what}: {mend}")
    try:
        values = json.loads(file.read_text("utf-8"))
        version = values["format_version"]
        if not isinstance(version, int) or isinstance(version, bool):
            raise ValueError("format_version is no number")
        if version > FORMAT_VERSION:
            raise BundleError(
                f"bundle {folder} has format {version}, this version reads up to {FORMAT_VERSION}: "
                "upgrade with pip install -U edge-c2vl"
            )
        return Manifest.from_json(values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise BundleError(f"the manifest of bundle {folder} cannot be used ({why}): {mend}") from None


def _is_inside(name: str) -> bool:
    """Whether a path from a manifest is relative, on every system, and climbs nowhere."""
    parts = PurePosixPath(name).parts
    drive = PureWindowsPath(name)
    return bool(parts) and ".." not in parts and "\\" not in name and "\0" not in name and not drive.anchor


def _check_file(folder: Path, name: str, entry: dict[str, Any], mend: str) -> None:
    file = folder / name
    if not _is_inside(name) or not file.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"bundle {folder} names {name}, which lies outside it; do not use this bundle: {mend}")
    if not file.is_file():
        raise BundleError(f"bundle {folder} lacks {name}: {mend}")
    size = file.stat().st_size
    if size != entry["size"]:
        raise BundleError(f"{file} has {size} bytes where the manifest says {entry['size']}: {mend}")
    if sha256(file) != entry["sha256"]:
        raise BundleError(f"{file} was altered (its SHA-256 is not the manifest's): {mend}")


def _external(folder: Path, name: str) -> list[str]:
    try:
        return sorted(external_files((folder / name).read_bytes()))
    except ValueError as error:
        raise BundleError(f"{folder / name} is not a model: {error}; export it again") from None


def _check_model(folder: Path, name: str, manifest: Manifest, mend: str) -> None:
    """External data is listed, hence verified, and the shapes are the manifest's."""
    for location in _external(folder, name):
        if str(PurePosixPath(name).parent / location) not in manifest.files:
            raise BundleError(f"{folder / name} keeps weights in {location}, which the manifest does not list: {mend}")
    onnxruntime = load_onnxruntime()

    options = onnxruntime.SessionOptions()
    # Only the shapes are wanted, so nothing is optimised and no thread pool is made.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        with utf8_name(folder / name) as source:
            session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        why = " ".join(str(error).split())
        raise BundleError(f"{folder / name} is not a model that ONNX Runtime can load ({why}): {mend}") from None
    found = {tensor.name: (tensor.type, tensor.shape) for tensor in (*session.get_inputs(), *session.get_outputs())}
    expected = {
        "clip": (3, manifest.clip.frames, 25),
        "logits": (len(manifest.labels),),
        "embedding": (manifest.embedding_size,),
    }
    # The first dimension is the batch: a name where any number of clips goes in, else a fixed number.
    actual = {key: tuple(shape[1:]) for key, (kind, shape) in found.items() if kind == "tensor(float)"}
    if actual != expected or len(found) != len(expected):
        shapes = ", ".join(f"{key} {kind} {shape}" for key, (kind, shape) in found.items())
        wanted = ", ".join(f"{key} float (N, {', '.join(map(str, size))})" for key, size in expected.items())
        raise BundleError(f"{folder / name} has {shapes}, the manifest wants {wanted}: {mend}")
