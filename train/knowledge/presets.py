"""What `knowledge encode` does where nobody says it: by preset, source and archive.

standard is what was best on NW-UCLA (docs/experiments.md): captions of each clip and of crops of it, of each quarter,
each clause encoded by itself and whitened, and variations of the clips, which a small data set needs and a large one
does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.windows import natural_window_s
from train.knowledge.make import BankSettings
from train.knowledge.vary import PLAIN

# Clips, with their variations, and windows that a bank is filled up to: more data needs fewer of both.
CLIPS, WINDOWS = 12_000, 60_000
MOST_VARIATIONS, MOST_CROPS = len(PLAIN) + 4, 8


def bank_settings(archive: Archive, preset: str = "standard", **given: Any) -> BankSettings:
    """The settings of `preset` for this archive; what is given and not None counts instead."""
    chosen = {name: value for name, value in given.items() if value is not None}
    if preset == "paper" or chosen.get("source", "kinematic") != "kinematic":
        # One text a clip, or those of the file, encoded as they are.
        return BankSettings(**chosen)
    values: dict[str, Any] = {"pool": "whitened", "facts": 60, "quarters": True}
    lengths_s = archive.clips["length"].to_numpy() / archive.clips["fps"].to_numpy()
    seconds = chosen.get("seconds", 0.0 if chosen.get("crops") else natural_window_s(archive))
    clips = len(archive)
    if seconds:
        windows = np.maximum(lengths_s - seconds, 0).sum()  # at one a second
        values |= {"seconds": seconds, "hop_s": max(1.0, float(windows) / WINDOWS)}
        clips = int(windows / chosen.get("hop_s", values["hop_s"])) + len(archive)
    most = MOST_VARIATIONS if archive.meta["dimensions"] == 3 else len(PLAIN)
    values["variations"] = int(np.clip(CLIPS // clips - 1, 0, 1 if preset == "small" else most))
    clips *= 1 + chosen.get("variations", values["variations"])
    # A crop of a picture or two is the picture.
    if not seconds and np.median(archive.clips["length"]) > 2:
        values["crops"] = int(np.clip(WINDOWS // clips - 1, 1, 4 if preset == "small" else MOST_CROPS))
    return BankSettings(**(values | chosen))
