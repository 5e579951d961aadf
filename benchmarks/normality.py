"""What a driver's own normal driving is worth: sktDD, with and without, and how many minutes of it.

    sh train/recipes/sktdd.sh original_sktDD work bundle
    python benchmarks/normality.py work/sktdd-views.archive work/figures

The scores of that recipe's folds (each driver scored by a model that never saw the driver) are combined with the
distance from what was learnt of that driver and camera (edge_c2vl/monitoring/driver_baseline.py), in the way that a run
does it. Learnt is from the first minutes of the driver's normal recordings, never from the labelled drive that is
scored.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd

from edge_c2vl.monitoring.driver_baseline import MAX_SHIFT, MAX_STRANGENESS, DriverWatch, Learner, fit, posture
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import Clip, make_clip
from train.evaluation.driver_folds import figures
from train.evaluation.sktdd_windows import SPEC, Data

MINUTES = (1, 2, 5, None)
HOP_S = 2.0  # between two windows of normal driving


@click.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.argument("report", type=click.Path(exists=True, path_type=Path), required=False)
def main(archive: Path, report: Path | None) -> None:
    """REPORT: that of edge-c2vl eval sktdd --protocol classifier. Without it only how well somebody else is noticed."""
    opened = Archive.open(archive)
    if report is not None:
        _worth(opened, report)
    _somebody_else(opened)


def _worth(opened: Archive, report: Path) -> None:
    data = Data.open(opened)
    told = pd.read_csv(report / "scores.csv")
    assert len(told) == data.labelled.sum(), "the report is of another archive"
    probability = np.full(len(data.labels), np.nan)
    probability[data.labelled] = np.clip(told["seed0"], 1e-6, 1 - 1e-6)  # they stand there with six digits
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
                learnt = fit(postures[normal], np.zeros((len(normal), 3)), np.full((len(normal), 5), np.nan))
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


def _somebody_else(archive: Archive) -> None:
    """How often a recording of the same driver, another drive of the same driver, and another driver in the same view
    are taken for somebody else's: by the place in the picture, or by the lengths of bones. The limit for those is the
    97th percentile of the same drivers' recordings, chosen on the other half of the drivers."""
    names = archive.clips
    windows = {index: _windows(archive, index) for index in names.index}
    trials: list[tuple[str, bool, bool, float, bool]] = []  # half, same driver, labelled drive, strangeness, elsewhere
    drivers = sorted(names["subject"].unique())
    for (driver, camera), rows in names[names["kind"] == "normal"].groupby(["subject", "camera"]).groups.items():
        half = list(rows)[: len(rows) // 2]
        learner = Learner(minutes=0)
        for number, clip in enumerate(clip for index in half for clip in windows[index]):
            learner.add(clip, float(number))
        learnt = learner.finish()
        for index in names.index[names["camera"] == camera].difference(half):
            row = names.loc[index]
            if row["kind"] != "normal" and row["subject"] != driver:
                continue
            # Recordings of normal driving are 30 s long.
            watch, strange, elsewhere = DriverWatch(learnt, window_s=25.0), [], []
            for now, clip in enumerate(windows[index]):
                watch.moved(clip, float(now))
                if now >= 23:
                    strange.append(watch.strangeness)
                    elsewhere.append(watch.offset > watch.max_offset)
            part = "first" if driver in drivers[: len(drivers) // 2 + 1] else "second"
            same = row["subject"] == driver
            trials.append((part, same, row["kind"] != "normal", float(np.median(strange)), bool(np.median(elsewhere))))
    table = pd.DataFrame(trials, columns=["part", "same", "drive", "strange", "elsewhere"])
    kinds = {
        "same driver, same drive": table["same"] & ~table["drive"],
        "same driver, another drive": table["same"] & table["drive"],
        "another driver": ~table["same"],
    }
    print("\n| taken for somebody else | first half | second half | both | limit of a run | by place alone |")
    print("|---|---|---|---|---|---|")
    own = kinds["same driver, same drive"]
    limits = {part: table["strange"][own & (table["part"] != part)].quantile(0.97) for part in ("first", "second")}
    found = table["elsewhere"] | (table["strange"] > table["part"].map(limits))
    for kind, chosen in kinds.items():
        cells = [found[chosen & (table["part"] == part)].mean() for part in ("first", "second")]
        run = (table["elsewhere"] | (table["strange"] > MAX_STRANGENESS))[chosen].mean()
        cells += [found[chosen].mean(), run, table["elsewhere"][chosen].mean()]
        print(f"| {kind} ({chosen.sum()}) | {' | '.join(f'{cell:.1%}' for cell in cells)} |")
    chosen_limits = ", ".join(f"{limit:.2f} for the {part} half" for part, limit in limits.items())
    print(f"limits: {chosen_limits}; {MAX_STRANGENESS} in a run")


def _windows(archive: Archive, index: int) -> list[Clip]:
    """One a second."""
    sequence, times = archive.sequence(index), archive.timestamps(index)
    return [make_clip(sequence, times, stop, SPEC) for stop in np.arange(SPEC.seconds, float(times[-1]), 1.0)]


if __name__ == "__main__":
    main()
