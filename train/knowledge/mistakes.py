"""Wrong knowledge on purpose: recordings get another one's, at random or as a language model mistakes what it sees.

Only for measuring what an objective makes of it. Labels, where a kind of mistake needs them, choose the giver and are
not learnt from; a variation counts as what it was made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from train.knowledge.vary import BODY
from train.settings.pretraining import MISTAKES

Rows = NDArray[np.int64]
# What a variation of vary.PLAIN is called, and what its mirror image is; "" is the recording itself.
_MIRRORED = {"": "mirror", "mirror": "", "reverse": "mirror-reverse", "mirror-reverse": "reverse"}


def exchanged(
    clips: Rows,
    share: float,
    seed: int,
    kind: str = "any",
    archive: Archive | None = None,
    embeddings: NDArray[np.float32] | None = None,
    each_variation: bool = False,
) -> Rows:
    """For each window the window whose knowledge it gets: (W,). In `share` of the recordings it is another recording's.

    clips: (W,), which recording a window is of: its row in the archive. A window gets the knowledge of the window with
    its number there (the last, where there are fewer). kind, one of MISTAKES, says whose:

    any         the chosen recordings are passed round in a ring
    class       a recording of the other class whose mean knowledge (embeddings, (W, K, D)) is nearest to the own class'
    side        the mirror image of the recording: only of those that have one among the variations
    previous    the last recording before it, of the same person and camera, with another label

    Variations of a recording go with it, since it is captioned once: each gets the knowledge of the other one's
    variation of the same kind, or of the other one itself where there is none. each_variation: they are recordings like
    others. All but "any" need the archive; without one nothing is a variation. Raises UsageError where the share is of
    too few recordings to be any, or too few of them have such a giver.
    """
    if kind not in MISTAKES or (kind != "any" and archive is None):
        raise UsageError(f"--mistakes is one of {', '.join(MISTAKES)}, not {kind!r}")
    made = _Recordings.of(archive, np.unique(clips), each_variation)
    units = list(dict.fromkeys(made.unit.values()))
    wanted = round(share * len(units))
    # A ring of one would hand it its own.
    if share and wanted < (2 if kind == "any" else 1):
        raise UsageError(
            f"--exchange {share:g} is {wanted} of {len(units)} recordings, so none would be exchanged: raise it, or "
            "learn from more recordings"
        )
    random = np.random.default_rng([seed, 7])
    if kind == "any":
        chosen = [units[number] for number in random.permutation(len(units))[:wanted]]
        candidates = made.counterparts(dict(zip(chosen, chosen[-1:] + chosen[:-1], strict=True)))
        return _handed_over(clips, candidates)
    assert archive is not None
    if kind == "class":
        assert embeddings is not None
        candidates = made.counterparts(_of_nearest_class(archive, clips, made, embeddings, random))
    else:
        candidates = {"side": _mirrored, "previous": _previous}[kind](archive, made.rows)
    able = [unit for unit in units if any(row in candidates for row in made.members[unit])]
    if len(able) < wanted:
        raise UsageError(
            f"--mistakes {kind}: only {len(able)} of {len(units)} recordings have another one whose "
            f"knowledge they could get: lower --exchange ({share:g})"
        )
    takers = {able[number] for number in random.permutation(len(able))[:wanted]}
    return _handed_over(clips, {row: other for row, other in candidates.items() if made.unit[row] in takers})


@dataclass(frozen=True)
class _Recordings:
    """Which rows of an archive are exchanged together. unit: row -> the first row of the recording that it is, or is a
    variation of; members: unit -> its rows; kind: row -> which variation it is ("": none)."""

    rows: Rows
    unit: Mapping[int, int]
    members: Mapping[int, list[int]]
    kind: Mapping[int, str]

    @classmethod
    def of(cls, archive: Archive | None, rows: Rows, each_variation: bool) -> _Recordings:
        listed = rows.tolist()
        unit, kind = {row: row for row in listed}, dict.fromkeys(listed, "")
        if archive is not None and not each_variation:
            body, kinds, _ = _bodies(archive)
            first: dict[str, int] = {}
            unit = {row: first.setdefault(str(body[row]), row) for row in listed}
            kind = {row: str(kinds[row]) for row in listed}
        members: dict[int, list[int]] = {}
        for row in listed:
            members.setdefault(unit[row], []).append(row)
        return cls(rows, unit, members, kind)

    def counterparts(self, giver: Mapping[int, int]) -> dict[int, int]:
        """giver: unit -> unit. Returns row -> the row of the same kind in the giver, or the giver's first."""
        found: dict[int, int] = {}
        for unit, other in giver.items():
            of_kind = {self.kind[row]: row for row in self.members[other]}
            found |= {row: of_kind.get(self.kind[row], self.members[other][0]) for row in self.members[unit]}
        return found


def _handed_over(clips: Rows, giver: Mapping[int, int]) -> Rows:
    """giver: recording -> the one whose knowledge its windows get."""
    order = np.argsort(clips, kind="stable")
    names, first = np.unique(clips[order], return_index=True)
    rows_of = dict(zip(names.tolist(), np.split(order, first[1:]), strict=True))
    result = np.arange(len(clips))
    for taker, other in giver.items():
        rows, given = rows_of[taker], rows_of[other]
        result[rows] = given[np.minimum(np.arange(len(rows)), len(given) - 1)]
    return result


def _bodies(archive: Archive) -> tuple[NDArray[np.str_], NDArray[np.str_], Rows]:
    """Of each recording: the one that it was made of (itself), the kind of variation ("": none), and the label."""
    clips = archive.clips
    names = clips["name"].to_numpy().astype(str)
    labels = clips["label"].to_numpy().astype(np.int64)
    if BODY not in clips.columns:
        return names, np.full(len(names), ""), labels
    made_of = clips[BODY].to_numpy().astype(str)
    body = np.where(made_of == "", names, made_of)
    kind = np.array([name[len(of) + 1 :] for name, of in zip(names, body, strict=True)])
    label_of = dict(zip(names.tolist(), labels.tolist(), strict=True))
    return body, kind, np.array([label_of.get(name, -1) for name in body.tolist()], np.int64)


def _of_nearest_class(
    archive: Archive, clips: Rows, made: _Recordings, embeddings: NDArray[np.float32], random: np.random.Generator
) -> dict[int, int]:
    """Unit -> the unit that it gets the knowledge of."""
    labels = _bodies(archive)[2]
    known = np.unique(labels[made.rows][labels[made.rows] >= 0])
    if len(known) < 2:
        return {}
    of_window = labels[clips]
    means = np.stack([embeddings[of_window == label].mean(axis=(0, 1)) for label in known])
    means -= means.mean(axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    cosines = means @ means.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = dict(zip(known.tolist(), known[cosines.argmax(axis=1)].tolist(), strict=True))
    units = np.array(list(made.members), np.int64)
    members = {label: units[labels[units] == label] for label in known.tolist()}
    takers = [int(unit) for unit in units if labels[unit] >= 0]
    return {unit: int(random.choice(members[nearest[int(labels[unit])]])) for unit in takers}


def _mirrored(archive: Archive, names: Rows) -> dict[int, int]:
    body, kind, _ = _bodies(archive)
    row_of = {(body[name], kind[name]): int(name) for name in names.tolist()}
    found = {name: row_of.get((body[name], _MIRRORED.get(kind[name], "none"))) for name in names.tolist()}
    return {name: other for name, other in found.items() if other is not None}


def _previous(archive: Archive, names: Rows) -> dict[int, int]:
    """Of a variation: the same variation of the recording before, or that recording where there is none."""
    body, kind, labels = _bodies(archive)
    own = np.array([name for name in names.tolist() if kind[name] == ""], np.int64)
    columns = archive.clips[["subject", "camera"]].astype(str).agg("/".join, axis=1).to_numpy()
    before: dict[str, int] = {}
    for who in np.unique(columns[own]):
        theirs = own[columns[own] == who]
        for at, name in enumerate(theirs.tolist()):
            # The first activity of all has the last one before it.
            earlier = np.concatenate([theirs[at + 1 :], theirs[:at]])
            others = earlier[labels[earlier] != labels[name]]
            if len(others):
                before[str(body[name])] = int(others[-1])
    row_of = {(body[name], kind[name]): int(name) for name in names.tolist()}
    found = {}
    for name in names.tolist():
        other = before.get(str(body[name]))
        if other is not None:
            found[int(name)] = row_of.get((body[other], kind[name]), other)
    return found
