"""From a bundle with an FP32 model to the same bundle with INT8 and FP16 beside it, and what that cost and won."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration import report as reporting
from calibration import sensitivity
from calibration.clips import ClipSet, divide, fingerprint
from calibration.evaluate import BATCH, Outputs, accuracy, drop_points, outputs, outputs_of
from calibration.quantize import Layer, check_graph, insert_qdq, layers, load_folded, ranged_tensors, to_fp16
from calibration.ranges import METHODS, CalibrationError, Histogram, observe, thresholds
from edge_c2vl import plots
from edge_c2vl.bundle.bundle import Bundle, Manifest, revise_bundle, write_bundle
from edge_c2vl.device.machine import cpu_name
from edge_c2vl.errors import ArchiveError
from edge_c2vl.inference.base import in_batches
from edge_c2vl.inference.benchmark import cpu_latency
from edge_c2vl.inference.onnxruntime import fixed_batch, session_options
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.progress import track

KEPT_CLIPS = 32  # that go into the bundle, to check an engine with on the device
MOST_EMPTY = 0.5  # of the calibration clips may show no joint at all
OBSERVED = 8  # clips at a time whose activations are looked at: at width 64 they take 20 MB each


@dataclass(frozen=True)
class QuantizeOptions:
    """samples: calibration clips. max_drop: points of balanced accuracy that INT8 may lose, see `drop_points`. split,
    windows: see `clips.divide`. threads: of the latency measurement. force: write an INT8 model that loses more, too.
    compare: try every method, to be seen beside each other. keep_clips: put some calibration clips into the bundle.
    fp16: put an FP16 model beside it."""

    samples: int = 512
    method: str = "mse"
    max_drop: float = 0.5
    split: str | None = None
    windows: str = "auto"
    threads: int = 1
    seed: int = 0
    force: bool = False
    compare: bool = False
    keep_clips: bool = True
    fp16: bool = True


@dataclass(frozen=True)
class Outcome:
    """The revised bundle and its figures (what report.json holds under "quantisation")."""

    bundle: Bundle
    figures: dict[str, Any]
    rows: list[sensitivity.Sensitivity] = field(default_factory=list)


def quantize_bundle(
    bundle: Bundle, archive: Archive, options: QuantizeOptions, say: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Writes model.int8.onnx, model.fp16.onnx, calibration.npz, report.json and manifest.json into the bundle.

    Which layers stay in floating point is chosen on clips held apart from calibration, and the outcome is judged on
    the evaluation split. Raises CalibrationError where INT8 loses more than max_drop there and options.force is not
    set, ArchiveError and UsageError where the archive does not fit; the bundle is as it was then.
    """
    manifest = bundle.manifest
    sets = divide(
        archive,
        manifest.labels,
        manifest.clip,
        distraction=manifest.distraction,
        samples=options.samples,
        split=options.split,
        windows=options.windows,
        seed=options.seed,
    )
    say(f"calibration: {len(sets.calibration)} clips ({sets.calibration.name})")
    say(f"selection:   {len(sets.selection)} clips ({sets.selection.name})")
    say(f"evaluation:  {len(sets.evaluation)} clips ({sets.evaluation.name})")
    clips = sets.calibration.clips()
    empty = float((~clips.any(axis=(1, 2, 3))).mean())
    if empty > MOST_EMPTY:
        raise ArchiveError(
            f"no joint is seen in {100 * empty:.0f} % of the calibration clips ({sets.calibration.name}): ranges of "
            "nothing say nothing; make the archive again with edge-c2vl prepare"
        )
    model = load_folded(bundle.model_path())
    found = layers(model)
    histograms = _histograms(model, found, clips)

    distraction = np.isin(manifest.labels, manifest.distraction)
    chosen = sets.selection.clips(), sets.selection.labels, distraction
    reference = outputs(bundle.model_path(), *chosen)
    ranges = thresholds(histograms, options.method)
    quantised = outputs(insert_qdq(model, found, ranges).SerializeToString(), *chosen)
    rows = sensitivity.leave_one_out(model, found, ranges, chosen, reference, quantised)
    try:
        floating = sensitivity.search(model, found, ranges, chosen, reference, rows, options.max_drop)
    except CalibrationError:
        if not options.force:
            raise
        floating = []

    int8 = check_graph(insert_qdq(model, found, ranges, floating)).SerializeToString()
    fp16 = check_graph(to_fp16(model)).SerializeToString() if options.fp16 else None
    models: dict[str, Path | bytes] = {"fp32": bundle.model_path()} | ({"fp16": fp16} if fp16 else {}) | {"int8": int8}
    if options.compare:
        for method in METHODS:
            models[method] = insert_qdq(model, found, thresholds(histograms, method)).SerializeToString()
    judged = _judge(models, sets.evaluation, distraction)
    drop = drop_points(judged["fp32"], judged["int8"])
    figures: dict[str, Any] = {
        "method": options.method,
        "calibration": {"clips": len(clips), "from": sets.calibration.name, "sha256": fingerprint(clips)},
        "selection": {
            "clips": len(sets.selection),
            "from": sets.selection.name,
            "fp32": accuracy(reference),
            "int8": accuracy(quantised),
        },
        "evaluation": {"clips": len(sets.evaluation), "from": sets.evaluation.name},
        "max_drop_points": options.max_drop,
        "drop_points": round(drop, 4),
        "layers": len(found),
        "floating": floating,
        "sensitivity": [row.to_json() for row in rows],
    }
    if options.compare:
        figures["methods"] = {name: reporting.method_figures(judged["fp32"], judged.pop(name)) for name in METHODS}
    if drop > options.max_drop and not options.force:
        raise CalibrationError(
            f"INT8 loses {drop:.2f} points of balanced accuracy on {sets.evaluation.name}, more than "
            f"--max-drop {options.max_drop:g}: bundle {bundle.path} is as it was; try another --method, more "
            "--samples, or write it all the same with --force"
        )
    files: dict[str, bytes | Path | None] = {"model.int8.onnx": int8, "model.fp16.onnx": fp16, "calibration.npz": None}
    if options.keep_clips:
        files["calibration.npz"] = _packed(clips)
    latency = _latency(bundle, files, options.threads)
    sizes = {"fp32": bundle.model_path().stat().st_size, "fp16": len(fp16 or b""), "int8": len(int8)}
    figures["device"] = cpu_name()
    figures["threads"] = options.threads
    figures["models"] = reporting.model_figures(judged, sizes, latency)
    revised = _write(bundle, files, figures, latency)
    return Outcome(revised, figures, rows)


def _histograms(model: Any, found: list[Layer], clips: Array) -> dict[str, Histogram]:
    """The model's activations on the calibration clips, tensor by tensor."""
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = ranged_tensors(found)
    given = {entry.name for entry in watched.graph.input}
    for name in names:
        if name not in given:
            watched.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), session_options(1), providers=["CPUExecutionProvider"]
    )

    computing = [name for name in names if name not in given]
    size = fixed_batch(session) or OBSERVED

    def run(batch: Array) -> list[Array]:
        computed = iter(in_batches(lambda part: session.run(computing, {"clip": part}), batch, size))
        return [batch if name in given else next(computed) for name in names]

    starts = range(0, len(clips), OBSERVED)
    return observe(run, names, lambda: track((clips[s : s + OBSERVED] for s in starts), "calibrating", len(starts)))


def _judge(models: dict[str, Path | bytes], clips: ClipSet, distraction: NDArray[np.bool_]) -> dict[str, Outputs]:
    batches = -(-len(clips) // BATCH)
    return outputs_of(models, track(clips.batches(BATCH), "evaluating", batches), distraction)


def _packed(clips: Array) -> bytes:
    """Some of the clips, spread over all, in FP16: 32 of 64 frames take 0.3 MB."""
    kept = clips[np.linspace(0, len(clips) - 1, min(KEPT_CLIPS, len(clips))).astype(int)]
    file = io.BytesIO()
    np.savez_compressed(file, clips=kept.astype(np.float16))
    return file.getvalue()


def _latency(bundle: Bundle, files: dict[str, bytes | Path | None], threads: int) -> dict[str, Any]:
    """Measured on a copy, for the bundle itself changes only when everything is known."""
    models: dict[str, bytes | Path] = {"model.fp32.onnx": bundle.model_path()}
    models |= {name: content for name, content in files.items() if name.endswith(".onnx") and content is not None}
    with tempfile.TemporaryDirectory() as folder:
        plain = Manifest(**{**vars(bundle.manifest), "engines": [], "files": {}})
        return cpu_latency(write_bundle(Path(folder) / "copy", plain, models), threads)


def _write(
    bundle: Bundle, files: dict[str, bytes | Path | None], figures: dict[str, Any], latency: dict[str, Any]
) -> Bundle:
    """The bundle with the new models; engines that were made from the ones they replace go."""
    manifest = bundle.manifest
    kept = [engine for engine in manifest.engines if engine.precision == "fp32" or engine.model != "encoder"]
    changes = dict(files)
    changes |= {engine.path: None for engine in manifest.engines if engine not in kept}
    changes["report.json"] = json.dumps(bundle.report | {"quantisation": figures}, indent=1).encode()
    name = f"{figures['evaluation']['from']}; one precision against another"
    judged = {
        precision: manifest.accuracy.get(precision, {})
        | {name: {key: row[key] for key in ("top1", "balanced", "distracted", "clips") if key in row}}
        for precision, row in figures["models"].items()
    }
    return revise_bundle(
        bundle,
        changes,
        accuracy=judged,
        calibration=figures["calibration"] | {"method": figures["method"], "floating": figures["floating"]},
        latency=manifest.latency | {figures["device"]: latency},
        engines=kept,
    )


def write_report(outcome: Outcome, folder: Path) -> Path:
    """report.md and sensitivity.png into the folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    floating = outcome.figures["floating"]
    text = reporting.text(outcome.figures, sensitivity.table(outcome.rows, floating))
    (folder / "report.md").write_text(text, "utf-8")
    gains = [(row.node, row.most_db) for row in outcome.rows]
    plots.save(plots.sensitivity(gains, floating), folder / "sensitivity.png")
    return folder
