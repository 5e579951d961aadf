"""The skeleton benchmarks by the protocols of the self-supervised literature, on their official splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.splits import Split
from edge_c2vl.skeletons.windows import whole_clips
from edge_c2vl.utils.scores import softmax
from train.environment import describe_environment
from train.evaluation.asked import HOLD_OUT, IN_WORDS, Asked
from train.evaluation.classified import Classified, Scored
from train.evaluation.models import CheckpointModel, Model, matching
from train.evaluation.predictions import first_of_samples, mean_of_samples, samples_of, through
from train.evaluation.published import Row, published_table, rows_for
from train.evaluation.report import Report, Table, Text, percent
from train.evaluation.trained import trained
from train.metrics import mean_and_spread
from train.settings.protocols import DATA_SETS, LINEAR, PROTOCOLS

Ints = NDArray[np.int64]

_IN_WORDS = "the nearest of {labels} labels in words, by cosine; no label is used; chance {chance:.1%}"


@dataclass(frozen=True)
class Samples:
    """The samples of a split: `rows` (N,) of the archive, training ones first; `sample` (N,), which sample each row is
    of; then, parallel to the samples (S,): label, subject, and whether it is a test sample."""

    rows: Ints
    sample: Ints
    label: Ints
    subject: NDArray[Any]
    test: NDArray[np.bool_]

    @classmethod
    def of(cls, archive: Archive, split: str) -> Samples:
        """Raises UsageError where the archive lacks the split, DatasetError where it lacks one of its parts."""
        chosen = Split.of(archive, split, needed=())
        part, rows = chosen.part, np.concatenate([chosen.rows("train", "val"), chosen.rows("test")])
        sample = samples_of(archive, rows)
        first = np.unique(sample, return_index=True)[1]
        label = first_of_samples(archive.clips["label"].to_numpy(np.int64)[rows], sample)
        test = part[rows][first] == "test"
        if not test.any() or test.all() or (label < 0).any():
            raise DatasetError(f"{archive.path}: {split} needs labelled clips in train and in test")
        return cls(rows, sample, label, archive.clips["subject"].to_numpy().astype(str)[rows][first], test)

    @property
    def train(self) -> NDArray[np.bool_]:
        return ~self.test

    def values(self, function: Any, archive: Archive, model: Model, words: str) -> NDArray[np.float32]:
        """What a function of clips gives for each sample (S, D): the mean over the people in it."""
        windows = whole_clips(archive, self.rows)
        return mean_of_samples(through(function, archive, windows, model.spec, words), self.sample)


def evaluate(archive: Archive, dataset: str, split: str, seeds: Sequence[Sequence[Model]], asked: Asked) -> Report:
    """The report. seeds: the models of each seed: one, or one of each stream for fusion (linear probes only).

    Raises UsageError where the archive holds another of the data sets, beside whose figures it would be put.
    """
    source = archive.meta["source"]
    held = next((name for name, known in DATA_SETS.items() if source.startswith(known.title)), dataset)
    if held != dataset:
        raise UsageError(f"{archive.path} holds {source}: that is eval {held}, not {dataset}")
    if any(len(streams) > 1 for streams in seeds) and asked.protocol not in LINEAR:
        raise UsageError("several --checkpoint are the streams of a fusion, which --protocol fixed and linear have")
    samples = Samples.of(archive, split)
    names = [", ".join(model.description for model in streams) for streams in seeds]
    keys = ["test"] if len(seeds) == 1 else [f"seed {index}" for index in range(len(seeds))]
    classes = classes_of(archive, asked)
    words = (_IN_WORDS if asked.protocol == IN_WORDS else PROTOCOLS[asked.protocol]).format(
        k=asked.k,
        share=asked.share,
        labels=len(classes),
        chance=1 / len(classes),
        normal=DATA_SETS[dataset].normal,
    )
    published = rows_for(dataset, split) if asked.protocol != IN_WORDS else []
    values: dict[str, Any] = {
        "dataset": dataset,
        "data": archive.meta["source"],
        "split": split,
        "protocol": asked.protocol,
        "how": words,
        "models": dict(zip(keys, names, strict=True)),
        "published": [row.to_json() for row in published],
        "environment": describe_environment(),
    }
    report = Report(f"{dataset}, {split}, {asked.protocol}", values)
    report.parts.append(Text(f"{archive.meta['source']}. Protocol: {words}."))
    report.parts.append(Table("Models", ("", "model"), list(map(list, zip(keys, names, strict=True))), words=2))
    if asked.protocol == "one-class":
        _one_class(report, archive, samples, [streams[0] for streams in seeds], keys)
    else:
        sets = {key: _scored(archive, samples, split, streams, asked) for key, streams in zip(keys, seeds, strict=True)}
        _classified(report, classes, split, sets, asked, published)
    if asked.protocol == IN_WORDS:
        values["chance"] = 1 / len(classes)
    return report


def classes_of(archive: Archive, asked: Asked) -> list[str]:
    """The classes that are judged."""
    unknown = [name for name in (*asked.among, *(asked.words or {})) if name not in archive.labels]
    if unknown:
        raise UsageError(f"{archive.path} has no class {unknown[0]!r}: there are {', '.join(archive.labels)}")
    classes = [name for name in archive.labels if not asked.among or name in asked.among]
    if asked.protocol == IN_WORDS and len(classes) < 2:
        raise UsageError("--among needs two classes or more: one is always the nearest")
    return classes


def _classified(
    report: Report, classes: list[str], split: str, sets: dict[str, Scored], asked: Asked, published: list[Row]
) -> None:
    judged = Classified(split, classes, sets, pooled=False, probabilistic=asked.protocol != "knn")
    report.values |= judged.to_json()
    report.values["accuracy"] = {f"{report.title}; {report.values['how']}": judged.accuracy()}
    parts, report.files = judged.parts()
    report.parts += parts[:1] + ([published_table(published)] if published else []) + parts[1:]


def _scored(archive: Archive, samples: Samples, split: str, streams: Sequence[Model], asked: Asked) -> Scored:
    """The test samples' probabilities by the protocol."""
    classes, test, train = len(archive.labels), samples.test, samples.train
    labels = samples.label
    if asked.protocol in ("finetune", "semi"):
        share = asked.share if asked.protocol == "semi" else 1.0
        run = f"{split}-{asked.protocol}-{share:g}"
        streams = [trained(archive, streams[0], asked, run, split=split, share=share)]
    if asked.protocol in ("finetune", "semi", "classifier"):
        model = streams[0]
        place = matching(model, archive.labels)
        unknown = [name for name, index in zip(archive.labels, place, strict=True) if index < 0]
        if unknown:
            raise UsageError(f"{model.name} does not know {unknown[0]!r}: choose --protocol fixed, knn or finetune")
        found = samples.values(lambda clips: softmax(model.logits(clips).astype(np.float64)), archive, model, "clips")
        own = found[test][:, place].astype(np.float64)
        return Scored(labels[test], own / own.sum(axis=1, keepdims=True))
    if asked.protocol == IN_WORDS:
        return in_words(archive, samples, streams[0], asked)
    features = {_stream(model): samples.values(model.features, archive, model, "features") for model in streams}
    if len(features) < len(streams):
        raise UsageError("two models see the same stream: fusion takes one model a stream")
    if asked.protocol == "knn":
        from train.evaluation.judges import knn_predict

        (values,) = features.values()
        answered = knn_predict(values[train], labels[train], values[test], asked.k)
        return Scored(labels[test], np.eye(classes)[answered])
    return Scored(labels[test], _linear(features, samples, classes, asked.protocol == "linear"))


def in_words(archive: Archive, samples: Samples, model: Model, asked: Asked) -> Scored:
    """Samples of the chosen classes by nearest label in words; where one shows two people, the mean of both."""
    from train.knowledge.labels import make_words
    from train.knowledge.language import open_listener

    classes = classes_of(archive, asked)
    missing = [name for name in classes if asked.words is not None and name not in asked.words]
    if missing:
        raise UsageError(f"the file of descriptions does not describe {missing[0]!r}")
    words = make_words(
        open_listener(model.language()), {name: (asked.words or {}).get(name, ()) for name in classes}, []
    )
    place = np.array([classes.index(name) if name in classes else -1 for name in archive.labels])
    label = place[samples.label]
    judged = samples.test & (label >= 0)
    if not judged.any():
        raise DatasetError(f"{archive.path}: none of {', '.join(classes)} is in test")
    rows = judged[samples.sample]
    windows, sample = whole_clips(archive, samples.rows[rows]), np.unique(samples.sample[rows], return_inverse=True)[1]
    scores = through(lambda clips: words.scores(model.embeddings(clips)), archive, windows, model.spec, "clips")
    return Scored(
        label[judged], mean_of_samples(softmax(scores.astype(np.float64)).astype(np.float32), sample).astype(np.float64)
    )


def _stream(model: Model) -> str:
    return model.encoder.settings.stream if isinstance(model, CheckpointModel) else "joint"


def _linear(
    features: dict[str, NDArray[np.float32]], samples: Samples, classes: int, chosen: bool
) -> NDArray[np.float64]:
    from train.data.splits import hold_out
    from train.evaluation.judges import linear

    train, test = np.flatnonzero(samples.train), np.flatnonzero(samples.test)
    validation = train[hold_out(samples.subject[train], HOLD_OUT)[1]] if chosen else None
    return softmax(linear(features, samples.label, train, test, classes, validation)[0])


def _one_class(report: Report, archive: Archive, samples: Samples, models: Sequence[Model], keys: list[str]) -> None:
    from train.evaluation.judges import one_class_scores
    from train.metrics import roc_auc

    aucs: dict[str, dict[str, float | None]] = {}
    for key, model in zip(keys, models, strict=True):
        values = samples.values(model.features, archive, model, "features")
        aucs[key] = {}
        for label, name in enumerate(archive.labels):
            normal = values[samples.train & (samples.label == label)]
            strange = samples.label[samples.test] != label
            # A class without training or without test clips has no figure.
            known = len(normal) >= 2 and strange.any() and not strange.all()
            aucs[key][name] = roc_auc(one_class_scores(normal, values[samples.test]), strange) if known else None
        if all(auc is None for auc in aucs[key].values()):
            raise DatasetError(f"{archive.path}: one-class needs test clips of two classes or more")
    means = {key: float(np.mean([auc for auc in row.values() if auc is not None])) for key, row in aucs.items()}
    mean, spread = mean_and_spread(list(means.values()))
    report.values |= {"auc": aucs, "auc_of_models": means, "mean": {"auc": mean}, "spread": {"auc": spread}}
    rows = [[name, *(percent(aucs[key][name]) for key in keys)] for name in archive.labels]
    header = ("ROC-AUC, per cent", *keys)
    report.parts.append(Table("Mean over the classes", header, [["mean", *(percent(means[key]) for key in keys)]]))
    report.parts.append(Table("one-class: each class", header, rows))
