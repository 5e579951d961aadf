"""What a driver's own normal driving is worth: sktDD, with and without, and how many minutes of it.

    python -m train.recipes.sktdd sktdd.archive work --folds
    python benchmarks/normality.py sktdd.archive work

The scores of the default bundle's folds (each driver scored by a model that never saw the driver) are combined with the
distance from what was learnt of that driver and camera (edge_c2vl/normal.py), in the way that a run does it. Learnt is
from the first minutes of the driver's normal recordings, never from the labelled drive that is scored.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from edge_c2vl.archive import Archive
from edge_c2vl.normal import MAX_SHIFT, PlaceWatch, fit, posture
from edge_c2vl.window import make_clip
from train.drivers import figures
from train.recipes.sktdd import SPEC, Data

MINUTES = (1, 2, 5, None)
HOP_S = 2.0  # between two windows of normal driving


@click.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.argument("work", type=click.Path(exists=True, path_type=Path))
def main(archive: Path, work: Path) -> None:
    opened = Archive.open(archive)
    data = Data.open(opened)
    probability = np.load(work / "scores.npy")[0]
    odds = np.log(probability / (1 - probability))
    clips = data.store.read(np.arange(len(data.labels)))
    postures = np.stack([posture(clip) for clip in clips])
    scored = data.labelled & np.isfinite(probability) & (data.store.confidence > 0)
    print("| learnt from | distance alone | classes alone | classes and distance | together |")
    print("|---|---|---|---|---|")
    for minutes in MINUTES:
        shift = np.full(len(odds), np.nan)
        for driver in np.unique(data.scenes.driver):
            for camera in np.unique(data.scenes.camera):
                theirs = (data.scenes.driver == driver) & (data.scenes.camera == camera) & ~data.turned
                if not theirs.any():
                    continue
                normal = np.flatnonzero(theirs & data.normal & (data.store.confidence > 0))
                if minutes is not None:
                    normal = normal[: round(minutes * 60 / HOP_S)]
                learnt = fit(postures[normal], np.zeros((len(normal), 3)))
                for row in np.flatnonzero(theirs & scored):
                    shift[row] = np.clip(np.log(max(learnt.distance(clips[row]), 1e-9)), -MAX_SHIFT, MAX_SHIFT)
        rows = np.flatnonzero(scored)
        cells = []
        for score in (shift, odds, odds + shift):
            result = figures(data.labels[rows], 1 / (1 + np.exp(-score[rows])), data.scenes[rows])
            pooled = result["pooled"]
            cells.append(f"{pooled['auc']:.3f} ({pooled['auc_drivers']:.3f} ± {pooled['auc_spread']:.3f})")
        together = result["views_together"]
        name = "all" if minutes is None else f"{minutes} min"
        print(f"| {name} | {' | '.join(cells)} | {together['auc']:.3f} ({together['auc_drivers']:.3f}) |", flush=True)
    _somebody_else(opened)


def _somebody_else(archive: Archive) -> None:
    """How often a recording of the same driver, or of another one in the same view, is taken for somebody else's."""
    names = archive.clips
    normal = names[names["kind"] == "normal"]
    places = {}
    for index in normal.index:
        end_s = float(archive.timestamps(index)[-1])
        stops = np.arange(SPEC.seconds, end_s, 1.0)
        found = [make_clip(archive.sequence(index), archive.timestamps(index), stop, SPEC) for stop in stops]
        places[index] = found
    verdicts: dict[str, list[bool]] = {"same driver": [], "another driver": []}
    for (driver, camera), rows in normal.groupby(["subject", "camera"]).groups.items():
        half = list(rows)[: len(rows) // 2]
        learnt_from = [clip for index in half for clip in places[index] if clip.place is not None]
        learnt = fit(np.stack([posture(c.data) for c in learnt_from]), np.array([c.place for c in learnt_from]))
        for index in normal.index[(normal["camera"] == camera)]:
            if index in half:
                continue
            same = normal.loc[index, "subject"] == driver
            watch = PlaceWatch(learnt, window_s=25.0)  # recordings are 30 s long
            moved = [watch.moved(clip, float(now)) for now, clip in enumerate(places[index])]
            verdicts["same driver" if same else "another driver"].append(any(moved))
    for who, found in verdicts.items():
        print(f"taken for somebody else or a moved camera: {who} {np.mean(found):.1%} of {len(found)} recordings")


if __name__ == "__main__":
    main()
