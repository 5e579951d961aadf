"""Which bones tell a body's size best? Simple models on sktDD with each choice of `skeleton.body_unit`'s bones.

    python benchmarks/body_unit.py sktdd.archive

The choice that is in use is "all". A clip's scale is what this changes; everything else is as in sktdd_floors.py.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest.mock import patch

import click
from sktdd_floors import floors

from edge_c2vl.skeletons import skeleton
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25
from train.evaluation.sktdd_windows import Data

SHOULDERS, LEFT_ARM, RIGHT_ARM, TRUNK = skeleton.UNIT_BONES
# From the neck to the nose: about .17 of the stature (Drillis & Contini), the shoulder breadth being .259.
HEAD = (NTU25.index("spine_shoulder"), NTU25.index("head"), 0.17 / 0.259)
CHOICES = {
    "shoulders": (SHOULDERS,),
    "upper arms": (LEFT_ARM, RIGHT_ARM),
    "shoulders and upper arms": (SHOULDERS, LEFT_ARM, RIGHT_ARM),
    "neck to head": (HEAD,),
    "all": (SHOULDERS, LEFT_ARM, RIGHT_ARM, TRUNK),
}


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
def main(archive: Path) -> None:
    """Print ROC-AUC, pooled over the cameras and of the cameras together, for each choice on the sktDD ARCHIVE."""
    opened = Archive.open(archive)
    print("| unit | model | mirror | window | dashboard | pooled | together |\n|---|---|---|---|---|---|---|")
    for name, bones in CHOICES.items():
        # Cached clips do not know of the change.
        with (
            tempfile.TemporaryDirectory() as cache,
            patch.dict(os.environ, {"EDGE_C2VL_CACHE": cache}),
            patch.object(skeleton, "UNIT_BONES", bones),
        ):
            report = floors(Data.open(opened))
        for model, values in report.items():
            columns = ("mirror", "window", "dashboard", "pooled", "views_together")
            row = " | ".join(f"{values['all'][column]['auc']:.3f}" for column in columns)
            print(f"| {name} | {model} | {row} |", flush=True)


if __name__ == "__main__":
    main()
