"""INT8 of the bundle from sktDD alone, judged on drivers that neither training nor calibration has seen.

    sh train/recipes/sktdd.sh original_sktDD work bundle
    python benchmarks/int8_folds.py work/sktdd.archive work

That bundle is trained on all drivers, so its own accuracy can be shown on none. Here each fold's model is
quantised as `edge-c2vl quantize` does it, on clips of the fold's training drivers, and compared with FP32 on windows of
its test drivers (one a second, normal driving and labelled).
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from calibration import workflow
from calibration.ranges import METHODS
from calibration.report import methods_table
from calibration.workflow import QuantizeOptions, quantize_bundle
from edge_c2vl.bundle.bundle import PRECISIONS
from edge_c2vl.skeletons.archive import Archive
from train.data.clips import sample_clips
from train.evaluation.sktdd_windows import Data
from train.model.checkpoint import load_model
from train.model.export import export_bundle


def judge(archive: Archive, run: Path, drivers: list[str], options: QuantizeOptions, folder: Path) -> dict[str, Any]:
    encoder, about = load_model(run)
    bundle, _ = export_bundle(
        encoder,
        about,
        folder / "bundle",
        sample_clips(archive, about.clip, 64),
        name="fold",
        distraction=["distracted"],
    )
    figures = quantize_bundle(bundle, archive, options).figures
    return {"drivers": drivers} | figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--json", type=Path, help="Keep the folds' figures in this file; make those that it lacks.")
    given = parser.parse_args()
    # The latency is the same in every fold, and measured where the bundle is.
    workflow.cpu_latency = lambda *_: {}  # type: ignore[assignment]
    archive = Archive.open(given.archive)
    folds = Data.open(archive, kinds=["labelled"]).folds()
    results = json.loads(given.json.read_text()) if given.json and given.json.is_file() else []
    for number, drivers in list(enumerate(folds))[len(results) :]:
        folder = Path(tempfile.mkdtemp())
        try:
            fold = f"subject:{number}/{len(folds)}"
            options = QuantizeOptions(samples=given.samples, force=True, compare=True, split=fold)
            results.append(judge(archive, given.work / f"fold{number}" / "seed0", drivers, options, folder))
        finally:
            shutil.rmtree(folder)
        if given.json:
            given.json.write_text(json.dumps(results, indent=1))
    print("| drivers | clips | fp32 | fp16 | int8 | int8 decides as fp32 | layers kept in float |")
    print("|---|---|---|---|---|---|---|")
    for row in results:
        models = row["models"]
        shares = " | ".join(f"{100 * models[name]['balanced']:.2f} %" for name in PRECISIONS)
        agreement = f"{100 * models['int8']['agreement']:.2f} %"
        kept = f"{len(row['floating'])} of {row['layers']}"
        print(f"| {', '.join(row['drivers'])} | {row['evaluation']['clips']} | {shares} | {agreement} | {kept} |")
    print("\nmean over the folds")
    for name in PRECISIONS:
        print(f"{name}: balanced {100 * np.mean([row['models'][name]['balanced'] for row in results]):.2f} %")
    keys = ("balanced", "agreement", "sqnr_logits_db", "sqnr_embedding_db")
    means = {
        name: {key: float(np.mean([row["methods"][name][key] for row in results])) for key in keys} for name in METHODS
    }
    print(methods_table(means))


if __name__ == "__main__":
    main()
