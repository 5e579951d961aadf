"""Supervised training of an encoder on a labelled archive: from scratch, or from a pretrained one."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader
from train.data.splits import few_labels, joints_of, make_windows, split_rows
from train.methods.supervised import Supervised
from train.metrics import score
from train.model.checkpoint import About, copy_language, load_backbone, load_model
from train.model.encoder import Encoder
from train.model.inference import predict
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings
from train.trainer import Trainer, make_fabric


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
    run = Trainer(network, task, loader, loop, folder, about, fabric, recorded)
    run.run(resume)
    if freeze and pretrained is not None and fabric.is_global_zero:
        copy_language(pretrained, folder)
    return run.metrics[-1]
