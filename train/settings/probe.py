"""The settings of `edge-c2vl train probe`. No PyTorch here, so that the command lists them fast."""

from __future__ import annotations

from dataclasses import dataclass

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.fields import check, setting
from train.settings.protocols import FROZEN
from train.settings.training import SPLIT

_LABELLED = tuple(f"protocol={name}" for name in FROZEN if name != "one-class")
DISTANCES = ("mahalanobis", "cosine")


@dataclass(frozen=True)
class ProbeSettings:
    """Which protocol, on which windows."""

    protocol: str = setting(
        "fixed",
        "fixed: logistic regression with C = 1 on standardised features; linear: C chosen on validation; knn: nearest "
        "neighbours by cosine; one-class: distance from normal clips.",
        FROZEN,
    )
    split: str = setting("", f"{SPLIT}.")
    hold_out: float = setting(
        0.2,
        "Share of the train part, in whole subjects, that is chosen by where the split has no val part.",
        needs=("protocol=linear",),
        above=0,
        most=0.99,
    )
    seconds: float = setting(
        0.0, "Length of a window; 0: each recording is one clip, however long.", least=0, most=3600
    )
    hop_s: float = setting(1.0, "Seconds between windows.", needs=("seconds",), above=0, most=3600)
    share: float = setting(
        1.0,
        "Share of each class's training labels that is used (0.01 and 0.1 in the literature).",
        needs=_LABELLED,
        above=0,
        most=1,
    )
    shots: int = setting(0, "Training clips of each class that are used; 0: all of --share.", needs=_LABELLED, least=0)
    draws: int = setting(1, "How many times such few labels are drawn.", needs=("share", "shots"), least=1)
    k: int = setting(1, "Neighbours of knn.", needs=("protocol=knn",), least=1)
    distance: str = setting("mahalanobis", "Distance of one-class.", DISTANCES, needs=("protocol=one-class",))
    normal: str = setting(
        "", "Label that counts as normal in one-class; empty: the first.", needs=("protocol=one-class",)
    )

    def __post_init__(self) -> None:
        check(self)
        if self.shots and self.share < 1:
            raise UsageError("say --shots or --share, not both")
