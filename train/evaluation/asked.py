"""What an evaluation is asked: the protocol and its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Asked for by --labels-in-words, and as a protocol of the data sets of drivers.
IN_WORDS = "words"
# Share of the training rows, in whole subjects, that "linear" chooses C on.
HOLD_OUT = 0.2


@dataclass(frozen=True)
class Asked:
    """protocol: one of train.settings.protocols, or IN_WORDS. k: neighbours. share: of each class's labels (semi).
    work, training: the folder of the runs and the settings of finetune and semi: (AugmentSettings, DataSettings,
    LoopSettings). words: class -> its descriptions; None: the classes' names. among: the classes that are told apart by
    words, and whose samples are judged; empty: all."""

    protocol: str
    k: int = 1
    share: float = 0.1
    work: Path | None = None
    training: Sequence[Any] = ()
    words: Mapping[str, Sequence[str]] | None = None
    among: Sequence[str] = ()
