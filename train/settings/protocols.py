"""What can be evaluated and how: one table of data sets, splits and protocols. No PyTorch here: commands list it."""

from __future__ import annotations

from dataclasses import dataclass

# Protocol -> how a report tells it. `train probe` has those on a frozen encoder, without training.
PROTOCOLS = {
    "fixed": "logistic regression (C = 1) on the frozen encoder's standardised features",
    "linear": "logistic regression on the frozen encoder's standardised features, C chosen on held-out subjects",
    "knn": "{k} nearest neighbours by cosine among the frozen encoder's features",
    "finetune": "the whole encoder trained on with all training labels",
    "semi": "the whole encoder trained on with {share:.0%} of each class's training labels",
    "one-class": "ROC-AUC of the distance (Mahalanobis) from normal training clips, {normal}",
    "classifier": "the model's own classifier, as it is",
}
# What data sets of drivers have beside them: nothing is learnt from the data set.
WITHOUT_LABELS = {
    "zero-shot": "the model's own classifier, as it is, on drivers it never learnt from",
    "words": "the nearest of the classes' descriptions in words, by cosine; no label is used",
}
LINEAR = ("fixed", "linear")
FROZEN = ("fixed", "linear", "knn", "one-class")


@dataclass(frozen=True)
class DataSetProtocols:
    """title: how the source of its archive begins. splits: what --split may be. protocols: names in PROTOCOLS. normal:
    what counts as normal in one-class."""

    title: str
    splits: tuple[str, ...]
    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    normal: str = "each class in turn"


_OF_PICTURES = ("fixed", "linear", "knn", "finetune", "semi", *WITHOUT_LABELS)
DATA_SETS = {
    "ntu60": DataSetProtocols("NTU RGB+D 60", ("xsub", "xview")),
    "ntu120": DataSetProtocols("NTU RGB+D 120", ("xsub", "xset")),
    "pku-mmd": DataSetProtocols("PKU-MMD", ("xsub", "xview")),
    "nw-ucla": DataSetProtocols("Northwestern-UCLA", ("xview",)),
    "utd-mhad": DataSetProtocols("UTD-MHAD", ("xsub",)),
    "drive-act": DataSetProtocols("Drive&Act", ("0", "1", "2"), ("classifier",)),
    "sktdd": DataSetProtocols(
        "sktDD",
        (),  # folds by driver
        tuple(name for name in PROTOCOLS if name != "semi"),
        "the training drivers' normal driving, of each camera; no label is used",
    ),
    "statefarm": DataSetProtocols("State Farm", (), _OF_PICTURES),  # folds by driver
    "auc": DataSetProtocols("AUC Distracted Driver", (), _OF_PICTURES),
}
BENCHMARKS = ("ntu60", "ntu120", "pku-mmd", "nw-ucla", "utd-mhad")
