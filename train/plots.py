"""Pictures for reports, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from train.metrics import Ints

# Beyond so many classes names and numbers would not be legible.
MAX_NAMED = 60
MAX_NUMBERED = 15


def confusion_png(matrix: Ints, names: Sequence[str], title: str) -> bytes:
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
    return _png(figure)


def reliability_png(bins: Sequence[dict[str, float]], title: str) -> bytes:
    """Accuracy over predicted probability; on the diagonal a model means what it says. Dots are as large as bins."""
    figure, axes = _figure(4.2, 4)
    most = max(row["count"] for row in bins)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    axes.plot([row["confidence"] for row in bins], [row["accuracy"] for row in bins], color="tab:blue", linewidth=1)
    axes.scatter(
        [row["confidence"] for row in bins],
        [row["accuracy"] for row in bins],
        s=[10 + 90 * row["count"] / most for row in bins],
    )
    axes.set(title=title, xlabel="predicted probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    return _png(figure)


def timeline_png(rows: Sequence[tuple[str, Sequence[tuple[float, float]]]], end_s: float, title: str) -> bytes:
    """Named rows of (from, to) in seconds, one above the other: what was the case and what was said."""
    figure, axes = _figure(9, 0.9 + 0.4 * len(rows))
    for place, (_, spans) in enumerate(rows):
        axes.broken_barh([(start, end - start) for start, end in spans], (place - 0.35, 0.7))
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set(title=title, xlabel="seconds", xlim=(0, end_s))
    return _png(figure)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    # Not pyplot: it keeps every figure, and looks for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    # No software version inside, so that equal figures are equal files.
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
