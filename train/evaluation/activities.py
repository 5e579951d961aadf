"""What a model says of labelled recordings: which activity, whether distracted, and how often it may judge at all.

A window is judged where the vehicle would judge it: where an elbow or a wrist was seen for long enough. Each window
stands for itself, without the filter of the alert policy. Distraction is the sum of all classes but attentive driving.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.monitoring.self_calibration import level, level_offset
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25, Array
from edge_c2vl.skeletons.windows import clip_of, windows_of
from edge_c2vl.utils.progress import track
from edge_c2vl.utils.scores import softmax
from train.data.targets import exchanged
from train.environment import describe_environment
from train.evaluation.models import Model
from train.evaluation.predictions import BATCH
from train.evaluation.report import Report, Table, Text, percent
from train.metrics import Floats, Ints, confusion, roc_auc

ATTENTIVE = "attentive"


@dataclass(frozen=True)
class JudgedWindows:
    """Windows (N): label (of `labels`), subject, judged; logits (N, K) of the model's classes; distraction (N,), the
    log-odds of anything but attentive driving."""

    labels: list[str]
    label: Ints
    subject: NDArray[np.str_]
    judged: NDArray[np.bool_]
    logits: Array
    distraction: Floats

    def told(self, model_labels: list[str]) -> Array:
        """Scores (N, K) whose largest is what the vehicle tells (edge_c2vl.monitoring.policy): of a window taken for
        distraction the most probable of what distracts, also where no single activity is as probable as attentive
        driving; of any other, attentive driving."""
        scores = self.logits.copy()
        scores[:, model_labels.index(ATTENTIVE)] = np.where(self.distraction > 0, -np.inf, np.inf)
        return scores

    def chosen(self, name: str) -> NDArray[np.bool_]:
        return self.judged & (self.label == self.labels.index(name))

    @property
    def others(self) -> list[str]:
        return [name for name in self.labels if name != ATTENTIVE and (self.label == self.labels.index(name)).any()]


def half_of(archive: Archive, which: str) -> Ints:
    """The recordings of the 1st, 3rd, 5th ... subject in the order of their names ("odd"), of the others ("even"), or
    all of them. Raises UsageError where there is nobody in that half."""
    subjects = archive.clips["subject"].to_numpy().astype(str)
    names = sorted(set(subjects))
    chosen = {"odd": names[::2], "even": names[1::2], "all": names}[which]
    if not chosen:
        raise UsageError(f"--half {which}: {archive.path} has {len(names)} subject(s), and none is in that half")
    return np.flatnonzero(np.isin(subjects, chosen))


def judge(
    archive: Archive,
    model: Model,
    rows: Ints,
    hop_s: float,
    offsets: Mapping[str, float] | None = None,
    mirrored: bool = False,
) -> JudgedWindows:
    """offsets: added to these labels' logits before distraction is judged, as by `edge-c2vl export --offset`; which
    distraction it is, is judged without. mirrored: the skeletons' mirror images, as of a right-hand-drive vehicle; what
    is done with the left hand is then done with the right one. Raises UsageError where the archive or the model knows
    no attentive driving."""
    for what, labels in ((str(archive.path), archive.labels), (model.name, model.labels)):
        if ATTENTIVE not in labels:
            raise UsageError(f"{what} has no label {ATTENTIVE!r}: there are {', '.join(labels)}")
    windows = windows_of(archive, rows, model.spec.seconds, hop_s, labelled=True)
    arms, logits = np.zeros(len(windows)), np.zeros((len(windows), len(model.labels)), np.float32)
    for first in track(range(0, len(windows), BATCH), "windows"):
        part = windows[first : first + BATCH]
        clips = [
            clip_of(archive, int(row), float(start), float(end), model.spec)
            for row, start, end in zip(part.clip, part.start_s, part.end_s, strict=True)
        ]
        arms[first : first + BATCH] = [clip.arms for clip in clips]
        shown = np.stack([clip.data for clip in clips])
        if mirrored:
            shown = shown[..., list(NTU25.mirror)] * np.array([-1, 1, 1], np.float32)[:, None, None]
        logits[first : first + BATCH] = model.logits(shown)
        archive.release()
    subject = archive.clips["subject"].to_numpy().astype(str)[windows.clip]
    moved = logits.astype(np.float64) + np.array([(offsets or {}).get(label, 0.0) for label in model.labels])
    attentive = softmax(moved)[:, model.labels.index(ATTENTIVE)]
    attentive = np.clip(attentive, 1e-6, 1 - 1e-6)
    odds = np.log((1 - attentive) / attentive)
    labels = [exchanged(label) for label in archive.labels] if mirrored else archive.labels
    return JudgedWindows(labels, windows.label, subject, arms >= model.spec.min_arms, logits, odds)


def attentive_odds(judged: JudgedWindows) -> float | None:
    """The log-odds of distraction that attentive driving usually has: the median over drivers, of what the vehicle's
    self-calibration learns of each. None where it learns of none."""
    calm = judged.chosen(ATTENTIVE)
    levels = [level(judged.distraction[calm & (judged.subject == driver)]) for driver in np.unique(judged.subject)]
    known = [found for found in levels if not np.isnan(found)]
    return float(np.median(known)) if known else None


def own_baseline(judged: JudgedWindows, usual: float | None = None) -> JudgedWindows:
    """Each driver's offset taken off, as the vehicle's self-calibration learns it, on the first half of the driver's
    attentive windows. That half is judged no longer. usual: see SelfCalibration."""
    odds, keep = judged.distraction.copy(), judged.judged.copy()
    calm = judged.chosen(ATTENTIVE)
    for driver in np.unique(judged.subject):
        own = np.flatnonzero(calm & (judged.subject == driver))
        first = own[: len(own) // 2]
        odds[judged.subject == driver] -= level_offset(odds[first], usual)
        keep[first] = False
    return JudgedWindows(judged.labels, judged.label, judged.subject, keep, judged.logits, odds)


def figures(judged: JudgedWindows, model_labels: list[str]) -> dict[str, Any]:
    """The values of the report."""
    calm = judged.chosen(ATTENTIVE)

    def auc(chosen: NDArray[np.bool_], within: NDArray[np.bool_]) -> float | None:
        quiet, loud = calm & within, chosen & within
        if not quiet.any() or not loud.any():
            return None
        both = quiet | loud
        return round(roc_auc(judged.distraction[both], loud[both]), 4)

    everyone = np.ones(len(judged.label), bool)
    active = judged.judged & ~calm & (judged.label >= 0)
    values: dict[str, Any] = {"windows": len(judged.label), "judged": int(judged.judged.sum()), "labels": {}}
    answers = judged.told(model_labels).argmax(axis=1)
    values["auc"] = auc(active, everyone)
    values["attentive_odds"] = attentive_odds(judged)
    for name in (ATTENTIVE, *judged.others):
        chosen = judged.chosen(name)
        called = np.bincount(answers[chosen], minlength=len(model_labels))
        values["labels"][name] = {
            "windows": int((judged.label == judged.labels.index(name)).sum()),
            "judged": int(chosen.sum()),
            "called distracted": share(judged.distraction[chosen] > 0),
            "auc": None if name == ATTENTIVE else auc(chosen, everyone),
            "called": {model_labels[k]: int(called[k]) for k in np.argsort(-called)[:3] if called[k]},
        }
    values["subjects"] = {
        driver: {
            "attentive called distracted": share(judged.distraction[calm & (judged.subject == driver)] > 0),
            "auc": auc(active, judged.subject == driver),
        }
        for driver in sorted(set(judged.subject))
    }
    known = [name for name in (ATTENTIVE, *judged.others) if name in model_labels]
    if len(known) > 2:
        values["activities"] = activities(judged, model_labels, known)
    return values


def activities(judged: JudgedWindows, model_labels: list[str], known: list[str]) -> dict[str, Any]:
    """What is told among these labels alone, which both sides know: recall of each, their mean, and the confusion."""
    columns = [model_labels.index(name) for name in known]
    place = np.array([known.index(name) if name in known else -1 for name in judged.labels])
    chosen = judged.judged & (judged.label >= 0) & (place[judged.label] >= 0)
    truth, answer = place[judged.label[chosen]], judged.told(model_labels)[chosen][:, columns].argmax(axis=1)
    matrix = confusion(truth, answer, len(known))
    recall = np.diag(matrix) / np.maximum(matrix.sum(axis=1), 1)
    return {
        "labels": known,
        "balanced": round(float(recall.mean()), 4),
        "top1": round(float((truth == answer).mean()), 4),
        "recall": {name: round(float(value), 4) for name, value in zip(known, recall, strict=True)},
        "confusion": matrix.tolist(),
    }


def share(values: NDArray[np.bool_]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def evaluate(
    archive: Archive,
    model: Model,
    half: str,
    hop_s: float,
    offsets: Mapping[str, float] | None = None,
    mirrored: bool = False,
) -> Report:
    """The report, of the windows of all subjects or of half of them; without and with each driver's own baseline."""
    found = judge(archive, model, half_of(archive, half), hop_s, offsets, mirrored)
    both = {
        "as it is": figures(found, model.labels),
        "with each driver's own baseline": figures(own_baseline(found), model.labels),
        "the same, the usual level known": figures(own_baseline(found, attentive_odds(found)), model.labels),
    }
    values = {
        "data": archive.meta["source"],
        "half": half,
        "mirrored": mirrored,
        "model": model.name,
        "offsets": dict(offsets or {}),
        "environment": describe_environment(),
    }
    drivers = len(both["as it is"]["subjects"])
    usual = both["as it is"]["attentive_odds"]
    odds = "" if usual is None else f" Log-odds of distraction of attentive driving (--attentive-odds): {usual:.2f}."
    said = Text(
        f"{model.description}. {len(found.label)} windows of {drivers} drivers; half: {half}"
        f"{'; mirrored' if mirrored else ''}.{odds}"
    )
    tables = [table for title, of_it in both.items() for table in _tables(title, of_it)]
    return Report(f"Activities: {archive.meta['source']}", values | both, [said, *tables])


def _tables(title: str, values: dict[str, Any]) -> list[Table]:
    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    rows = [
        [
            name,
            str(row["windows"]),
            str(row["judged"]),
            percent(row["called distracted"], 1),
            number(row["auc"]),
            ", ".join(f"{label} {count}" for label, count in row["called"].items()),
        ]
        for name, row in values["labels"].items()
    ]
    header = ["label", "windows", "judged", "called distracted, %", "ROC-AUC against attentive", "called most"]
    tables = [Table(f"{title}: ROC-AUC of distraction {number(values['auc'])}", header, rows)]
    drivers = [
        [name, percent(row["attentive called distracted"], 1), number(row["auc"])]
        for name, row in values["subjects"].items()
    ]
    tables.append(Table(f"{title}: each driver", ["driver", "attentive called distracted, %", "ROC-AUC"], drivers))
    if "activities" in values and title == "as it is":
        found = values["activities"]
        recalls = [[name, percent(value, 1)] for name, value in found["recall"].items()]
        tables.append(
            Table(
                f"{len(recalls)} activities: balanced accuracy {percent(found['balanced'])}, top-1 "
                f"{percent(found['top1'])}",
                ["activity", "recall, %"],
                recalls,
            )
        )
    return tables
