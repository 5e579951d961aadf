"""Wrong knowledge on purpose: recordings get another one's, at random or as a language model mistakes what it sees.

Only for measuring what an objective makes of it. Labels, where a kind of mistake needs them, choose the giver and are
not learnt from; a variation counts as what it was made of.
"""

from __future__ import annotations

from collections.abc import Mapping

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
) -> Rows:
    """For each window the window whose knowledge it gets: (W,). In `share` of the recordings it is another recording's.

    clips: (W,), which recording a window is of: its row in the archive. A window gets the knowledge of the window with
    its number there (the last, where there are fewer). kind, one of MISTAKES, says whose:

    any         the chosen recordings are passed round in a ring
    class       a recording of the other class whose mean knowledge (embeddings, (W, K, D)) is nearest to the own class'
    side        the mirror image of the recording: only of those that have one among the variations
    previous    the last recording before it, of the same person and camera, with another label

    All but "any" need the archive. Raises UsageError where the share is of too few recordings to be any, or too few of
    them have such a giver.
    """
    names = np.unique(clips)
    wanted = round(share * len(names))
    # A ring of one would hand it its own.
    if share and wanted < (2 if kind == "any" else 1):
        raise UsageError(
            f"--exchange {share:g} is {wanted} of {len(names)} recordings, so none would be exchanged: raise it, or "
            "learn from more recordings"
        )
    random = np.random.default_rng([seed, 7])
    if kind == "any":
        chosen = random.permutation(names)[:wanted]
        giver = dict(zip(chosen.tolist(), np.roll(chosen, 1).tolist(), strict=True))
    else:
        if archive is None or kind not in MISTAKES:
            raise UsageError(f"--mistakes is one of {', '.join(MISTAKES)}, not {kind!r}")
        if kind == "class":
            assert embeddings is not None
            candidates = _of_nearest_class(archive, clips, names, embeddings, random)
        else:
            candidates = {"side": _mirrored, "previous": _previous}[kind](archive, names)
        if len(candidates) < wanted:
            raise UsageError(
                f"--mistakes {kind}: only {len(candidates)} of {len(names)} recordings have another one whose "
                f"knowledge they could get: lower --exchange ({share:g})"
            )
        takers = random.permutation(np.array(sorted(candidates), np.int64))[:wanted]
        giver = {int(taker): candidates[int(taker)] for taker in takers}
    return _handed_over(clips, giver)


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
    archive: Archive, clips: Rows, names: Rows, embeddings: NDArray[np.float32], random: np.random.Generator
) -> dict[int, int]:
    labels = _bodies(archive)[2]
    known = np.unique(labels[names][labels[names] >= 0])
    if len(known) < 2:
        return {}
    of_window = labels[clips]
    means = np.stack([embeddings[of_window == label].mean(axis=(0, 1)) for label in known])
    means -= means.mean(axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    cosines = means @ means.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = dict(zip(known.tolist(), known[cosines.argmax(axis=1)].tolist(), strict=True))
    members = {label: names[labels[names] == label] for label in known.tolist()}
    takers = [int(name) for name in names if labels[name] >= 0]
    return {name: int(random.choice(members[nearest[int(labels[name])]])) for name in takers}


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
