"""Pretraining without labels: an archive and knowledge banks -> an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.windows import Windows, sliding, whole_clips
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader
from train.data.splits import joints_of, train_rows
from train.knowledge.bank import Bank, BankError
from train.knowledge.language import SAMPLE, Language
from train.knowledge.spectrum import Preparation
from train.methods.base import Task
from train.methods.c2vl import C2VL
from train.methods.skeleton_clr import SkeletonCLR
from train.model.checkpoint import LANGUAGE, About, save_model
from train.model.encoder import Encoder
from train.settings.pretraining import ObjectiveSettings, PretrainSettings
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings
from train.trainer import MODEL, Loop, make_fabric

Floats = NDArray[np.float32]


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
    resume: bool = False,
    cache: Path | None = None,
) -> dict[str, float]:
    """Trains into the run folder; returns the figures of the last epoch (none for a random encoder).

    Labels are never read. banks: one of each kind (language, vision), whose windows are the clips; other methods take
    whole recordings, or windows of `seconds`. Raises UsageError and BankError where archive and banks do not fit.
    """
    fabric = make_fabric(loop)
    torch.manual_seed(loop.seed)
    rows = train_rows(archive, pretraining.split)
    seconds = max([pretraining.seconds, *(float(bank.meta.get("seconds", 0)) for bank in banks)])
    language = None
    if pretraining.method == "c2vl":
        windows, knowledge, language = gather_knowledge(archive, rows, banks, pretraining, loop.seed)
        if "language" in knowledge and not pretraining.hidden:
            # The embedding is then the projector, and words and clips can be compared after training.
            encoder = replace(encoder, embedding=knowledge["language"].shape[2])
    elif banks:
        raise UsageError(f"--bank has no use in --method {pretraining.method}")
    else:
        windows = sliding(archive, rows, seconds, pretraining.hop_s) if seconds else whole_clips(archive, rows)
    spec = ClipSpec(
        frames=pretraining.frames,
        seconds=seconds or ClipSpec().seconds,
        dimensions=archive.meta["dimensions"],
        facing=pretraining.facing,
        joints=joints_of(archive),
    )
    network = Encoder(encoder)
    method = pretraining.method if pretraining.method != "c2vl" else f"c2vl with {', '.join(sorted(knowledge))}"
    about = About(encoder, spec, [], f"{archive.meta['source']}, without labels ({method})", [archive.meta["licence"]])
    if pretraining.method == "random":
        if (folder / MODEL).exists():
            raise UsageError(f"{folder} holds a run already: name another folder")
        if fabric.is_global_zero:
            save_model(folder / MODEL, network, about)
        return {}
    with fabric.rank_zero_first():
        store = ClipStore.open(archive, windows, spec, cache)
    loader = Loader(
        store,
        np.arange(len(store)),
        loop.batch_size,
        loop.seed,
        # Windows of a long drive are as many samples; a recording and its crops are one.
        groups=None if seconds else windows.clip,
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )
    vary = Augment(augment, spec.dimensions)
    task: Task
    if pretraining.method == "c2vl":
        task = C2VL(network, knowledge, vary, objective, pretraining.hidden, pretraining.ema_momentum)
    else:
        task = SkeletonCLR(
            network,
            vary,
            pretraining.projection,
            pretraining.key_queue,
            pretraining.key_temperature,
            pretraining.ema_momentum,
        )
    recorded = {"augment": asdict(augment), "pretraining": asdict(pretraining)}
    recorded |= {"objective": asdict(objective), "banks": [str(bank.path) for bank in banks]}
    run = Loop(network, task, loader, loop, folder, about, fabric, recorded)
    trained = run.run(resume)
    if language is not None and not pretraining.hidden and fabric.is_global_zero:
        chosen = np.random.default_rng(loop.seed).permutation(len(store))[:SAMPLE]
        with torch.no_grad():
            clips = trained(torch.from_numpy(store.read(chosen)).to(fabric.device))[1].float().cpu().numpy()
        words = knowledge["language"][chosen, 0].cpu().numpy()
        replace(language, clips=clips, words=words).save(folder / LANGUAGE)
    return run.metrics[-1]


def gather_knowledge(
    archive: Archive, rows: NDArray[np.int64], banks: Sequence[Bank], settings: PretrainSettings, seed: int
) -> tuple[Windows, dict[str, Tensor], Language | None]:
    """The windows that all banks know; kind -> (W, K, D) of each, prepared and, as far as asked for, exchanged; and the
    way from words to the language's space, where the bank knows its captions.

    A bank that knows whole recordings only (frames of a video) is joined to every window of its recording. Raises
    UsageError without a bank or with two of one kind; BankError where a bank lacks samples or knows other windows.
    """
    if not banks:
        raise UsageError("--method c2vl learns from knowledge: name a knowledge bank with --bank")
    kinds = [bank.meta["kind"] for bank in banks]
    if len(set(kinds)) < len(kinds):
        raise UsageError(f"there is more than one bank of a kind: {', '.join(kinds)}")
    found = [bank.windows(archive, rows) for bank in banks]
    windows = max((windows for windows, _ in found), key=len)
    knowledge, language = {}, None
    for bank, (own, indices) in zip(banks, found, strict=True):
        raw = bank.embeddings[_matched(windows, own, indices, bank)]
        joined = settings.join and raw.shape[1] > 1
        raw = raw.reshape(len(raw), 1, -1) if joined else raw
        preparation = _preparation(raw, settings, bank, joined)
        embeddings = preparation.apply(raw)
        if bank.meta["kind"] == "language":
            language = Language.of(bank, preparation, joined)
        if settings.exchange:
            embeddings = embeddings[exchanged(windows.clip, settings.exchange, seed)]
        knowledge[bank.meta["kind"]] = torch.from_numpy(embeddings)
    return windows, knowledge, language


def _matched(windows: Windows, own: Windows, indices: NDArray[np.int64], bank: Bank) -> NDArray[np.int64]:
    """The bank's row for each of `windows`."""
    if len(own) == len(windows) and (own.clip == windows.clip).all() and np.allclose(own.start_s, windows.start_s):
        return indices
    if len(np.unique(own.clip)) == len(own):
        of_clip = dict(zip(own.clip.tolist(), indices.tolist(), strict=True))
        return np.array([of_clip[clip] for clip in windows.clip.tolist()])
    raise BankError(f"bank {bank.path} knows other windows than the other bank: encode both with the same --crops")


def _preparation(embeddings: Floats, settings: PretrainSettings, bank: Bank, joined: bool) -> Preparation:
    """What makes knowledge (W, K, D) of a bank's embeddings; the K stand side by side in D where they are joined."""
    # Each of the joined K is centred by itself, whatever `prepare` says: what they have in common says nothing.
    centre = embeddings.mean(axis=(0, 1)) if joined else np.zeros(embeddings.shape[2], np.float32)
    try:
        fitted = Preparation.fit(embeddings - centre, settings.prepare, settings.knowledge_size)
    except UsageError as error:
        raise BankError(f"bank {bank.path}: {error} (--knowledge-size)") from None
    return replace(fitted, mean=fitted.mean + centre)


def exchanged(clips: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    """For each window the window whose knowledge it gets: (W,). In `share` of the recordings it is another recording's.

    clips: (W,), which recording a window is of. The chosen recordings are passed round in a ring, so that each gets
    another one's; a window gets the knowledge of the window with its number there (the last, where there are fewer).
    """
    names = np.unique(clips)
    random = np.random.default_rng([seed, 7])
    chosen = random.permutation(names)[: round(share * len(names))]
    giver = dict(zip(chosen.tolist(), np.roll(chosen, 1).tolist(), strict=True))
    rows_of = {name: np.flatnonzero(clips == name) for name in names.tolist()}
    result = np.arange(len(clips))
    for taker, other in giver.items():
        rows, given = rows_of[taker], rows_of[other]
        result[rows] = given[np.minimum(np.arange(len(rows)), len(given) - 1)]
    return result
