"""Judging a distraction model on drivers it never saw: folds by driver, figures of each view and of views together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.windows import Windows
from train.metrics import mean_and_spread, roc_auc, score


@dataclass(frozen=True)
class Scenes:
    """Where windows come from, parallel to them (N,): driver, camera, and a key that the views of one moment share."""

    driver: NDArray[Any]
    camera: NDArray[Any]
    moment: NDArray[Any]

    def __getitem__(self, chosen: Any) -> Scenes:
        return Scenes(self.driver[chosen], self.camera[chosen], self.moment[chosen])

    @classmethod
    def of(cls, archive: Archive, windows: Windows) -> Scenes:
        clips = archive.clips
        group = clips["group"].to_numpy()[windows.clip]
        moment = np.array([f"{name}@{end:.2f}" for name, end in zip(group, windows.end_s, strict=True)])
        return cls(clips["subject"].to_numpy()[windows.clip], clips["camera"].to_numpy()[windows.clip], moment)


def own_mean(values: NDArray[Any], scenes: Scenes, normal: NDArray[np.bool_]) -> NDArray[Any]:
    """(N, F): for each row the mean over the `normal` rows (N,) of its driver as its camera sees them; NaN is left out,
    and is the mean of what is never known."""
    result = np.full(values.shape, np.nan, values.dtype)
    for driver in np.unique(scenes.driver):
        for camera in np.unique(scenes.camera):
            theirs = (scenes.driver == driver) & (scenes.camera == camera)
            known = values[theirs & normal]
            count = np.isfinite(known).sum(axis=0)
            with np.errstate(invalid="ignore", divide="ignore"):
                result[theirs] = np.nansum(known, axis=0) / count
    return result


def frame_level(archive: Archive, windows: Windows, scores: ArrayLike) -> tuple[NDArray[Any], NDArray[Any], Scenes]:
    """Labels and scores of single frames, and their scenes: what `figures` takes. Recordings none of whose windows has
    a score (NaN), and frames without a label, are left out.

    windows, scores: (N,). A frame gets the score of the window that it is in the middle of, interpolated between the
    two nearest.
    """
    scores = np.asarray(scores, np.float64)
    found: list[tuple[Any, ...]] = []
    for row in np.unique(windows.clip[np.isfinite(scores)]):
        at = np.flatnonzero((windows.clip == row) & np.isfinite(scores))
        labels, stamps = archive.frame_labels(row), archive.timestamps(row)
        if labels is None:
            continue
        middle = (windows.start_s[at] + windows.end_s[at]) / 2
        of_frames = np.interp(stamps, middle, scores[at])
        about = archive.clips.loc[row]
        found += [
            (label, score, about["subject"], about["camera"], f"{about['group']}@{frame}")
            for frame, (label, score) in enumerate(zip(labels, of_frames, strict=True))
            if label >= 0
        ]
    columns = [np.array(column) for column in zip(*found, strict=True)]
    return columns[0], columns[1], Scenes(*columns[2:])


def figures(
    labels: ArrayLike, scores: ArrayLike, scenes: Scenes, threshold: float = 0.5, whole: bool = True
) -> dict[str, Any]:
    """ROC-AUC and balanced accuracy at `threshold`: of each camera, of all windows pooled, and of moments.

    labels: 0 or 1 (N,); scores: probability of 1 (N,). A moment's score is the mean over its views, and its label that
    of most of them; with whole=True only moments with a window from every camera count. Beside each figure over all
    test drivers together stand mean and sample standard deviation over the drivers ("drivers", "spread"): what a driver
    can expect, and how much that varies.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    cameras = sorted(set(scenes.camera))
    result = {
        camera: _figures(labels[at], scores[at], scenes.driver[at], threshold)
        for camera in cameras
        for at in [scenes.camera == camera]
    }
    result["pooled"] = _figures(labels, scores, scenes.driver, threshold)
    _, first, moment, views = np.unique(scenes.moment, return_index=True, return_inverse=True, return_counts=True)
    kept = views == len(cameras) if whole else views > 0
    mean_score = np.bincount(moment, scores) / views
    mean_label = np.bincount(moment, labels) / views > 0.5
    result["views_together"] = _figures(
        mean_label[kept].astype(int), mean_score[kept], scenes.driver[first][kept], threshold
    )
    return result


def _figures(labels: NDArray[Any], scores: NDArray[Any], drivers: NDArray[Any], threshold: float) -> dict[str, Any]:
    if len(set(labels.tolist())) < 2:
        return {"windows": len(labels)}
    answers = (scores >= threshold).astype(np.int64)
    each = [
        (roc_auc(scores[at], labels[at] == 1), score(answers[at], labels[at]).balanced)
        for at in (drivers == driver for driver in sorted(set(drivers)))
        if len(set(labels[at].tolist())) == 2
    ]
    auc, auc_spread = mean_and_spread([row[0] for row in each])
    balanced, balanced_spread = mean_and_spread([row[1] for row in each])
    values: dict[str, float | None] = {
        "auc": roc_auc(scores, labels == 1),
        "auc_drivers": auc,
        "auc_spread": auc_spread,
        "auc_worst": min(row[0] for row in each),
        "balanced": score(answers, labels).balanced,
        "balanced_drivers": balanced,
        "balanced_spread": balanced_spread,
    }
    rounded = {name: None if value is None else round(float(value), 4) for name, value in values.items()}
    return rounded | {"windows": len(labels)}


def mean_figures(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each figure over several `figures` of the same windows, such as those of seeds."""

    def mean(name: str, key: str) -> float | None:
        values = [result[name][key] for result in results]
        if key == "windows" or None in values:
            return values[0]
        return round(float(np.mean(values)), 4)

    return {name: {key: mean(name, key) for key in row} for name, row in results[0].items()}


def table(result: dict[str, Any]) -> str:
    """The figures as lines of a Markdown table."""
    lines = [
        "| view | ROC-AUC | a driver, mean ± sd (worst) | balanced accuracy | a driver, mean ± sd | windows |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in result.items():
        if "auc" not in row:
            lines.append(f"| {name} | only one class | | | | {row['windows']} |")
            continue
        shown = {key: "–" if value is None else f"{value:.3f}" for key, value in row.items()}
        over_drivers = f"{shown['auc_drivers']} ± {shown['auc_spread']} ({shown['auc_worst']})"
        balanced = f"{shown['balanced_drivers']} ± {shown['balanced_spread']}"
        columns = (name, shown["auc"], over_drivers, shown["balanced"], balanced, str(row["windows"]))
        lines.append("| " + " | ".join(columns) + " |")
    return "\n".join(lines)
