"""Several skeleton archives as one, so that an encoder can be trained on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import COLUMNS, Archive, ArchiveWriter
from edge_c2vl.utils.progress import track
from train.data.targets import Targets


def merge(
    path: Path, archives: Sequence[Archive], groups: Mapping[str, Sequence[str]] | None = None, overwrite: bool = False
) -> int:
    """Writes the archive; returns its number of recordings. Labels of the same name are one label.

    groups: a label that stands for several others (train.data.targets), beside the groups that the archives have.
    Where two archives share a name, every name gets the number of its archive before it. Raises UsageError where the
    archives do not go together.
    """
    if len({archive.meta["dimensions"] for archive in archives}) > 1:
        raise UsageError("skeletons of two and of three dimensions cannot be merged")
    labels = list(dict.fromkeys(label for archive in archives for label in archive.labels))
    known = {name: of for archive in archives for name, of in archive.meta.get("groups", {}).items()}
    expanded = expand({**known, **(groups or {})}, labels)
    Targets.make(labels, expanded)
    licences = list(dict.fromkeys(licence for archive in archives for licence in archive.licences))
    names = [name for archive in archives for name in archive.clips["name"].astype(str)]
    shared = len(set(names)) < len(names)
    with ArchiveWriter(
        path,
        labels=labels,
        source="; ".join(dict.fromkeys(archive.meta["source"] for archive in archives)),
        licence="; ".join(licences),
        source_layout=", ".join(dict.fromkeys(archive.meta["source_layout"] for archive in archives)),
        dimensions=archives[0].meta["dimensions"],
        overwrite=overwrite,
    ) as writer:
        # A licence's text may hold the separator.
        writer.meta["licences"] = licences
        if expanded:
            writer.meta["groups"] = {name: list(of) for name, of in expanded.items()}
        for number, archive in enumerate(archives):
            _append(writer, archive, labels, f"{number}/" if shared else "")
        return len(writer)


def expand(groups: Mapping[str, Sequence[str]], labels: Sequence[str]) -> dict[str, list[str]]:
    """Groups in full: a member "!LABEL" stands for all labels but LABEL and the groups themselves."""
    expanded = {}
    for name, of in groups.items():
        but = [label.removeprefix("!") for label in of if label.startswith("!")]
        named = [label for label in of if not label.startswith("!")]
        unknown = [label for label in (name, *but, *named) if label not in labels]
        if unknown:
            raise UsageError(f"--group {name}: there is no label {unknown[0]!r} among {', '.join(labels)}")
        rest = [label for label in labels if label not in groups and label not in but] if but else []
        expanded[name] = [*named, *rest]
    return expanded


def _append(writer: ArchiveWriter, archive: Archive, labels: Sequence[str], before: str) -> None:
    place = np.array([*(labels.index(label) for label in archive.labels), -1])
    extra = [column for column in archive.clips.columns if column not in COLUMNS]
    rows = archive.clips.to_dict("records")
    for index, row in track(list(enumerate(rows)), f"merging {archive.path.name}"):
        frame_labels = archive.frame_labels(index)
        writer.append(
            before + str(row["name"]),
            archive.sequence(index),
            float(row["fps"]),
            label=int(place[int(row["label"])]),
            subject=str(row["subject"]),
            camera=str(row["camera"]),
            group=before + str(row["group"]) if row["group"] else "",
            timestamps=None if archive.evenly_spaced else archive.timestamps(index),
            frame_labels=None if frame_labels is None else place[frame_labels],
            **{column: row[column] for column in extra},
        )
        if index % 1024 == 1023:
            archive.release()
