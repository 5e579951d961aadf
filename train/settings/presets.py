"""What `train pretrain` does where nobody says it: by preset, method and what is learnt from.

standard is what was best on NW-UCLA (docs/experiments.md, "How the settings were chosen"); paper is ST-GCN and
SkeletonCLR's augmentation as published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PRESETS = ("small", "standard", "paper")
# Clips of each archive that are seen in a run, and the epochs that this may come to.
SEEN = {"small": 30_000, "standard": 120_000}
FEWEST_EPOCHS, MOST_EPOCHS = 4, 400
LARGEST_BATCH = 128


@dataclass(frozen=True)
class Material:
    """What is learnt from. dimensions: 2 or 3. clips: samples in an epoch. window_s: 0 for whole recordings. hidden:
    the share of frames in which a joint that the archive has is missing. quarters: whether the knowledge's columns
    tell of different parts of a window, and not the same in other words. archives: how many are learnt from at once;
    each has as many clips in a batch, and in the run, as it would have alone."""

    dimensions: int
    clips: int
    window_s: float = 0.0
    hidden: float = 0.0
    quarters: bool = False
    archives: int = 1


def defaults(preset: str, method: str, material: Material, network: str = "st-gcn") -> dict[str, Any]:
    """Values by the names of the settings."""
    solid = material.dimensions == 3
    values: dict[str, Any] = {"facing": solid, "upright": solid, "seconds": material.window_s}
    # At least two steps an epoch, and never a batch of one: its only candidate would be itself.
    largest = (LARGEST_BATCH if preset != "paper" else 64) * material.archives
    values["batch_size"] = max(2, min(largest, material.clips // 2))
    if preset == "paper":
        values |= {"features": 256, "shear": 0.5}
        return values | ({"crop": 0.5} if method == "skeleton-clr" else {})
    seen = SEEN[preset] * material.archives
    epochs = min(max(round(seen / max(material.clips, 1)), FEWEST_EPOCHS), MOST_EPOCHS)
    values |= {"epochs": epochs, "warmup_epochs": epochs / 3, "learning_rate": 2e-3}
    values |= {"checkpoint_every": max(epochs // 10, 1), "evaluate_every": max(epochs // 15, 1)}
    values |= {"width": 16, "blocks": 6, "graph_blocks": 1, "stride": 2, "temporal_kernel": 5, "frames": 32}
    values |= {"joined": 64, "features": 256} if preset == "small" else {"joined": 128, "features": 768}
    if network == "transformer":
        values |= {"joined": 128, "stride": 8} if preset == "small" else {"joined": 192, "stride": 4}
    values |= {"joint_bias": True, "adaptive": True, "pooling": "mean_std"}
    values |= {"join": material.quarters, "knowledge_size": 256}
    # No mirror images and no temporal crops where captions say which hand it was, and when.
    values |= {"rotate": 10.0, "view": 30.0, "scale": 0.1, "shear": 0.1, "jitter": 0.01}
    if method == "skeleton-clr":
        values["crop"] = 0.4
    if material.hidden > 0.02:
        values |= {"presence": True, "mask_joints": 0.05, "mask_span": 0.05}
    return values
