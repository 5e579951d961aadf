"""Where a model puts the clips of an archive, as a map in the plane: t-SNE (van der Maaten and Hinton, JMLR 2008)."""

from __future__ import annotations

import numpy as np

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.skeletons.windows import clip_of, windows_of
from edge_c2vl.utils.progress import track
from train.evaluation.models import Model

BATCH = 64


def embedding_map(archive: Archive, model: Model, by: str, count: int, seed: int) -> tuple[Array, list[str]]:
    """Places (N, 2) of at most `count` clips drawn at random, and what each one is: its label, or what the archive's
    column `by` says of it. Clips in which nobody was seen have no place. Raises UsageError."""
    if by != "label" and by not in archive.clips:
        raise UsageError(f"{archive.path} has no column {by!r}: there are {', '.join(map(str, archive.clips.columns))}")
    # A long drive whose frames have labels of their own is no clip; its windows are.
    long = archive.frame_labels(0) is not None
    windows = windows_of(archive, None, model.spec.seconds if long else 0.0, 0.5)
    chosen = np.random.default_rng(seed).permutation(len(windows))[:count]
    names = np.array([*archive.labels, "no label"])
    clips, groups = [], []
    for index in track(np.sort(chosen).tolist(), "reading clips"):
        row = int(windows.clip[index])
        data = clip_of(archive, row, windows.start_s[index], windows.end_s[index], model.spec).data
        if data.any():
            clips.append(data)
            groups.append(str(names[windows.label[index]] if by == "label" else archive.clips[by].iloc[row]))
    if len(clips) < 5:
        raise UsageError(f"{archive.path} has {len(clips)} clips with somebody in view: too few for a map")
    features = [model.features(np.stack(clips[first : first + BATCH])) for first in range(0, len(clips), BATCH)]
    return _tsne(np.concatenate(features), seed), groups


def _tsne(features: Array, seed: int) -> Array:
    from sklearn.manifold import TSNE

    # The usual 30, where there are points enough for it.
    perplexity = min(30.0, (len(features) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=seed)
    places: Array = tsne.fit_transform(features)
    return places
