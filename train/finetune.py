"""Supervised training of an encoder on a labelled archive: from scratch, or from a pretrained one."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.skeletons.windows import Windows, sliding, whole_clips
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader
from train.loop import Loop, make_fabric
from train.metrics import score
from train.model.checkpoint import About, copy_language, load_backbone, load_model
from train.model.encoder import Encoder
from train.model.inference import predict
from train.protocols import few_labels
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings
from train.task import Supervised


def finetune(
    archive: Archive,
    folder: Path,
    encoder: EncoderSettings,
    augment: AugmentSettings,
    data: DataSettings,
    loop: LoopSettings,
    *,
    pretrained: Path | None = None,
    freeze: bool = False,
    resume: bool = False,
    cache: Path | None = None,
) -> dict[str, float]:
    """Trains into the run folder; returns the figures of the last epoch, with top-1 and balanced accuracy of val and
    test where the split has them. pretrained: a model whose encoder is started from (its form wins over `encoder`).
    freeze: only the classifier is trained, so that the encoder's embeddings, and the language they know, stay."""
    if freeze and pretrained is None:
        raise UsageError("--freeze keeps a pretrained encoder as it is: name it with --from")
    fabric = make_fabric(loop)
    torch.manual_seed(loop.seed)
    encoder = replace(encoder, classes=len(archive.labels))
    spec = ClipSpec(
        frames=data.frames,
        seconds=data.seconds or ClipSpec().seconds,
        dimensions=archive.meta["dimensions"],
        facing=data.facing,
        joints=joints_of(archive),
    )
    if pretrained is not None:
        model, about = load_model(pretrained)
        encoder = replace(about.encoder, classes=len(archive.labels), dropout=encoder.dropout)
        spec = replace(about.clip, seconds=data.seconds or about.clip.seconds)
    windows = make_windows(archive, data)
    with fabric.rank_zero_first():
        store = ClipStore.open(archive, windows, spec, cache)
    parts = split_rows(archive, windows, data.split)
    train = parts["train"]
    if data.shots or data.share < 1:
        few = {"shots": data.shots} if data.shots else {"share": data.share}
        train = train[few_labels(windows.label[train], seed=loop.seed, **few)]
    network = Encoder(encoder)
    if pretrained is not None:
        load_backbone(network, model)
    if freeze:
        assert network.classifier is not None
        network.requires_grad_(False)
        network.classifier.requires_grad_(True)
    weights = None
    if data.balance:
        counts = np.bincount(windows.label[train], minlength=len(archive.labels))
        weights = 1.0 / counts[windows.label[train]]
    loader = Loader(
        store,
        train,
        loop.batch_size,
        loop.seed,
        weights=weights,
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )

    def figures(network: Encoder) -> dict[str, float]:
        values: dict[str, float] = {}
        for name in ("val", "test"):
            if len(parts[name]):
                predicted = predict(network, store, parts[name]).argmax(axis=1)
                scores = score(predicted, windows.label[parts[name]])
                values |= {f"{name}_top1": scores.top1, f"{name}_balanced": scores.balanced}
        return values

    task = Supervised(Augment(augment, spec.dimensions), smoothing=data.smoothing, evaluate=figures, frozen=freeze)
    about = About(encoder, spec, archive.labels, archive.meta["source"], [archive.meta["licence"]])
    recorded = {"augment": asdict(augment), "data": asdict(data), "pretrained": str(pretrained or ""), "freeze": freeze}
    run = Loop(network, task, loader, loop, folder, about, fabric, recorded)
    run.run(resume)
    if freeze and pretrained is not None and fabric.is_global_zero:
        copy_language(pretrained, folder)
    return run.metrics[-1]


def make_windows(archive: Archive, data: DataSettings) -> Windows:
    """The labelled windows of an archive."""
    windows = sliding(archive, None, data.seconds, data.hop_s) if data.seconds else whole_clips(archive)
    windows = windows[windows.label >= 0]
    if not len(windows):
        raise UsageError(f"nothing in {archive.path} has a label: pretrain on it, or prepare it with labels")
    return windows


def split_rows(archive: Archive, windows: Windows, split: str) -> dict[str, NDArray[np.int64]]:
    """Rows of the windows in "train", "val" and "test". Raises UsageError for a split that the archive lacks."""
    if not split:
        nothing = np.zeros(0, np.int64)
        return {"train": np.arange(len(windows)), "val": nothing, "test": nothing}
    if split not in archive.clips.columns:
        others = [name for name in archive.clips.columns if (archive.clips[name] == "train").any()]
        raise UsageError(f"--split {split}: {archive.path} has {', '.join(others) or 'no split'}")
    part = archive.clips[split].to_numpy()[windows.clip]
    rows = {name: np.flatnonzero(part == name) for name in ("train", "val", "test")}
    if not len(rows["train"]):
        raise UsageError(f"--split {split}: no recording of {archive.path} is in train")
    return rows


def joints_of(archive: Archive, sample: int = 200, least: float = 0.005) -> tuple[str, ...]:
    """The ntu25 joints that an archive has: seen in at least that share of the frames of recordings spread over it."""
    rows = np.unique(np.linspace(0, len(archive) - 1, sample).astype(int))
    seen = sum((archive.sequence(row)[..., 3] > 0).sum(axis=0) for row in rows)
    frames = sum(len(archive.sequence(row)) for row in rows)
    return tuple(name for name, count in zip(NTU25.joints, seen, strict=True) if count >= least * frames)
