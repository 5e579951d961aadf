"""What a bundle says of recordings whose frames are labelled: how many attentive windows it calls distracted.

    python benchmarks/attentive_drivers.py labelled.archive --every 2

A window is judged where the vehicle would judge it, that is where an elbow or wrist was seen for long enough; each is
judged by itself, without the filter of the alert policy. --every 2 takes the 1st, 3rd, 5th recording of the archive,
so that the others stay unseen while something is chosen.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from sklearn.metrics import roc_auc_score

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.bundle.text_labels import softmax
from edge_c2vl.inference.select import open_backend
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.windows import clip_of, sliding


@click.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.option("--bundle", default="default", show_default=True)
@click.option("--attentive", default="attentive", show_default=True, help="The label that is no distraction.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Each so many-th recording.")
def main(archive: Path, bundle: str, attentive: str, every: int) -> None:
    opened, model = Archive.open(archive), Bundle.open(bundle)
    spec, distraction = model.manifest.clip, [label in model.manifest.distraction for label in model.manifest.labels]
    rows = np.arange(0, len(opened), every)
    windows = sliding(opened, rows, spec.seconds, 0.5)
    windows = windows[windows.label >= 0]
    clips = [
        clip_of(opened, int(row), start_s, end_s, spec)
        for row, start_s, end_s in zip(windows.clip, windows.start_s, windows.end_s, strict=True)
    ]
    judged = np.array([clip.arms >= spec.min_arms for clip in clips])
    with open_backend(model, "onnxruntime:cpu") as backend:
        scores = np.array([softmax(backend.infer(clip.data[None])[0][0])[distraction].sum() for clip in clips])
    names = np.array(opened.labels)[windows.label]
    calm = judged & (names == attentive)
    print("| label | windows | judged | called distracted, of those | ROC-AUC against attentive |")
    print("|---|---|---|---|---|")
    for name in opened.labels:
        chosen = (names == name) & judged
        called = f"{(scores[chosen] > 0.5).mean():.1%}" if chosen.any() else ""
        auc = ""
        if name != attentive and chosen.any() and calm.any():
            both = calm | chosen
            auc = f"{roc_auc_score(chosen[both], scores[both]):.3f}"
        print(f"| {name} | {(names == name).sum()} | {chosen.sum()} | {called} | {auc} |")
    print(f"\n{len(rows)} recordings")


if __name__ == "__main__":
    main()
