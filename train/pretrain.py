"""Pretraining without labels: an archive and knowledge banks -> an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.splits import Rows, Split
from edge_c2vl.skeletons.windows import windows_of
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader
from train.data.splits import joints_of
from train.fabric import make_fabric
from train.knowledge.bank import Bank
from train.knowledge.gather import gather_knowledge
from train.knowledge.language import SAMPLE
from train.methods.base import Task
from train.model.checkpoint import LANGUAGE, About, save_model
from train.model.encoder import make_encoder
from train.settings.pretraining import METHODS, ObjectiveSettings, PretrainSettings
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings
from train.trainer import MODEL, Trainer


def pretrain(
    archive: Archive,
    folder: Path,
    banks: Sequence[Bank],
    encoder: EncoderSettings,
    augment: AugmentSettings,
    pretraining: PretrainSettings,
    objective: ObjectiveSettings,
    loop: LoopSettings,
    *,
    rows: Rows | None = None,
    resume: bool = False,
    cache: Path | None = None,
) -> dict[str, float]:
    """Trains into the run folder; returns the figures of the last epoch (none for a random encoder).

    Labels are never read. rows: the recordings to learn from, instead of the train part of pretraining.split; windows
    in which nobody is seen are left out. banks: one of each kind (language, vision), whose windows are the clips; other
    methods take whole recordings, or windows of `seconds`. Raises UsageError and BankError where archive and banks do
    not fit.
    """
    rows = Split.of(archive, pretraining.split).rows("train") if rows is None else rows
    fabric = make_fabric(loop)
    torch.manual_seed(loop.seed)
    seconds = max([pretraining.seconds, *(float(bank.meta.get("seconds", 0)) for bank in banks)])
    method, language = METHODS[pretraining.method], None
    knowledge: dict[str, torch.Tensor] = {}
    if method.knowledge:
        windows, knowledge, language = gather_knowledge(archive, rows, banks, pretraining, loop.seed)
        if "language" in knowledge and not pretraining.hidden:
            # The embedding is then the projector, and words and clips can be compared after training.
            encoder = replace(encoder, embedding=knowledge["language"].shape[2])
    elif banks:
        raise UsageError(f"--bank has no use in --method {pretraining.method}")
    else:
        windows = windows_of(archive, rows, seconds, pretraining.hop_s)
    spec = ClipSpec(
        frames=pretraining.frames,
        seconds=seconds or ClipSpec().seconds,
        dimensions=archive.meta["dimensions"],
        facing=pretraining.facing,
        joints=joints_of(archive, pretraining.joints),
    )
    network = make_encoder(encoder)
    how = pretraining.method + (f" with {', '.join(sorted(knowledge))}" if knowledge else "")
    about = About(encoder, spec, [], f"{archive.meta['source']}, without labels ({how})", [archive.meta["licence"]])
    if not method.task:
        if (folder / MODEL).exists():
            raise UsageError(f"{folder} holds a run already: name another folder")
        if fabric.is_global_zero:
            save_model(folder / MODEL, network, about)
        return {}
    with fabric.rank_zero_first():
        store = ClipStore.open(archive, windows, spec, cache)
    seen = np.flatnonzero(store.confidence > 0)
    loader = Loader(
        store,
        seen,
        loop.batch_size,
        loop.seed,
        # Windows of a long drive are as many samples; a recording and its crops are one.
        groups=None if seconds else windows.clip[seen],
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )
    vary = Augment(augment, spec.dimensions)
    module, function = method.task.split(":")
    make_task = getattr(import_module(module), function)
    task: Task = make_task(network, vary, knowledge, pretraining, objective)
    recorded: dict[str, Any] = {"augment": asdict(augment), "pretraining": asdict(pretraining)}
    recorded |= {"objective": asdict(objective), "banks": [str(bank.path) for bank in banks]}
    run = Trainer(network, task, loader, loop, folder, about, fabric, recorded)
    trained = run.run(resume)
    if language is not None and not pretraining.hidden and fabric.is_global_zero:
        chosen = np.random.default_rng(loop.seed).permutation(len(store))[:SAMPLE]
        with torch.no_grad():
            clips = trained(torch.from_numpy(store.read(chosen)).to(fabric.device))[1].float().cpu().numpy()
        words = knowledge["language"][chosen, 0].cpu().numpy()
        replace(language, clips=clips, words=words).save(folder / LANGUAGE)
    return run.metrics[-1]
