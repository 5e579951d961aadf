"""What fewer poses a second change of the decisions: sktDD's labelled drives, each driver judged by a model that never
saw the driver.

    sh train/recipes/sktdd.sh original_sktDD work bundle
    python benchmarks/pose_rate.py work/sktdd.archive work

Frames are left out by the vehicle's own rule (runtime/pose_rate.py), every time at a fixed rate: neither fast hands nor
alerts bring every frame back. Folds that `work` lacks are left out of all rows. Printed for each rate: ROC-AUC of all
windows and of the three views together, the mean over drivers and its spread, the share of windows in which it "cannot
see", and ROC-AUC of those that are answered where every frame is looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge_c2vl.runtime.pose_rate import PoseRate
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec, make_clip
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.skeletons.splits import subject_folds
from edge_c2vl.skeletons.windows import Windows, sliding
from train.evaluation.driver_folds import Scenes, figures
from train.evaluation.sktdd_windows import HOPS
from train.model.checkpoint import load_model
from train.model.encoder import Encoder
from train.trainer import MODEL

FOLDS = 6  # of train/recipes/sktdd.sh


def thinned(
    archive: Archive, windows: Windows, spec: ClipSpec, rate_fps: float | None, short_gaps: bool
) -> tuple[Array, NDArray]:
    """The clips of the windows (N, 3, T, 25) and their `arms` (N,), each up to the last frame looked at."""
    data, arms = [], []
    for row in np.unique(windows.clip):
        rate = PoseRate(rate_fps, "ntu25", spec.max_gap_s)
        stamps, sequence = archive.timestamps(row), archive.sequence(row)
        looked = [(index, rate.unlooked_s) for index, time_s in enumerate(stamps) if rate.looks(time_s)]
        kept, unlooked_s = np.array([index for index, _ in looked]), np.array([value for _, value in looked])
        stamps, sequence = stamps[kept], sequence[kept]
        for end_s in windows.end_s[windows.clip == row]:
            last = int(np.searchsorted(stamps, end_s + 1e-6, side="right")) - 1
            first = max(int(np.searchsorted(stamps, stamps[last] - spec.seconds, side="right")) - 1, 0)
            part = slice(first, last + 1)
            unlooked = None if short_gaps else unlooked_s[part]
            clip = make_clip(sequence[part], stamps[part], stamps[last], spec, unlooked)
            data.append(clip.data)
            arms.append(clip.arms)
    return np.stack(data), np.array(arms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("work", type=Path, help="the folder of train/recipes/sktdd.sh")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rates", type=float, nargs="+", default=[15.0, 10.0, 5.0])
    parser.add_argument("--short-gaps", action="store_true", help="fill no longer gaps at lower rates")
    arguments = parser.parse_args()
    archive = Archive.open(arguments.archive)
    labelled = archive.clips["kind"] == "labelled"
    drivers = archive.clips["subject"].to_numpy()
    models: dict[str, tuple[Encoder, ClipSpec]] = {}
    for number, names in enumerate(subject_folds(drivers[labelled], FOLDS)):
        folder = arguments.work / f"fold{number}" / f"seed{arguments.seed}"
        if (folder / MODEL).is_file():
            encoder, about = load_model(folder)
            models |= dict.fromkeys(names, (encoder.eval(), about.clip))
    spec = next(iter(models.values()))[1]
    rows = np.flatnonzero(labelled & np.isin(drivers, list(models)))
    windows = sliding(archive, rows, spec.seconds, HOPS["labelled"])
    scenes = Scenes.of(archive, windows)
    print(f"{len(windows)} windows of {len(models)} drivers\n")
    print("| poses a second | ROC-AUC, all | a driver | together | cannot see | ROC-AUC, answered at every frame |")
    print("|---|---|---|---|---|---|")
    answered = None
    for rate in (None, *arguments.rates):
        clips, arms = thinned(archive, windows, spec, rate, arguments.short_gaps)
        scores = np.zeros(len(windows))
        with torch.inference_mode():
            for name, (encoder, _) in models.items():
                at = np.flatnonzero(scenes.driver == name)
                logits = torch.cat([encoder(torch.from_numpy(clips[part]))[0] for part in np.array_split(at, 32)])
                scores[at] = logits.softmax(1)[:, 1].numpy()
        sees = arms >= spec.min_arms
        answered = sees if answered is None else answered
        found = figures(windows.label, scores, scenes)
        both = figures(windows.label[answered], scores[answered], scenes[answered], whole=False)["pooled"]
        pooled, together = found["pooled"], found["views_together"]
        print(
            f"| {rate or 'every frame'} | {pooled['auc']:.4f} | {pooled['auc_drivers']:.4f} ± "
            f"{pooled['auc_spread']:.4f} | {together['auc']:.4f} | {1 - sees.mean():.4f} | {both['auc']:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
