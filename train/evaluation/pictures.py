"""State Farm and AUC: ten activities in pictures of drivers, judged on drivers who are new to what judges them.

Trained protocols go by folds of drivers: each driver is judged once, by a probe or a model that saw none of the fold's
drivers; a seed's figures are of all folds together. `zero-shot` and `words` learn nothing here, and look at half of the
drivers, so that the other half stays unseen while something is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.splits import subject_folds
from edge_c2vl.skeletons.windows import whole_clips
from edge_c2vl.utils.progress import track
from edge_c2vl.utils.scores import softmax
from train.data.clips import ClipStore
from train.data.splits import hold_out
from train.environment import describe_environment
from train.evaluation import activities
from train.evaluation.asked import HOLD_OUT, IN_WORDS, Asked
from train.evaluation.benchmark import Samples, classes_of, in_words
from train.evaluation.classified import Classified, Scored
from train.evaluation.judges import knn_shares, linear
from train.evaluation.models import Model
from train.evaluation.predictions import of_store
from train.evaluation.report import Report, Table, Text, percent
from train.evaluation.trained import trained
from train.metrics import mean_and_spread
from train.settings.protocols import DATA_SETS, PROTOCOLS, WITHOUT_LABELS

# The seconds between windows that "zero-shot" judges; a picture is held for hardly longer than one.
HOP_S = 0.5


def evaluate(
    archive: Archive, dataset: str, models: Sequence[Model], asked: Asked, folds: int = 5, half: str = "odd"
) -> Report:
    """The report. models: one of each seed. half: the drivers of zero-shot and words, "odd", "even" or "all".

    Raises UsageError where the archive is another data set's, or names no drivers.
    """
    if not archive.meta["source"].startswith(DATA_SETS[dataset].title):
        raise UsageError(f"{archive.path} holds {archive.meta['source']}: make it with edge-c2vl prepare {dataset}")
    if asked.protocol == "zero-shot":
        if len(models) > 1:
            raise UsageError("--protocol zero-shot judges one model: name a run or a bundle")
        return activities.evaluate(archive, models[0], half, HOP_S)
    subject = archive.clips["subject"].to_numpy().astype(str)
    keys = ["test"] if len(models) == 1 else [f"seed {index}" for index in range(len(models))]
    if asked.protocol == IN_WORDS:
        rows = activities.half_of(archive, half)
        samples = Samples(
            rows,
            np.arange(len(rows)),
            archive.clips["label"].to_numpy(np.int64)[rows],
            subject[rows],
            np.ones(len(rows), bool),
        )
        sets = {key: in_words(archive, samples, model, asked) for key, model in zip(keys, models, strict=True)}
        kept = np.isin(samples.label, [archive.labels.index(name) for name in classes_of(archive, asked)])
        drivers, how = subject[rows][kept], f"{WITHOUT_LABELS[IN_WORDS]}; half: {half}"
    else:
        parts = subject_folds(subject, folds)
        drivers = subject[np.isin(subject, np.concatenate(parts))]
        sets = {
            key: _in_folds(archive, parts, model, _seeded(asked, number))
            for number, (key, model) in enumerate(zip(keys, models, strict=True))
        }
        how = PROTOCOLS[asked.protocol].format(k=asked.k, share=asked.share, normal="") + f"; {folds} folds by driver"
    return _report(archive, dataset, asked, how, dict(zip(keys, models, strict=True)), sets, drivers)


def _seeded(asked: Asked, number: int) -> Asked:
    """Each seed of a model is trained on with a seed of its own, which also draws the few labels of semi."""
    if not asked.training:
        return asked
    augment, data, loop = asked.training
    return replace(asked, training=(augment, data, replace(loop, seed=loop.seed + number)))


def _in_folds(archive: Archive, parts: list[list[str]], model: Model, asked: Asked) -> Scored:
    """Every driver's pictures, by what learnt from the other folds'."""
    subject, label = (archive.clips[name].to_numpy() for name in ("subject", "label"))
    subject, label = subject.astype(str), label.astype(np.int64)
    store = pictures_of(archive, model.spec)
    classes = len(archive.labels)
    found = np.full((len(archive), classes), np.nan)
    values = None if asked.protocol in ("finetune", "semi") else of_store(model.features, store, np.arange(len(store)))
    for number, drivers in enumerate(track(parts, "folds")):
        theirs = np.isin(subject, drivers)
        test, train = np.flatnonzero(theirs), np.flatnonzero(~theirs & (subject != "") & (store.confidence > 0))
        if values is None:
            share = asked.share if asked.protocol == "semi" else 1.0
            run = f"fold{number}of{len(parts)}-{share:g}-seed{asked.training[2].seed}"
            rows = {"train": train}
            made = trained(archive, model, asked, run, rows, share=share, seconds=0.0)
            found[test] = softmax(of_store(made.logits, store, test).astype(np.float64))
        elif asked.protocol == "knn":
            found[test] = knn_shares(values[train], label[train], values[test], classes, asked.k)
        else:
            chosen = train[hold_out(subject[train], HOLD_OUT)[1]] if asked.protocol == "linear" else None
            found[test] = softmax(linear({"joint": values}, label, train, test, classes, chosen)[0])
    judged = np.isfinite(found[:, 0])
    return Scored(label[judged], found[judged])


def pictures_of(archive: Archive, spec: ClipSpec) -> ClipStore:
    """Each picture as one clip."""
    return ClipStore.open(archive, whole_clips(archive), spec)


def _report(
    archive: Archive,
    dataset: str,
    asked: Asked,
    how: str,
    models: dict[str, Model],
    sets: dict[str, Scored],
    drivers: NDArray[np.str_],
) -> Report:
    classes = classes_of(archive, asked) if asked.protocol == IN_WORDS else archive.labels
    probabilistic = asked.protocol != "knn"
    judged = Classified(asked.protocol, classes, sets, pooled=False, probabilistic=probabilistic)
    of_drivers = {name: _of_driver(name, sets, drivers) for name in sorted(set(drivers))}
    values: dict[str, Any] = {
        "dataset": dataset,
        "data": archive.meta["source"],
        "protocol": asked.protocol,
        "how": how,
        "models": {key: model.description for key, model in models.items()},
        **judged.to_json(),
        "drivers": of_drivers,
        "worst driver": min(of_drivers, key=lambda name: of_drivers[name]),
        "environment": describe_environment(),
    }
    parts, files = judged.parts()
    report = Report(f"{dataset}, {asked.protocol}", values, files=files)
    report.parts += [
        Text(f"{archive.meta['source']}. Protocol: {how}. Nothing that is trained here may be shipped."),
        Table("Models", ("", "model"), [[key, model.description] for key, model in models.items()], words=2),
        *parts,
        Table(
            "Each driver: share of pictures named rightly, mean over the seeds",
            ("driver", "pictures", "per cent"),
            [[name, str(int((drivers == name).sum())), percent(share, 1)] for name, share in of_drivers.items()],
        ),
    ]
    return report


def _of_driver(name: str, sets: dict[str, Scored], drivers: NDArray[np.str_]) -> float:
    theirs = drivers == name
    right = [float((scored.predicted == scored.labels)[theirs].mean()) for scored in sets.values()]
    return round(mean_and_spread(right)[0], 4)
