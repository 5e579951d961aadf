"""Zero-shot recognition by labels in words on NW-UCLA: docs/results.md, section Labels in words.

Five of the ten classes are held out of everything that is fitted (captions' vocabulary, whitening, pretraining); clips
of the test view are then told apart among those five by nearest description, chance 20 %. Three choices of the five,
several seeds each; and all ten classes, since pretraining reads no label anyway (chance 10 %). Beside them the control
(each clip was given another clip's captions), and the test clips' own captions in the encoder's place: what the rules
and the descriptions allow. Finished figures are kept in RUNS and not made again.

    edge-c2vl prepare nw-ucla all_sqe nw-ucla.archive
    python benchmarks/labels_in_words.py nw-ucla.archive RUNS [--seeds 3] [--choices all 0 1 2] [--rows full exchanged]
    python benchmarks/labels_in_words.py nw-ucla.archive RUNS --print
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import nw_ucla_table as table

from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.windows import whole_clips
from edge_c2vl.utils.atomic import write_file
from edge_c2vl.utils.cache import default_cache
from edge_c2vl.utils.scores import softmax
from train.evaluation.models import CheckpointModel
from train.evaluation.predictions import through
from train.knowledge.bank import Bank
from train.knowledge.encode import clauses, whitened
from train.knowledge.kinematics import Describer
from train.knowledge.labels import make_words
from train.knowledge.language import Language, Listener, language_of
from train.knowledge.make import BankSettings, make_bank
from train.knowledge.phrases import parse_labels
from train.knowledge.text import TextEncoder, open_encoder
from train.metrics import figures, mean_and_spread
from train.model.checkpoint import LANGUAGE
from train.pretrain import pretrain
from train.trainer import CHECKPOINT, MODEL

DESCRIPTIONS = Path(__file__).with_name("nw_ucla_labels.yaml")
HELD_OUT = 5
RECIPE = BankSettings(crops=16, pool="whitened", facts=60, quarters=True)
# The encoder, the knowledge and the objective of the table of NW-UCLA, on recordings alone.
LOOP = replace(table.LOOP, epochs=60)
# row -> PretrainSettings
ROWS = {"full": table.PRETRAIN, "exchanged": replace(table.PRETRAIN, exchange=1.0)}
CHOICES = ("all", "0", "1", "2")


def held_out(classes: int, choice: str) -> list[int]:
    """The classes that are judged: the held-out ones, or all."""
    if choice == "all":
        return list(range(classes))
    return sorted(np.random.default_rng(int(choice)).choice(classes, HELD_OUT, replace=False).tolist())


def learnt_from(archive: Archive, folder: Path, without: list[int]) -> Archive:
    """The training views' clips of the other classes, as an archive of its own."""
    if not folder.is_dir():
        clips, meta = archive.clips, archive.meta
        about = {name: meta[name] for name in ("source", "licence", "source_layout", "dimensions")}
        with ArchiveWriter(folder, labels=archive.labels, **about) as writer:
            for row in np.flatnonzero((clips["xview"] == "train") & ~clips["label"].isin(without)):
                line = clips.iloc[row]
                writer.append(
                    line["name"], archive.sequence(int(row)), line["fps"], timestamps=archive.timestamps(int(row)),
                    label=int(line["label"]), subject=line["subject"], camera=line["camera"],
                )  # fmt: skip
    return Archive.open(folder)


class Bench:
    def __init__(self, archive: Path, runs: Path, epochs: int | None) -> None:
        self.archive, self.runs = Archive.open(archive), runs
        self.loop = replace(LOOP, epochs=epochs or LOOP.epochs)
        self.cache = default_cache() / "text"
        described = parse_labels([], DESCRIPTIONS)
        self.descriptions = {label: described[label] for label in self.archive.labels}

    @cached_property
    def encoder(self) -> TextEncoder:
        return open_encoder("minilm")

    def figures(self, choice: str, row: str, seed: int) -> dict[str, Any]:
        path = self.runs / choice / row / f"seed{seed}.json"
        if not path.is_file():
            values = self._judge(choice, row, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, json.dumps(values, indent=1) + "\n")
        return json.loads(path.read_text())

    def _trained(self, choice: str, row: str, seed: int) -> Path:
        folder = self.runs / choice / row / f"run{seed}"
        if (folder / LANGUAGE).exists():
            return folder
        without = [] if choice == "all" else held_out(len(self.archive.labels), choice)
        archive = learnt_from(self.archive, self.runs / choice / "archive", without)
        bank = self.runs / choice / "bank"
        if not bank.is_dir():
            make_bank(archive, bank, RECIPE, self.encoder, cache=self.cache)
        # Fewer clips make fewer steps an epoch: as many steps as with all classes.
        epochs = round(self.loop.epochs * (1018 // LOOP.batch_size) / (len(archive) // LOOP.batch_size))
        loop = replace(self.loop, seed=seed, epochs=epochs)
        resume = (folder / CHECKPOINT).exists()
        if (folder / MODEL).exists():  # interrupted between the model and its language
            (folder / MODEL).unlink()
        pretrain(
            archive, folder, [Bank.open(bank)], table.ENCODER, table.AUGMENT, ROWS[row], table.FULL, loop, resume=resume
        )
        return folder

    def _judge(self, choice: str, row: str, seed: int) -> dict[str, Any]:
        folder = self._trained(choice, row, seed)
        classes = held_out(len(self.archive.labels), choice)
        clips = self.archive.clips
        rows = np.flatnonzero((clips["xview"] == "test") & clips["label"].isin(classes))
        labels = np.searchsorted(classes, clips["label"].to_numpy()[rows])
        windows = whole_clips(self.archive, rows)
        model = CheckpointModel(folder)
        language = language_of(folder)
        listener = Listener(language, self.encoder, self.cache)
        embedded = {"encoder": through(model.embeddings, self.archive, windows, model.spec, "embeddings")}
        if row == "full" and seed == 0:
            embedded["captions"] = self._captions(language, rows)
        values: dict[str, Any] = {"classes": [self.archive.labels[index] for index in classes], "n": len(rows)}
        for kind, texts in (("described", self.descriptions), ("names", dict.fromkeys(self.archive.labels, ()))):
            chosen = {label: texts[label] for label in values["classes"]}
            words = make_words(listener, chosen, [])
            for what, embeddings in embedded.items():
                found = figures(labels, softmax(words.scores(embeddings))).to_json()
                values[f"{kind} {what}"] = found | {"temperature": words.temperature}
        return values

    def _captions(self, language: Language, rows: np.ndarray) -> np.ndarray:
        """The test clips' own captions, embedded as those of the pretraining were, clauses that it had not left out."""
        from train.knowledge.encode import encode_texts

        vocabulary = language.vocabulary
        vectors = whitened(encode_texts(self.encoder, vocabulary.clauses, cache=self.cache), vocabulary.whitening)
        index = {clause: number for number, clause in enumerate(vocabulary.clauses)}
        described = Describer(self.archive).captions(
            whole_clips(self.archive, rows), RECIPE.parts, RECIPE.facts, RECIPE.quarters
        )
        result = []
        for said in described:
            known = [[index[c] for c in clauses(text) if c in index] for text in said]
            mean = np.stack([vectors[row].mean(axis=0) if row else np.zeros(vectors.shape[1]) for row in known])
            result.append((mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)).reshape(-1))
        return language.preparation.apply(np.array(result, np.float32))

    # What is printed

    def lines(self, choices: list[str], seeds: int) -> list[str]:
        """A row for all ten classes and for each choice of held-out ones, and of the latter all runs together."""
        lines, together = [], {row: [] for row in ROWS}
        for choice in choices:
            found = {
                row: [json.loads(path.read_text()) for seed in range(seeds)
                      if (path := self.runs / choice / row / f"seed{seed}.json").is_file()]
                for row in ROWS
            }  # fmt: skip
            if not found["full"]:
                continue
            classes = found["full"][0]["classes"]
            lines.append(_line("all ten" if choice == "all" else ", ".join(classes), found))
            if choice != "all":
                together = {row: [*together[row], *found[row]] for row in ROWS}
        if len(together["full"]) > 1:
            lines.append(_line("held-out classes, all runs", together))
        return lines


def _line(what: str, found: dict[str, list[dict[str, Any]]]) -> str:
    full, control = found["full"], found["exchanged"]
    cells = [what, f"{100 / len(full[0]['classes']):.0f}"]
    cells += [_cell(full, "described encoder"), _cell(full, "names encoder"), _cell(control, "described encoder")]
    cells += [_cell(full, "described captions"), _cell(full, "names captions"), _cell(full, "described encoder", "ece")]
    return f"| {' | '.join(cells)} | {len(full)} / {len(control)} |"


def _cell(found: list[dict[str, Any]], key: str, figure: str = "top1") -> str:
    known = [100 * values[key][figure] for values in found if key in values]
    if not known:
        return "not run"
    mean, deviation = mean_and_spread(known)
    return f"{mean:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--choices", nargs="+", default=list(CHOICES), choices=CHOICES)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--epochs", type=int, help="instead of its own, to try the script")
    parser.add_argument("--print", action="store_true", help="only print what is there")
    options = parser.parse_args()
    bench = Bench(options.archive, options.runs, options.epochs)
    # Seed by seed: stopped early, there is a whole table of fewer seeds.
    for seed in range(0 if options.print else options.seeds):
        for choice in options.choices:
            for row in options.rows:
                values = bench.figures(choice, row, seed)
                shown = {key: round(100 * found["top1"], 1) for key, found in values.items() if isinstance(found, dict)}
                print(f"{choice} {row} seed {seed}: {shown}", flush=True)
    columns = ["told apart", "chance", "described", "by name alone", "control, described", "captions, described"]
    columns += ["captions, by name", "calibration error", "runs / of the control"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    print("\n".join(bench.lines(options.choices, options.seeds)))


if __name__ == "__main__":
    main()
