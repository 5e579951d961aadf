"""How much of NW-UCLA's classes is in the knowledge itself, without a network, and how long the captions take.

    edge-c2vl prepare nw-ucla all_sqe nw-ucla
    edge-c2vl knowledge encode nw-ucla whole
    edge-c2vl knowledge encode nw-ucla clauses --pool clauses
    python benchmarks/knowledge.py nw-ucla whole clauses

Linear probe: standardised features, logistic regression, C = 1, fixed beforehand. "subjects": five folds over the
training views, tested on people who were not trained on; what captions were designed by. "test": cross-view, trained on
views 1 and 2, tested on view 3; n = 464, so that its standard error is 1.2 points at 93 %.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_c2vl.archive import Archive
from edge_c2vl.recordings import whole_clips
from train.knowledge.bank import Bank
from train.knowledge.kinematics import Describer
from train.knowledge.spectrum import Preparation


class Probe:
    def __init__(self, archive: Archive) -> None:
        self.labels = archive.clips["label"].to_numpy()
        self.train = (archive.clips["xview"] == "train").to_numpy()
        self.subjects = archive.clips["subject"].astype(str).to_numpy()

    def _linear(self, x: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
        return float(model.fit(x[train], self.labels[train]).score(x[test], self.labels[test]))

    def line(self, name: str, features: np.ndarray) -> str:
        x = features.reshape(len(features), -1).astype(np.float32)
        x = x[:, x[self.train].std(axis=0) > 1e-6]
        people = np.unique(self.subjects)
        folds = [np.isin(self.subjects, people[fold::5]) for fold in range(5)]
        held = [self._linear(x, self.train & ~fold, self.train & fold) for fold in folds]
        centred = Preparation.fit(x[self.train], "centre").apply(x)
        nearest = KNeighborsClassifier(1, metric="cosine").fit(centred[self.train], self.labels[self.train])
        knn = nearest.score(centred[~self.train], self.labels[~self.train])
        test = self._linear(x, self.train, ~self.train)
        return (
            f"{name:<32} {x.shape[1]:>5}   {100 * np.mean(held):5.1f} ± {100 * np.std(held):.1f}   {100 * test:5.1f}"
            f"   {100 * knn:5.1f}"
        )


def main(archive_path: str, banks: list[str]) -> None:
    archive = Archive.open(archive_path)
    windows, describer, probe = whole_clips(archive), Describer(archive), Probe(archive)
    print(f"{'':<32} {'size':>5}   subjects      test    1-NN on test")
    bits = describer.bits(windows)
    print(probe.line("predicate bits", bits), flush=True)
    for path in banks:
        bank = Bank.open(path)
        spans = {
            name: row for row, name in reversed(list(enumerate(bank.names)))
        }  # a clip's first row is the whole of it
        rows = [spans[name] for name in archive.clips["name"].astype(str)]
        print(probe.line(path, bank.embeddings[rows].mean(axis=1)), flush=True)
    ten_thousand = windows[np.arange(10_000) % len(windows)]
    began = time.process_time()
    describer.bits(ten_thousand)
    between = time.process_time()
    captions = sum(1 for _ in describer.captions(ten_thousand))
    ended = time.process_time()
    print(f"{captions} clips, CPU seconds: bits {between - began:.1f}, captions {ended - between:.1f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
