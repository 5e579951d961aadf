"""Pretraining without labels: archives and knowledge banks -> an encoder."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.splits import Rows, Split
from edge_c2vl.skeletons.windows import natural_window_s
from edge_c2vl.utils.atomic import write_file
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader
from train.data.several import Several, knowledge_of_all, spec_of_all, split_names, vary_each
from train.fabric import make_fabric
from train.knowledge.bank import Bank
from train.knowledge.gather import Fitted
from train.knowledge.language import SAMPLE
from train.knowledge.learnt import banks_of_each, portion_of
from train.methods.base import Given, Task
from train.model.checkpoint import LANGUAGE, About, CheckpointError, copy_language, load_model, save_model
from train.model.encoder import Encoder, make_encoder
from train.settings.pretraining import METHODS, ObjectiveSettings, PretrainSettings
from train.settings.resume import VERDICT
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings
from train.trainer import MODEL, Trainer


class Watcher(Protocol):
    """Figures of an encoder while it is trained; and of it and an untrained one. held_out: what they are judged on."""

    held_out: str

    def __call__(self, encoder: Encoder, progress: float) -> dict[str, float]: ...

    def verdict(self, untrained: Encoder, trained: Encoder) -> dict[str, float]: ...


# From the clips, their archive, the rows with somebody in them, what varies clips, and a seed.
MakeWatcher = Callable[[ClipStore, Archive, Rows, Callable[[torch.Tensor], torch.Tensor], int], Watcher]


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
    beside: Sequence[Archive] = (),
    watch: MakeWatcher | None = None,
    resume: bool = False,
    cache: Path | None = None,
    fitted: Fitted | None = None,
) -> dict[str, float]:
    """Trains into the run folder; returns the figures of the last epoch and the verdict (none for a random encoder).

    Labels are never learnt from. rows: the recordings to learn from, instead of the train part of pretraining.split;
    windows in which nobody is seen are left out; variations that a bank holds of these recordings are learnt from too.
    banks: one of each kind (language, vision), whose windows are the clips; other methods take whole recordings, or
    windows of `seconds`. beside: further archives to learn from; pretraining.split then names one split for each
    (train/data/several.py), banks one bank for each, and the first is what the encoder is watched on. watch: makes what
    looks at the encoder while it is trained, and at the end beside an untrained one; its verdict is kept in the run's
    verdict.json and returned too. fitted: see gather_knowledge, for many runs with the same banks. Raises UsageError
    and BankError where archives and banks do not fit.
    """
    method = METHODS[pretraining.method]
    archives = [archive, *beside]
    splits = split_names(pretraining.split, len(archives))
    banks_each = banks_of_each(len(archives), banks, pretraining.method)
    fabric = make_fabric(loop)
    torch.manual_seed(loop.seed)
    portions = [
        portion_of(
            one,
            rows if rows is not None and not number else Split.of(one, split).rows("train"),
            own,
            pretraining,
            loop.seed,
            natural_window_s(one) if number else pretraining.seconds,
            several=bool(beside),
            fitted=fitted,
        )
        for number, (one, split, own) in enumerate(zip(archives, splits, banks_each, strict=True))
    ]
    archive, windows, language = portions[0].archive, portions[0].windows, portions[0].language
    knowledge = knowledge_of_all(portions)
    if "language" in knowledge and not pretraining.hidden:
        # The embedding is then the projector, and words and clips can be compared after training.
        encoder = replace(encoder, embedding=knowledge["language"].shape[2])
    clip = spec_of_all(portions)
    teacher = _teacher(Path(pretraining.teacher), clip) if method.teacher else None
    if teacher is not None:
        encoder = replace(encoder, embedding=teacher.embedding_size)
    network = make_encoder(encoder)
    how = pretraining.method + (f" with {', '.join(sorted(knowledge))}" if knowledge else "")
    named = "; ".join(dict.fromkeys(portion.archive.meta["source"] for portion in portions))
    licences = list(dict.fromkeys(licence for portion in portions for licence in portion.archive.licences))
    about = About(encoder, clip, [], f"{named}, without labels ({how})", licences)
    if not method.task:
        if (folder / MODEL).exists():
            raise UsageError(f"{folder} holds a run already: name another folder")
        if fabric.is_global_zero:
            save_model(folder / MODEL, network, about)
        return {}
    with fabric.rank_zero_first():
        stores = [ClipStore.open(portion.archive, portion.windows, portion.spec, cache) for portion in portions]
    store = stores[0]
    seen = np.flatnonzero(store.confidence > 0)
    shares = {"rank": fabric.global_rank, "processes": fabric.world_size}
    vary: Callable[[torch.Tensor], torch.Tensor]
    if beside:
        every = Several(stores)
        drawn = np.flatnonzero(every.confidence > 0)
        weights, clips = every.weights(drawn), every.clips_an_epoch(drawn)
        loader = Loader(every, drawn, loop.batch_size, loop.seed, weights=weights, per_epoch=clips, **shares)
        vary = vary_each(augment)
    else:
        # Windows of a long drive are as many samples; a recording and its crops are one.
        groups = None if pretraining.seconds or any(bank.meta.get("seconds") for bank in banks) else windows.clip[seen]
        loader = Loader(store, seen, loop.batch_size, loop.seed, groups=groups, **shares)
        vary = Augment(augment, portions[0].spec.dimensions)
    module, function = method.task.split(":")
    make_task = getattr(import_module(module), function)
    task: Task = make_task(Given(network, vary, knowledge, pretraining, objective, teacher))
    recorded: dict[str, Any] = {"augment": asdict(augment), "pretraining": asdict(pretraining)}
    recorded |= {"objective": asdict(objective), "banks": [str(bank.path) for bank in banks]}
    watcher = watch(store, archive, seen, vary, loop.seed) if watch and fabric.is_global_zero else None
    untrained = copy.deepcopy(network)
    run = Trainer(network, task, loader, loop, folder, about, fabric, recorded, watcher)
    trained = run.run(resume)
    if language is not None and not pretraining.hidden and fabric.is_global_zero:
        chosen = np.random.default_rng(loop.seed).permutation(len(store))[:SAMPLE]
        with torch.no_grad():
            clips = trained(torch.from_numpy(store.read(chosen)).to(fabric.device))[1].float().cpu().numpy()
        words = knowledge["language"][chosen, 0].cpu().numpy()
        replace(language, clips=clips, words=words).save(folder / LANGUAGE)
    if method.teacher and fabric.is_global_zero:
        copy_language(Path(pretraining.teacher), folder)
    if watcher is None:
        return run.metrics[-1]
    verdict = watcher.verdict(untrained, trained)
    write_file(folder / VERDICT, json.dumps(verdict | {"held_out": watcher.held_out}, indent=1) + "\n")
    return run.metrics[-1] | verdict


def _teacher(path: Path, clip: ClipSpec) -> Encoder:
    """The pretrained encoder. Raises CheckpointError where it takes other clips than `clip`."""
    teacher, about = load_model(path)
    different = [
        f"{name} {getattr(about.clip, name)} (here {getattr(clip, name)})"
        for name in ("frames", "dimensions", "facing", "upright")
        if getattr(about.clip, name) != getattr(clip, name)
    ]
    if different:
        raise CheckpointError(f"the teacher {path} takes other clips: {', '.join(different)}")
    return teacher
