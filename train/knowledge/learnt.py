"""What of an archive is learnt from: which windows, how they become clips, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.splits import Rows, Split
from edge_c2vl.skeletons.windows import Windows, natural_window_s, windows_of
from train.data.several import Portion, clip_spec, epoch_clips, some_of, split_names
from train.data.splits import hidden_share, joints_of
from train.knowledge.bank import Bank
from train.knowledge.gather import Fitted, gather_knowledge
from train.knowledge.vary import learnable
from train.settings.presets import Material
from train.settings.pretraining import METHODS, PretrainSettings


def banks_of_each(archives: int, banks: Sequence[Bank], method: str) -> list[list[Bank]]:
    """The banks of each archive: all are one archive's; of several, each has one. Raises UsageError."""
    if archives == 1:
        return [list(banks)]
    if banks and len(banks) != archives:
        raise UsageError(
            f"{archives} archives need --bank as many times, in their order: each has knowledge of its own "
            f"(given: {len(banks)})"
        )
    if METHODS[method].knowledge and not banks:
        raise UsageError(
            f"--method {method} learns from knowledge: name a bank of each archive with --bank, in their order, or "
            "learn from skeletons alone with --method slim"
        )
    return [[bank] for bank in banks] or [[]] * archives


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


def window_length_s(archive: Archive, banks: Sequence[Bank]) -> float:
    """Of the windows that the banks tell of, or that the archive's own recordings ask for; 0: whole recordings."""
    return max(float(bank.meta.get("seconds", 0)) for bank in banks) if banks else natural_window_s(archive)


def portion_of(
    archive: Archive,
    rows: Rows,
    banks: Sequence[Bank],
    settings: PretrainSettings,
    seed: int,
    seconds: float,
    *,
    several: bool = False,
    fitted: Fitted | None = None,
) -> Portion:
    """The windows of these recordings and of the variations that a bank has of them, with what the banks know.

    seconds: the windows' length where no bank tells of windows. several: this is one of several archives, of which
    only some windows are kept. fitted: see gather_knowledge. Raises UsageError and BankError.
    """
    archive, rows = with_variations(archive, banks, rows)
    if METHODS[settings.method].knowledge:
        windows, knowledge, language = gather_knowledge(archive, rows, banks, settings, seed, fitted)
    else:
        windows, knowledge, language = _windows(archive, rows, banks, settings, seconds), {}, None
    spec = clip_spec(archive, settings, max([seconds, *(window_length_s(archive, [bank]) for bank in banks)]))
    if several:
        chosen = some_of(len(windows), seed)
        windows, knowledge = windows[chosen], {kind: told[chosen] for kind, told in knowledge.items()}
    return Portion(archive, windows, spec, knowledge, language)


def _windows(
    archive: Archive, rows: Rows, banks: Sequence[Bank], settings: PretrainSettings, seconds: float
) -> Windows:
    if not banks:
        return windows_of(archive, rows, seconds, settings.hop_s)
    if not METHODS[settings.method].windows:
        raise UsageError(f"--bank has no use in --method {settings.method}")
    if len(banks) > 1:
        raise UsageError(f"--method {settings.method} takes a bank's windows alone: give one --bank, not {len(banks)}")
    return banks[0].windows(archive, rows)[0]


def material(archives: Sequence[Archive], banks: Sequence[Bank], settings: PretrainSettings) -> Material:
    """What `settings.split` leaves to learn from, for the presets."""
    splits = split_names(settings.split, len(archives))
    own = banks_of_each(len(archives), banks, settings.method)
    each = [_material(*one, settings) for one in zip(archives, splits, own, strict=True)]
    if len(each) == 1:
        return each[0]
    # A joint that one archive lacks comes and goes.
    joints = {joints_of(archive, settings.joints) for archive in archives}
    return Material(
        max(one.dimensions for one in each),
        epoch_clips([one.clips for one in each]),
        each[0].window_s,
        max(1.0 if len(joints) > 1 else 0.0, *(one.hidden for one in each)),
        all(one.quarters for one in each),
        len(each),
    )


def _material(archive: Archive, split: str, banks: Sequence[Bank], settings: PretrainSettings) -> Material:
    rows = Split.of(archive, split).rows("train")
    window_s = window_length_s(archive, banks)
    learnt, chosen = with_variations(archive, banks, rows)
    clips = len(chosen)
    if banks and window_s:
        names, count = np.unique(banks[0].names, return_counts=True)
        wanted = np.isin(names, learnt.clips["name"].to_numpy().astype(str)[chosen])
        clips = int(count[wanted].sum())
    elif window_s:
        clips = len(windows_of(archive, rows, window_s, settings.hop_s))
    quarters = bool(banks) and all(bank.meta.get("quarters") for bank in banks)
    return Material(archive.meta["dimensions"], clips, window_s, hidden_share(archive, settings.joints), quarters)
