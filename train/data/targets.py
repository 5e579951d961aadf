"""What an archive's labels mean for a classifier: its classes, and which of them each label allows.

Most labels are classes. A label may also stand for several: sktDD says that a driver is distracted and not by what.
An archive tells that in its meta.json, {"groups": {"distracted": ["talking_on_phone_left", ...]}}, which edge-c2vl
merge writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edge_c2vl.errors import ArchiveError
from edge_c2vl.skeletons.archive import Archive


@dataclass(frozen=True)
class Targets:
    """classes: K names. allowed (L, K) bool: which classes each of an archive's L labels allows. mirrored (L,): the
    label of the mirror image, where left and right are exchanged."""

    classes: list[str]
    allowed: Tensor
    mirrored: Tensor

    @classmethod
    def of(cls, archive: Archive) -> Targets:
        """Raises ArchiveError where a group names a label that the archive lacks."""
        return cls.make(archive.labels, archive.meta.get("groups", {}))

    @classmethod
    def make(cls, labels: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None) -> Targets:
        groups = groups or {}
        classes = [label for label in labels if label not in groups]
        unknown = [name for name in (*groups, *(n for of in groups.values() for n in of)) if name not in labels]
        if unknown or any(not set(of) & set(classes) for of in groups.values()):
            raise ArchiveError(f"groups of labels name {', '.join(unknown) or 'no class'}: labels are {list(labels)}")
        allowed = torch.tensor([[name in groups.get(label, [label]) for name in classes] for label in labels])
        swapped = [exchanged(label) for label in labels]
        mirrored = [labels.index(other) if other in labels else i for i, other in enumerate(swapped)]
        return cls(classes, allowed.reshape(len(labels), len(classes)), torch.tensor(mirrored, dtype=torch.long))


def exchanged(label: str) -> str:
    """The label with its words left and right exchanged."""
    other = {"left": "right", "right": "left"}
    return "_".join(other.get(word, word) for word in label.split("_"))
