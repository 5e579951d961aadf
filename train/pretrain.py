"""Pretraining without labels: an archive and knowledge banks -> an encoder."""

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
from edge_c2vl.skeletons.splits import Rows, Split
from edge_c2vl.skeletons.windows import natural_window_s, windows_of
from edge_c2vl.utils.atomic import write_file
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader
from train.data.several import Portion, Several, clip_spec, epoch_clips, some_of, spec_of_all, split_names, vary_each
from train.data.splits import hidden_share, joints_of
from train.fabric import make_fabric
from train.knowledge.bank import Bank
from train.knowledge.gather import Fitted, gather_knowledge
from train.knowledge.language import SAMPLE
from train.knowledge.vary import learnable
from train.methods.base import Task
from train.model.checkpoint import LANGUAGE, About, save_model
from train.model.encoder import Encoder, make_encoder
from train.settings.presets import Material
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


def with_variations(archive: Archive, banks: Sequence[Bank], rows: Rows) -> tuple[Archive, Rows]:
    """What is learnt from: the bank's own archive and the rows there that are these recordings and variations of
    them; the archive and its rows as they are where no bank has variations, or there are other banks beside it."""
    varied = banks[0].varied if len(banks) == 1 else None
    if varied is None:
        return archive, rows
    names = archive.clips["name"].to_numpy().astype(str)[rows]
    found = learnable(varied, names)
    # A clip that the bank lacks is named by Bank.windows.
    there = set(varied.clips["name"].astype(str))
    return (varied, found) if all(name in there for name in names) else (archive, rows)


def material(
    archive: Archive, banks: Sequence[Bank], settings: PretrainSettings, beside: Sequence[Archive] = ()
) -> Material:
    """What `settings.split` leaves to learn from, for the presets."""
    splits = split_names(settings.split, 1 + len(beside))
    rows = Split.of(archive, splits[0]).rows("train")
    window_s = float(banks[0].meta.get("seconds", 0)) if banks else natural_window_s(archive)
    learnt, chosen = with_variations(archive, banks, rows)
    clips = len(chosen)
    if banks and window_s:
        names, count = np.unique(banks[0].names, return_counts=True)
        wanted = np.isin(names, learnt.clips["name"].to_numpy().astype(str)[chosen])
        clips = int(count[wanted].sum())
    elif window_s:
        clips = len(windows_of(archive, rows, window_s, settings.hop_s))
    kinematic = bool(banks) and all(bank.meta.get("quarters") for bank in banks)
    dimensions, hidden = archive.meta["dimensions"], hidden_share(archive, settings.joints)
    if beside:
        portions = [Portion.of(other, split, settings) for other, split in zip(beside, splits[1:], strict=True)]
        clips = epoch_clips([clips, *(len(portion.windows) for portion in portions)])
        dimensions = max(dimensions, *(other.meta["dimensions"] for other in beside))
        if len({portion.spec.joints for portion in portions} | {joints_of(archive, settings.joints)}) > 1:
            hidden = 1.0  # a joint that one archive lacks comes and goes
        hidden = max(hidden, *(hidden_share(other, settings.joints) for other in beside))
    return Material(dimensions, clips, window_s, hidden, kinematic)


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
    windows of `seconds`. beside: further archives to learn from, without knowledge; pretraining.split then names one
    split for each (train/data/several.py), and the first is what the encoder is watched on. watch: makes what looks at
    the encoder while it is trained, and at the end beside an untrained one; its verdict is kept in the run's
    verdict.json and returned too. fitted: see gather_knowledge, for many runs with the same banks. Raises UsageError
    and BankError where archive and banks do not fit.
    """
    method, language = METHODS[pretraining.method], None
    if beside and method.knowledge:
        raise UsageError(
            f"--method {pretraining.method} learns from one archive: edge-c2vl merge writes one of several, for which "
            "edge-c2vl knowledge encode makes a bank; --method slim takes several"
        )
    splits = split_names(pretraining.split, 1 + len(beside))
    if rows is None:
        rows = Split.of(archive, splits[0]).rows("train")
    archive, rows = with_variations(archive, banks, rows)
    fabric = make_fabric(loop)
    torch.manual_seed(loop.seed)
    seconds = max([pretraining.seconds, *(float(bank.meta.get("seconds", 0)) for bank in banks)])
    knowledge: dict[str, torch.Tensor] = {}
    if method.knowledge:
        windows, knowledge, language = gather_knowledge(archive, rows, banks, pretraining, loop.seed, fitted)
        if "language" in knowledge and not pretraining.hidden:
            # The embedding is then the projector, and words and clips can be compared after training.
            encoder = replace(encoder, embedding=knowledge["language"].shape[2])
    elif banks:
        raise UsageError(f"--bank has no use in --method {pretraining.method}")
    else:
        windows = windows_of(archive, rows, seconds, pretraining.hop_s)
        windows = some_of(windows, loop.seed) if beside else windows
    portions = [Portion(archive, windows, clip_spec(archive, pretraining, seconds))]
    portions += [
        Portion.of(other, split, pretraining, loop.seed) for other, split in zip(beside, splits[1:], strict=True)
    ]
    network = make_encoder(encoder)
    how = pretraining.method + (f" with {', '.join(sorted(knowledge))}" if knowledge else "")
    named = "; ".join(dict.fromkeys(portion.archive.meta["source"] for portion in portions))
    licences = list(dict.fromkeys(portion.archive.meta["licence"] for portion in portions))
    about = About(encoder, spec_of_all(portions), [], f"{named}, without labels ({how})", licences)
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
        groups = None if seconds else windows.clip[seen]
        loader = Loader(store, seen, loop.batch_size, loop.seed, groups=groups, **shares)
        vary = Augment(augment, portions[0].spec.dimensions)
    module, function = method.task.split(":")
    make_task = getattr(import_module(module), function)
    task: Task = make_task(network, vary, knowledge, pretraining, objective)
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
    if watcher is None:
        return run.metrics[-1]
    verdict = watcher.verdict(untrained, trained)
    write_file(folder / VERDICT, json.dumps(verdict | {"held_out": watcher.held_out}, indent=1) + "\n")
    return run.metrics[-1] | verdict
