"""How much of the classes is in the knowledge itself, without a network, and how long the captions take.

    edge-c2vl prepare nw-ucla all_sqe nw-ucla
    edge-c2vl knowledge encode nw-ucla whole
    edge-c2vl knowledge encode nw-ucla clauses --pool clauses
    python benchmarks/knowledge.py nw-ucla whole clauses

Linear probe: standardised features, logistic regression, C = 1, fixed beforehand. "subjects": five folds over the
training views, tested on people who were not trained on; what captions were designed by. "test": cross-view, trained on
views 1 and 2, tested on view 3; n = 464, so that its standard error is 1.2 points at 93 %.

    edge-c2vl prepare sktdd original_sktDD sktdd
    python benchmarks/knowledge.py sktdd

Predicate bits of windows of 3 s, one a second, of the labelled drives; logistic regression, C = 0.003, four folds by
driver.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.windows import sliding, whole_clips
from train.knowledge.bank import Bank
from train.knowledge.kinematics import Describer
from train.knowledge.spectrum import Preparation
from train.metrics import mean_and_spread


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
        mean, spread = mean_and_spread([100 * share for share in held])
        return f"{name:<32} {x.shape[1]:>5}   {mean:5.1f} ± {spread:.1f}   {100 * test:5.1f}   {100 * knn:5.1f}"


def drivers(archive: Archive) -> None:
    """ROC-AUC of predicate bits on drivers that were not trained on."""
    kinds = archive.clips["kind"].to_numpy()
    windows = sliding(archive, np.flatnonzero(kinds == "labelled"), 3.0, 1.0)
    windows = windows[windows.label >= 0]
    bits = Describer(archive).bits(windows)
    bits = bits[:, bits.std(axis=0) > 0.02]
    subject, camera = (archive.clips[name].astype(str).to_numpy()[windows.clip] for name in ("subject", "camera"))
    scores = np.zeros(len(windows))
    for people in np.array_split(np.unique(subject), 4):
        test = np.isin(subject, people)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=100))
        scores[test] = model.fit(bits[~test], windows.label[~test]).decision_function(bits[test])
    pooled = roc_auc_score(windows.label, scores)
    print(f"{len(windows)} windows, {bits.shape[1]} bits; ROC-AUC over all views {pooled:.3f}")
    for name, groups in (("view", camera), ("driver", subject)):
        some = [(one, groups == one) for one in np.unique(groups)]
        areas = {one: roc_auc_score(windows.label[mask], scores[mask]) for one, mask in some}
        print(f"within a {name}: mean {np.mean(list(areas.values())):.3f}", {k: round(v, 3) for k, v in areas.items()})


def main(archive_path: str, banks: list[str]) -> None:
    archive = Archive.open(archive_path)
    if "distracted" in archive.labels:
        drivers(archive)
        return
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
