"""Supervised training of an encoder on a labelled archive: from scratch, or from a pretrained one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.splits import Rows, Split, windows_in
from edge_c2vl.skeletons.windows import windows_of
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader
from train.data.splits import draw_weights, few_labels, joints_of
from train.data.targets import Targets
from train.fabric import make_fabric
from train.methods.supervised import Supervised
from train.metrics import score
from train.model.checkpoint import About, copy_language, load_backbone, load_model
from train.model.encoder import Encoder, make_encoder
from train.model.inference import predict
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings
from train.trainer import Trainer


def finetune(
    archive: Archive,
    folder: Path,
    encoder: EncoderSettings,
    augment: AugmentSettings,
    data: DataSettings,
    loop: LoopSettings,
    *,
    rows: Mapping[str, Rows] | None = None,
    pretrained: Path | None = None,
    freeze: bool = False,
    resume: bool = False,
    cache: Path | None = None,
) -> dict[str, float]:
    """Trains into the run folder; returns the figures of the last epoch, with top-1 and balanced accuracy of val and
    test where there are such. rows: the recordings of "train", "val" and "test", instead of those of data.split;
    windows in which nobody is seen are not trained on. pretrained: a model whose encoder is started from (its form wins
    over `encoder`). freeze: only the classifier is trained, so that the encoder's embeddings, and the language they
    know, stay."""
    if freeze and pretrained is None:
        raise UsageError("--freeze keeps a pretrained encoder as it is: name it with --from")
    rows = Split.of(archive, data.split).parts if rows is None else rows
    fabric = make_fabric(loop)
    torch.manual_seed(loop.seed)
    targets = Targets.of(archive)
    encoder = replace(encoder, classes=len(targets.classes))
    spec = ClipSpec(
        frames=data.frames,
        seconds=data.seconds or ClipSpec().seconds,
        dimensions=archive.meta["dimensions"],
        facing=data.facing,
        joints=joints_of(archive, data.joints),
    )
    if pretrained is not None:
        model, about = load_model(pretrained)
        encoder = replace(about.encoder, classes=len(targets.classes), dropout=encoder.dropout)
        spec = replace(about.clip, seconds=data.seconds or about.clip.seconds)
    windows = windows_of(archive, None, data.seconds, data.hop_s, labelled=True)
    with fabric.rank_zero_first():
        store = ClipStore.open(archive, windows, spec, cache)
    spec = store.spec  # as the archive shows it: 2-D without depth, whatever the pretrained encoder saw
    parts = windows_in(windows, rows)
    train = parts["train"][store.confidence[parts["train"]] > 0]
    if not len(train):
        raise UsageError(f"no labelled window of {archive.path} with somebody in it is in train")
    if data.shots or data.share < 1:
        few = {"shots": data.shots} if data.shots else {"share": data.share}
        train = train[few_labels(windows.label[train], seed=loop.seed, **few)]
    network = make_encoder(encoder)
    if pretrained is not None:
        load_backbone(network, model)
    if freeze:
        assert network.classifier is not None
        network.requires_grad_(False)
        network.classifier.requires_grad_(True)
    weights = draw_weights(archive, windows, train, data.balance_by, data.shares_of) if data.balance else None
    loader = Loader(
        store,
        train,
        loop.batch_size,
        loop.seed,
        weights=weights,
        per_epoch=data.epoch_clips or None,
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )

    def figures(network: Encoder) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, part in parts.items():
            if name != "train" and len(part):
                predicted = predict(network, store, part).argmax(axis=1)
                # A label that stands for several classes is met by each of them.
                label = windows.label[part]
                right = targets.allowed.numpy()[label, predicted]
                scores = score(np.where(right, label, -1), label)
                values |= {f"{name}_top1": scores.top1, f"{name}_balanced": scores.balanced}
        return values

    varied = Augment(augment, spec.dimensions)
    task = Supervised(varied, targets, smoothing=data.smoothing, evaluate=figures, frozen=freeze)
    about = About(encoder, spec, targets.classes, archive.meta["source"], archive.licences)
    recorded = {"augment": asdict(augment), "data": asdict(data), "pretrained": str(pretrained or ""), "freeze": freeze}
    run = Trainer(network, task, loader, loop, folder, about, fabric, recorded)
    run.run(resume)
    if freeze and pretrained is not None and fabric.is_global_zero:
        copy_language(pretrained, folder)
    return run.metrics[-1]
