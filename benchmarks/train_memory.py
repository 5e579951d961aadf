"""What memory training takes by the number of clips: RSS over time of `edge-c2vl train finetune`, a process of its own.

    python benchmarks/train_memory.py [--clips 10000 100000] [--epochs 2] [--plot rss.png]

The archive is made up (a random walk of 20 frames, over and over), everything else is real: clips are made, cached,
loaded, augmented and trained on by an ST-GCN of width 16. "Growth" is what the last tenth of the training has over its
second tenth.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from eval_memory import write

INTERVAL_S = 1.0
SETTINGS = "--split xsub --frames 32 --blocks 6 --stride 4 --batch-size 128 --precision bf16-mixed --threads 1"
VARIATIONS = "--crop .5 --rotate 10 --view 30 --shear .1 --jitter .01"


def train(archive: Path, folder: Path, epochs: int) -> tuple[list[float], list[float]]:
    """RSS in MB, once a second: while clips are made, and while they are trained on."""
    program = Path(sys.executable).with_name("edge-c2vl")
    command = [str(program), "train", "finetune", str(archive), str(folder), "--no-tensorboard"]
    command += [*SETTINGS.split(), *VARIATIONS.split(), "--epochs", str(epochs)]
    environment = os.environ | {"EDGE_C2VL_CACHE": str(folder.parent)}
    making: list[float] = []
    training: list[float] = []
    log = folder.parent / "log"
    with log.open("w") as said, psutil.Popen(command, stdout=said, stderr=said, env=environment) as process:
        while process.poll() is None:
            made = any((folder.parent / "clips").glob("*/confidence.npy"))
            (training if made else making).append(process.memory_info().rss / 1e6)
            time.sleep(INTERVAL_S)
        if process.returncode:
            raise SystemExit(log.read_text()[-2000:])
        training.pop()  # it was ending
    return making, training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    curves = {}
    print("| clips | making clips, most | training, by tenths of the time, MB | growth |\n|---|---|---|---|")
    for clips in options.clips:
        with tempfile.TemporaryDirectory(dir=".") as name:
            write(Path(name) / "archive", clips, "train")
            making, training = train(Path(name) / "archive", Path(name) / "run", options.epochs)
        curves[clips] = training
        tenths = [part.mean() for part in np.array_split(np.array(training), 10)]
        shown = " ".join(f"{value:.0f}" for value in tenths)
        print(f"| {clips:,} | {max(making):.0f} | {shown} | {tenths[-1] - tenths[1]:+.1f} |", flush=True)
    if options.plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 3), layout="constrained")
        axes = figure.subplots()
        for clips, training in curves.items():
            axes.plot(np.arange(len(training)) * INTERVAL_S, training, label=f"{clips:,} clips")
        axes.set(xlabel="training, s", ylabel="RSS, MB", ylim=(0, None))
        axes.legend()
        figure.savefig(options.plot, dpi=120)


if __name__ == "__main__":
    main()
