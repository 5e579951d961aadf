"""Every picture that the project draws of figures and skeletons, for screen and print.

Colours are Okabe and Ito's, in an order in which neighbours also differ in brightness, and lines and bars differ by
stroke and hatching too, so that a copy without colour tells as much. Each function returns a figure; `save` writes it
as PNG, PDF or SVG, by the file's suffix, and `png` as bytes. matplotlib is imported when a picture is drawn: it is no
part of what runs in the vehicle.
"""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.skeleton import NTU25, Array
from edge_c2vl.utils.atomic import whole_file
from edge_c2vl.utils.cache import default_cache

Figure = Any  # matplotlib.figure.Figure
Span = tuple[float, float]

COLOURS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#F0E442")
STROKES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 3)), (0, (3, 1)))
MARKERS = "osD^vP*X<>"
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "oooo", "----")
SIDES = {"left": COLOURS[0], "right": COLOURS[1], "middle": COLOURS[2]}
DPI = 160
# Beyond so many classes names and numbers would not be legible.
MAX_NAMED = 60
MAX_NUMBERED = 15


def save(figure: Figure, path: Path) -> None:
    """Writes it whole or not at all. Raises UsageError where the suffix names no such format, or the folder fails."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in ("png", "pdf", "svg"):
        raise UsageError(f"no picture could be written to {path}: its name has to end in .png, .pdf or .svg")
    try:
        with whole_file(path) as part:
            # Drawn in memory: on a full disk Matplotlib's PDF writer fails with an error of its own.
            part.write_bytes(_drawn(figure, kind))
    except OSError as error:
        raise UsageError(f"no picture could be written to {path}: {error.strerror}") from None


def png(figure: Figure) -> bytes:
    return _drawn(figure, "png")


def _drawn(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, format=kind, metadata=_same_each_time(kind))
    return buffer.getvalue()


def _same_each_time(kind: str) -> dict[str, None]:
    """No version and no date inside, so that equal figures are equal files."""
    return {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]


def confusion(matrix: NDArray[np.int64], names: Sequence[str], title: str) -> Figure:
    """Each row as shares of its class's clips: rows the right class, columns the answer."""
    count = len(names)
    counts = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, counts, out=np.zeros(matrix.shape), where=counts > 0)
    size = float(np.clip(2.5 + 0.24 * count, 4, 18))
    figure, axes = _figure(size + 1.5, size)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(title=title, xlabel="answered", ylabel="is")
    if count <= MAX_NAMED:
        axes.set_xticks(range(count), names, rotation=90, fontsize=7)
        axes.set_yticks(range(count), names, fontsize=7)
    if count <= MAX_NUMBERED:
        for row, column in np.ndindex(matrix.shape):
            colour = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, int(matrix[row, column]), ha="center", va="center", color=colour, fontsize=7)
    figure.colorbar(image, ax=axes, fraction=0.046, label="share of the class")
    return figure


def reliability(bins: Sequence[dict[str, float]], title: str) -> Figure:
    """Accuracy over predicted probability; on the diagonal a model means what it says. Dots are as large as bins."""
    figure, axes = _figure(4.2, 4)
    most = max(row["count"] for row in bins)
    confidence, accuracy = ([row[name] for row in bins] for name in ("confidence", "accuracy"))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    axes.plot(confidence, accuracy, color=COLOURS[0], linewidth=1)
    axes.scatter(confidence, accuracy, s=[10 + 90 * row["count"] / most for row in bins], color=COLOURS[0])
    axes.set(title=title, xlabel="predicted probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    return figure


def timeline(rows: Sequence[tuple[str, Sequence[Span]]], end_s: float, title: str) -> Figure:
    """Named rows of (from, to) in seconds, one above the other: what was the case and what was said."""
    figure, axes = _figure(9, 0.9 + 0.4 * len(rows))
    for place, (_, spans) in enumerate(rows):
        axes.broken_barh([(start, end - start) for start, end in spans], (place - 0.35, 0.7), color=COLOURS[0])
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set(title=title, xlabel="seconds", xlim=(0, end_s))
    return figure


def curves(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """run -> a row an epoch, {"epoch": 1, "loss": ...}: a panel for each figure, a line for each run that has it."""
    names = list(dict.fromkeys(name for rows in runs.values() for row in rows for name in row if name != "epoch"))
    columns = min(3, len(names))
    figure, panels = _figure(4.2 * columns, 3 * -(-len(names) // columns) + 0.4, -(-len(names) // columns), columns)
    for panel, name in zip(panels.flat, names, strict=False):
        for number, (run, rows) in enumerate(runs.items()):
            points = [(row["epoch"], row[name]) for row in rows if name in row]
            panel.plot(*zip(*points, strict=True), **_line(number), label=run) if points else panel.plot([], [])
        panel.set(title=name.replace("_", " "), xlabel="epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in panels.flat[len(names) :]:
        panel.remove()
    if len(runs) > 1:
        figure.legend(*panels.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return figure


def embeddings(points: ArrayLike, groups: Sequence[str], title: str) -> Figure:
    """points: (N, 2), embeddings mapped to the plane by t-SNE or alike; groups: (N,), a marker each."""
    figure, axes = _figure(6.5, 5)
    places, named = np.asarray(points), np.asarray(groups)
    for number, group in enumerate(sorted(set(groups))):
        chosen = places[named == group]
        marker, colour = MARKERS[number % len(MARKERS)], COLOURS[number % len(COLOURS)]
        axes.scatter(*chosen.T, s=14, marker=marker, color=colour, edgecolors="white", linewidths=0.3, label=group)
    # The axes of t-SNE have no meaning; only neighbourhoods do.
    axes.set(title=title, xticks=[], yticks=[])
    figure.legend(loc="outside right upper", fontsize=7, markerscale=1.5)
    return figure


def sensitivity(rows: Sequence[tuple[str, float]], floating: Sequence[str]) -> Figure:
    """(layer, gain in dB), the most sensitive first: what leaving it alone in floating point gains."""
    figure, axes = _figure(8, 0.28 * len(rows) + 1.2)
    for kind, number in (("INT8", 0), ("stays in floating point", 1)):
        chosen = [row for row, (layer, _) in enumerate(rows) if (layer in floating) == bool(number)]
        if chosen:
            axes.barh(chosen, [rows[row][1] for row in chosen], **_bar(number), label=kind)
    axes.set_yticks(range(len(rows)), [layer.strip("/") for layer, _ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("gain in SQNR, dB")
    axes.legend(loc="lower right", fontsize=8)
    return figure


def latency(runs: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """run -> stage -> {"p50_ms", "p95_ms"}: a bar for each run of its stages' medians end to end; the whisker is what
    the 95th percentiles come to, which is more than the 95th percentile of the sum."""
    stages = list(dict.fromkeys(stage for run in runs.values() for stage in run))
    figure, axes = _figure(8, 0.55 * len(runs) + 1.7)
    left = np.zeros(len(runs))
    for number, stage in enumerate(stages):
        widths = np.array([run.get(stage, {}).get("p50_ms", 0.0) for run in runs.values()])
        axes.barh(range(len(runs)), widths, left=left, height=0.6, **_bar(number), label=stage)
        left += widths
    worst = np.array([sum(stage["p95_ms"] for stage in run.values()) for run in runs.values()])
    beyond = [np.zeros(len(runs)), worst - left]
    axes.errorbar(left, range(len(runs)), xerr=beyond, fmt="none", ecolor="black", capsize=4)
    axes.set_yticks(range(len(runs)), list(runs))
    axes.invert_yaxis()
    axes.set(xlabel="milliseconds a frame: medians end to end, the whisker up to the sum of p95", xlim=(0, None))
    figure.legend(loc="outside upper center", ncols=min(5, len(stages)), fontsize=8)
    return figure


def film_strip(sequence: ArrayLike, timestamps_s: ArrayLike, title: str = "", frames: int = 8) -> Figure:
    """`frames` skeletons of an ntu25 sequence (T, 25, 4) at timestamps_s (T,), side by side, the title under them."""
    poses, stamps = np.asarray(sequence, np.float32), np.asarray(timestamps_s, np.float64)
    shown = moments(len(poses), frames)
    middle, half = extent(poses)
    words = f"{title} (left: dark, right: bright)" if title else ""
    lines = textwrap.wrap(words, 22 * len(shown) + 10)
    figure, panels = _figure(1.7 * len(shown), 2.05 + 0.14 * len(lines), 1, len(shown))
    for panel, index in zip(panels.flat, shown, strict=True):
        for bone, line in bones(poses[index]):
            colour = SIDES[_side(bone)]
            panel.plot(*line.T, color=colour, linewidth=2, solid_capstyle="round")
        panel.set(
            xlim=(middle[0] - half, middle[0] + half),
            ylim=(middle[1] - half, middle[1] + half),
            title=f"{stamps[index] - stamps[0]:.2f} s",
            aspect="equal",
            xticks=[],
            yticks=[],
        )
    figure.supxlabel("\n".join(lines), fontsize=8)
    return figure


def moments(count: int, frames: int) -> NDArray[np.int64]:
    """The numbers of `frames` frames spread evenly over `count`."""
    return np.linspace(0, count - 1, min(frames, count)).round().astype(np.int64)


def extent(sequence: Array) -> tuple[NDArray[np.float64], float]:
    """Middle (2,) and half-width of what is seen over the clip, in x and y."""
    seen = sequence[..., 3] > 0
    if not seen.any():
        return np.zeros(2), 1.0
    low, high = np.percentile(sequence[seen][:, :2], [0.5, 99.5], axis=0)
    return (low + high) / 2, max(float((high - low).max()) / 2 * 1.1, 1e-6)


def bones(pose: Array) -> Iterator[tuple[tuple[int, int], Array]]:
    """The bones of an ntu25 pose (25, 4) whose both ends were seen, with their ends (2, 2) in x and y."""
    for bone in NTU25.bones:
        if (pose[list(bone), 3] > 0).all():
            yield bone, pose[list(bone), :2]


def _side(bone: tuple[int, int]) -> str:
    sides = [NTU25.joints[joint].partition("_")[0] for joint in bone]
    return next((side for side in sides if side in ("left", "right")), "middle")


def _line(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % 7], "linestyle": STROKES[number % len(STROKES)], "linewidth": 1.4}


def _bar(number: int) -> dict[str, Any]:
    # Not black, on which no hatching is seen.
    colour = COLOURS[(0, 1, 3, 4, 5, 6, 7)[number % 7]]
    return {"color": colour, "hatch": HATCHES[number % len(HATCHES)], "edgecolor": "white", "linewidth": 0.6}


def _figure(width: float, height: float, rows: int = 0, columns: int = 0) -> tuple[Figure, Any]:
    """A figure in inches with one axes, or with an array of rows x columns."""
    # Matplotlib keeps a list of fonts, and complains where there is no home for it.
    os.environ.setdefault("MPLCONFIGDIR", str(default_cache() / "matplotlib"))
    # Not pyplot: it keeps every figure, and looks for a display.
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    # A name or label with two $ in it is no formula.
    rcParams["text.parse_math"] = False
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False) if rows else figure.add_subplot()
