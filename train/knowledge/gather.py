"""The knowledge of an archive's windows, from one bank or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.windows import Windows
from train.knowledge.bank import Bank, BankError
from train.knowledge.language import Language
from train.knowledge.mistakes import exchanged
from train.knowledge.spectrum import Preparation
from train.settings.pretraining import PretrainSettings

Floats = NDArray[np.float32]
# Preparations that were fitted before, by what they were fitted on and how.
Fitted = dict[tuple[object, ...], Preparation]


def gather_knowledge(
    archive: Archive,
    rows: NDArray[np.int64],
    banks: Sequence[Bank],
    settings: PretrainSettings,
    seed: int,
    fitted: Fitted | None = None,
) -> tuple[Windows, dict[str, Tensor], Language | None]:
    """The windows that all banks know; kind -> (W, K, D) of each, prepared and, as far as asked for, exchanged; and the
    way from words to the language's space, where the bank knows its captions.

    A bank that knows whole recordings only (frames of a video) is joined to every window of its recording. fitted: a
    dictionary that is filled here. Given again in further calls with the same banks, nothing is fitted twice. Raises
    UsageError without a bank or with two of one kind; BankError where a bank lacks samples or knows other windows.
    """
    if not banks:
        raise UsageError("--method c2vl learns from knowledge: name a knowledge bank with --bank")
    kinds = [bank.meta["kind"] for bank in banks]
    if len(set(kinds)) < len(kinds):
        raise UsageError(f"there is more than one bank of a kind: {', '.join(kinds)}")
    found = [bank.windows(archive, rows) for bank in banks]
    windows = max((windows for windows, _ in found), key=len)
    knowledge, language, giver = {}, None, None
    fitted = {} if fitted is None else fitted
    for bank, (own, indices) in zip(banks, found, strict=True):
        matched = _matched(windows, own, indices, bank)
        raw = bank.embeddings[matched]
        joined = settings.join and raw.shape[1] > 1
        raw = raw.reshape(len(raw), 1, -1) if joined else raw
        how = (str(bank.path), settings.prepare, settings.knowledge_size, joined, matched.tobytes())
        preparation = fitted.get(how) or fitted.setdefault(how, _preparation(raw, settings, bank, joined))
        embeddings = preparation.apply(raw)
        if bank.meta["kind"] == "language":
            language = Language.of(bank, preparation, joined)
        if settings.exchange and giver is None:
            giver = exchanged(
                windows.clip, settings.exchange, seed, settings.mistakes, archive, embeddings, settings.each_variation
            )
        if giver is not None:
            embeddings = embeddings[giver]
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
        fitted = Preparation.fit(embeddings - centre, settings.prepare, settings.knowledge_size, at_most=True)
    except UsageError as error:
        raise BankError(f"bank {bank.path}: {error}") from None
    return replace(fitted, mean=fitted.mean + centre)
