"""Judges frozen encoders on an archive by one of the protocols, several seeds and streams together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.splits import Rows, Split, split_columns, windows_in
from edge_c2vl.skeletons.windows import Windows, windows_of
from train.data.clips import ClipStore
from train.data.splits import few_labels, hold_out
from train.evaluation.judges import knn_predict, linear, one_class_by_camera
from train.metrics import mean_and_spread, roc_auc, score
from train.model.checkpoint import load_model, members
from train.model.inference import cached_features
from train.settings.probe import ProbeSettings


def probe(
    archive: Archive, models: Sequence[Path], settings: ProbeSettings, device: str = "cpu", cache: Path | None = None
) -> dict[str, Any]:
    """{"runs": figures of each seed, "mean": ..., "spread": ...}; the spread is the sample standard deviation. A run's
    `C_STREAM` is a setting that was chosen, and no figure: its mean would tell nothing.

    models: model files or run folders; a folder that holds seed0, seed1, ... stands for as many. Several models are the
    streams of a fusion, with as many seeds each. Raises UsageError where the split, the labels or the streams do not
    fit, CheckpointError where a model is missing.
    """
    windows = windows_of(archive, None, settings.seconds, settings.hop_s, labelled=True)
    runs = []
    for paths in zip(*_same_length([members(model) for model in models]), strict=True):
        features = {}
        for path in paths:
            encoder, about = load_model(path)
            if about.encoder.stream in features:
                raise UsageError(f"{path} sees the same stream as another: fusion takes one model a stream")
            store = ClipStore.open(archive, windows, _seen_as(about.clip, archive), cache)
            features[about.encoder.stream] = cached_features(encoder, store, device, cache)
        for draw in range(settings.draws):
            figures = _figures(archive, windows, features, settings, draw)
            runs.append({"model": str(paths[0])} | ({"draw": draw} if settings.draws > 1 else {}) | figures)
    names = [name for name in runs[0] if name not in ("model", "draw", "n") and not name.startswith("C_")]
    summary = {name: mean_and_spread([float(run[name]) for run in runs]) for name in names}
    return {
        "runs": runs,
        "mean": {name: mean for name, (mean, _) in summary.items()},
        "spread": {name: deviation for name, (_, deviation) in summary.items()},
    }


def _seen_as(spec: ClipSpec, archive: Archive) -> ClipSpec:
    """The encoder's clip, with bodies in 3-D put upright and turned to the front for an encoder of pictures, which
    never saw anybody from behind."""
    if spec.dimensions == 2 and archive.meta["dimensions"] == 3:
        return replace(spec, facing=True, upright=True)
    return spec


def _same_length(models: list[list[Path]]) -> list[list[Path]]:
    if len({len(seeds) for seeds in models}) > 1:
        raise UsageError(f"fusion needs as many seeds of each stream; there are {[len(seeds) for seeds in models]}")
    return models


def _parts(archive: Archive, windows: Windows, settings: ProbeSettings) -> dict[str, Rows]:
    """The windows in train, val and test; val is made of train's subjects where it is needed and missing."""
    if not settings.split:
        there = ", ".join(split_columns(archive)) or "no split"
        raise UsageError(f"--split says what is judged: {archive.path} has {there}, or subject:K/N")
    rows = windows_in(windows, Split.of(archive, settings.split, ("train", "test")).parts)
    for name in ("train", "test"):
        if not len(rows[name]):
            raise UsageError(f"--split {settings.split}: no labelled window of {archive.path} is in {name}")
    if settings.protocol == "linear" and not len(rows["val"]):
        subjects = archive.clips["subject"].to_numpy()[windows.clip].astype(str)
        _, held = hold_out(subjects[rows["train"]], settings.hold_out)
        rows["val"] = rows["train"][held]
    return rows


def _figures(
    archive: Archive, windows: Windows, features: dict[str, NDArray[np.float32]], settings: ProbeSettings, draw: int
) -> dict[str, float]:
    rows, labels, classes = _parts(archive, windows, settings), windows.label, len(archive.labels)
    if settings.protocol == "one-class":
        return _one_class(archive, windows, features, settings, rows)
    train, test = rows["train"], rows["test"]
    if settings.shots or settings.share < 1:
        few = {"shots": settings.shots} if settings.shots else {"share": settings.share}
        train = train[few_labels(labels[train], seed=draw, **few)]
    if settings.protocol == "knn":
        if len(features) > 1:
            raise UsageError("--protocol knn has no scores to fuse: give one model")
        (values,) = features.values()
        return score(knn_predict(values[train], labels[train], values[test], settings.k), labels[test]).to_json()
    validation = rows["val"] if settings.protocol == "linear" else None
    scores, chosen = linear(features, labels, train, test, classes, validation)
    found = score(scores.argmax(axis=1), labels[test]).to_json()
    return found | {f"C_{stream}": c for stream, c in chosen.items()}


def _one_class(
    archive: Archive,
    windows: Windows,
    features: dict[str, NDArray[np.float32]],
    settings: ProbeSettings,
    rows: dict[str, Rows],
) -> dict[str, float]:
    """ROC-AUC of the distance from the normal train windows: of each camera by its own normal windows, and pooled."""
    names = archive.labels
    if settings.normal and settings.normal not in names:
        raise UsageError(f"--normal {settings.normal!r}: the labels are {', '.join(names)}")
    normal = names.index(settings.normal) if settings.normal else 0
    (values,) = list(features.values())[:1]
    if len(features) > 1:
        raise UsageError("--protocol one-class judges one model")
    train = rows["train"][windows.label[rows["train"]] == normal]
    test, camera = rows["test"], archive.clips["camera"].to_numpy()[windows.clip]
    distance = one_class_by_camera(values, camera, train, test, settings.distance)
    strange = windows.label[test] != normal
    figures = {
        f"auc_{name}": roc_auc(distance[camera[test] == name], strange[camera[test] == name])
        for name in np.unique(camera[test])
    }
    figures["auc"] = roc_auc(distance, strange)
    return figures | {"n": len(test)}
