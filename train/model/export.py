"""A trained model -> ONNX -> a bundle for the vehicle, checked against PyTorch on real clips."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edge_c2vl.bundle.bundle import Bundle, Manifest, write_bundle
from edge_c2vl.bundle.text_labels import TextLabels
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.texts import read_json, why_unread
from train.environment import describe_environment
from train.model.checkpoint import About
from train.model.encoder import Encoder
from train.model.exported import BothSides, Combined, InWords, Network, Weighed, folded
from train.settings.resume import SETTINGS

OPSET = 17
LICENCES = "licences"  # the bundle's folder of their texts
# What a bundle's report.json keeps of the settings of the run that it was exported from.
_SETTINGS = ("augment", "data", "pretraining", "objective", "loop", "model", "freeze")
PARITY = 1e-4  # largest difference between ONNX Runtime and PyTorch that is let through


def export_bundle(
    encoder: Encoder,
    about: About,
    path: Path,
    clips: Array,
    *,
    name: str,
    distraction: list[str],
    activities: tuple[Encoder, About] | None = None,
    activities_share: float = 0.0,
    both_sides: bool = False,
    files: Mapping[str, Path | bytes] | None = None,
    words: TextLabels | None = None,
    accuracy: Mapping[str, Any] | None = None,
    batch: int = 0,
    attentive_odds: float | None = None,
    offsets: Mapping[str, float] | None = None,
    unseen_offsets: Mapping[str, float] | None = None,
    sharpen: float = 1.0,
    overwrite: bool = False,
) -> tuple[Bundle, float]:
    """Writes the bundle; returns it and the largest difference from PyTorch on `clips` (N, 3, T, 25).

    distraction: those of the model's labels that count as distraction. activities: the second model of Combined, of the
    same labels and clips; activities_share: its share there. both_sides: see BothSides. files: licence texts,
    report.json and the like. words: labels in words, which become the classes of a model without a classifier. batch:
    clips an inference; 0 leaves that open. offsets and unseen_offsets of labels, sharpen: see Weighed; not of a model
    without a classifier. attentive_odds: see Manifest.
    Raises BundleError where the outputs differ by more than 1e-4, the model has no classifier, or `path` exists;
    UsageError where the two models do not go together, or there is a share and no second model.
    """
    network: Network
    if activities_share and activities is None:
        raise UsageError("--activities-share is of a second model: name it with --activities")
    if words is not None:
        if encoder.classifier is not None:
            raise BundleError("this model has classes of its own: export it, then edge-c2vl labels add")
        if offsets or unseen_offsets or sharpen != 1 or both_sides or activities is not None:
            raise BundleError(
                "--activities, --both-sides, --offset, --unseen-offset and --sharpen are for a classifier's logits, "
                "and labels in words have none"
            )
        network = InWords(encoder, torch.from_numpy(words.embeddings.T / words.temperature))
    elif encoder.classifier is None:
        raise BundleError(
            "this model has no classifier, so it cannot decide: train one with edge-c2vl train finetune, or give it "
            "labels in words (--describe)"
        )
    else:
        counted = torch.tensor([label in distraction for label in about.labels])
        network, about = _classifying(encoder, about, activities, counted, activities_share, both_sides)
        if offsets or unseen_offsets or sharpen != 1:
            added, hidden = (_in_order(of or {}, about.labels) for of in (offsets, unseen_offsets))
            network = Weighed(network, added, hidden, counted, sharpen)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.fp32.onnx"
        write_onnx(network, about.clip.frames, model, batch)
        difference = parity(network, model, clips)
        if not difference <= PARITY:
            raise BundleError(f"ONNX Runtime and PyTorch differ by {difference:.2g} on these clips, more than {PARITY}")
        manifest = Manifest(
            name=name,
            labels=about.labels if words is None else words.labels,
            distraction=distraction,
            clip=about.clip,
            embedding_size=encoder.embedding_size,
            trained_on=about.trained_on,
            attentive_odds=attentive_odds,
            accuracy=dict(accuracy or {}),
            licences=[*about.licences, *(name for name in files or {} if name.startswith(f"{LICENCES}/"))],
        )
        return write_bundle(path, manifest, {"model.fp32.onnx": model, **(files or {})}, overwrite), difference


def parse_offsets(texts: Sequence[str], labels: Sequence[str], option: str = "--offset") -> dict[str, float]:
    """Label -> number, of texts LABEL=NUMBER. Raises UsageError."""
    offsets = {}
    for text in texts:
        label, _, value = text.partition("=")
        try:
            offsets[label] = float(value)
        except ValueError:
            raise UsageError(f"{option} {text}: expected LABEL=NUMBER") from None
        if label not in labels or not -20 <= offsets[label] <= 20:
            raise UsageError(f"{option} {text}: labels are {', '.join(labels)}; a number of -20 to 20")
    return offsets


def chosen_labels(text: str, labels: Sequence[str]) -> list[str]:
    """The labels that --distraction names: "a,b": those; "!a,!b": all but those; empty: none. Raises UsageError on a
    label that is not there."""
    named = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in named if name.removeprefix("!") not in labels]
    if unknown or len({name.startswith("!") for name in named}) > 1:
        raise UsageError(f"--distraction {text}: expected some of {', '.join(labels)}, or some with ! before each")
    if named and named[0].startswith("!"):
        return [label for label in labels if f"!{label}" not in named]
    return named


def texts_of(paths: Sequence[Path]) -> dict[str, Path | bytes]:
    """Licence texts as files of a bundle. Raises UsageError where one is missing, or two have the same name."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UsageError(f"--licence {missing[0]}: there is no such file")
    files: dict[str, Path | bytes] = {f"{LICENCES}/{path.name}": path for path in paths}
    if len(files) < len(paths):
        raise UsageError("--licence: two files have the same name, and the bundle would keep one: rename the other")
    return files


def statement(report: Path, run: Path, activities: Path | None = None) -> tuple[dict[str, Any], bytes]:
    """What a bundle states of its accuracy: for the manifest, and as report.json, with the settings of the run or both.

    report: report.json of edge-c2vl eval; its "accuracy" is of FP32 models. Raises UsageError where it has none.
    """
    try:
        values = read_json(report)
        accuracy = values["accuracy"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--figures {report} is no report.json of edge-c2vl eval ({why_unread(error)})") from None
    # No paths, commands or names of a machine go into a bundle.
    stated = {name: value for name, value in values.items() if name not in ("environment", "model", "models")}
    stated |= {"settings": _settings(run), "versions": describe_environment()["versions"]}
    if activities is not None:
        stated["activities_settings"] = _settings(activities)
    return {"fp32": accuracy}, (json.dumps(stated, indent=1) + "\n").encode()


def _classifying(
    encoder: Encoder,
    about: About,
    activities: tuple[Encoder, About] | None,
    distraction: Tensor,
    share: float,
    both_sides: bool,
) -> tuple[Encoder | BothSides | Combined, About]:
    """The network of a model with a classifier or of two, and what is known of it."""
    seen = BothSides.of(encoder, about.labels) if both_sides else encoder
    if activities is None:
        return seen, about
    second, theirs = activities
    known = _of_both(about, second, theirs, distraction)
    return Combined(seen, BothSides.of(second, theirs.labels) if both_sides else second, distraction, share), known


def _of_both(about: About, second: Encoder, theirs: About, distraction: Tensor) -> About:
    """What is known of both models together. Raises UsageError where they do not go together."""
    if second.classifier is None:
        raise UsageError("--activities has no classifier: train one with edge-c2vl train finetune")
    if about.labels != theirs.labels:
        raise UsageError(
            f"--activities has the labels {', '.join(theirs.labels)}; the same in the same order are wanted: "
            f"{', '.join(about.labels)}"
        )
    if about.clip != theirs.clip:
        ours, other = about.clip.to_json(), theirs.clip.to_json()
        differing = ", ".join(f"{key} {other[key]} instead of {ours[key]}" for key in ours if ours[key] != other[key])
        raise UsageError(f"--activities was trained on other clips ({differing}): train both with the same settings")
    if not 0 < int(distraction.sum()) < len(distraction):
        raise UsageError("--activities says which distraction it is: name some, not all, labels with --distraction")
    sources = [part for text in (about.trained_on, theirs.trained_on) for part in text.split("; ") if part]
    return replace(
        about,
        trained_on="; ".join(dict.fromkeys(sources)),
        licences=list(dict.fromkeys([*about.licences, *theirs.licences])),
    )


def _in_order(offsets: Mapping[str, float], labels: Sequence[str]) -> Tensor:
    return torch.tensor([offsets.get(label, 0.0) for label in labels], dtype=torch.float32)


def _settings(run: Path) -> dict[str, Any]:
    """Of the run that a model is of; empty where they do not lie beside it."""
    try:
        return {name: value for name, value in read_json(run / SETTINGS).items() if name in _SETTINGS}
    except (OSError, ValueError):
        return {}


def write_onnx(network: Network, frames: int, path: Path, batch: int = 0) -> None:
    """One ONNX file: input `clip` (N, 3, frames, 25), outputs `logits` (N, K) and `embedding` (N, D); N is `batch`, or
    free where that is 0.

    Raises BundleError where the graph holds what not every engine runs: Einsum, BatchNormalization that did not fold,
    or an operator outside ONNX's own domain.
    """
    import onnx

    clip = torch.zeros(batch or 1, 3, frames, 25)
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated, but its graph is flat and needs no onnxscript to be simplified;
        # the sizes that it warns of taking as constants are constant.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            folded(network).eval(),
            (clip,),
            str(path),
            input_names=["clip"],
            output_names=["logits", "embedding"],
            dynamic_axes=None if batch else {name: {0: "N"} for name in ("clip", "logits", "embedding")},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    foreign = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    unwanted = {node.op_type for node in model.graph.node} & {"Einsum", "BatchNormalization"}
    if foreign or unwanted:
        raise BundleError(f"the exported graph holds {', '.join(sorted(foreign | unwanted))}")


def parity(network: Network, model: Path, clips: Array) -> float:
    """The largest difference of any logit or embedding between ONNX Runtime and the PyTorch network as trained."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    largest = 0.0
    with torch.no_grad(), OnnxRuntimeBackend(model, "fp32", threads=0) as backend:
        for first in range(0, len(clips), 64):
            batch = clips[first : first + 64]
            found = backend.infer(batch)
            for a, b in zip(found, network(torch.from_numpy(batch)), strict=True):
                # max() of a NaN would be passed over by a comparison; np.max keeps it, and `<=` then fails.
                largest = max(largest, float(np.nan_to_num(np.abs(a - b.numpy()).max(), nan=np.inf)))
    for module, training in modes:
        module.training = training
    return largest
