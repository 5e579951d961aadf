"""Which layers INT8 hurts: each one left in floating point alone, and the fewest that must stay there.

A layer that makes half of the noise of what alerts follow stays, whatever it costs in accuracy on these clips: on other
people and cameras, where decisions are less sure, the same noise costs more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.evaluate import Outputs, accuracy, compare, drop_points, outputs
from calibration.quantize import Layer, insert_qdq
from calibration.ranges import CalibrationError
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.progress import track

Clips = tuple[Array, NDArray[np.int64], NDArray[np.bool_]]
"""As `outputs` takes them: clips, labels, which classes are distraction."""
HALF_DB = 3.0  # gained by leaving out half of the noise


@dataclass(frozen=True)
class Sensitivity:
    """A layer left in floating point while all others are INT8: what the logits gain in SQNR against all INT8, and the
    log-odds of distraction (0 where there are none); the balanced accuracy and agreement with FP32 that come of it."""

    node: str
    gain_db: float
    odds_gain_db: float
    balanced: float
    agreement: float

    @property
    def most_db(self) -> float:
        return max(self.gain_db, self.odds_gain_db)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def leave_one_out(
    model: Any,
    layers: Sequence[Layer],
    thresholds: Mapping[str, float],
    clips: Clips,
    reference: Outputs,
    quantised: Outputs,
) -> list[Sensitivity]:
    """One row a layer, the most sensitive first. layers: the model's convolutions. reference: the FP32 model's outputs
    on `clips`; quantised: those of the model with every layer in INT8."""
    whole = compare(reference, quantised)
    rows = []
    for layer in track(layers, "leaving out each layer"):
        found = outputs(insert_qdq(model, layers, thresholds, [layer.node]).SerializeToString(), *clips)
        result = compare(reference, found)
        gain, odds_gain = (
            result[name] - whole[name] if name in whole else 0.0 for name in ("sqnr_logits_db", "sqnr_odds_db")
        )
        rows.append(Sensitivity(layer.node, gain, odds_gain, accuracy(found)["balanced"], result["agreement"]))
    return sorted(rows, key=lambda row: -row.most_db)


def search(
    model: Any,
    layers: Sequence[Layer],
    thresholds: Mapping[str, float],
    clips: Clips,
    reference: Outputs,
    rows: Sequence[Sensitivity],
    max_drop: float,
) -> list[str]:
    """The layers that stay in floating point: those that make half of the noise of the log-odds, and as many of `rows`,
    from their front, as it takes for the balanced accuracy on `clips` to fall by at most `max_drop` points
    (`drop_points`) and one standard error. Raises CalibrationError where even all but one are not enough."""
    noisy = [row.node for row in rows if row.odds_gain_db >= HALF_DB]
    order = noisy + [row.node for row in rows if row.node not in noisy]
    for count in range(min(len(noisy), len(order) - 1), len(order)):
        floating = order[:count]
        found = outputs(insert_qdq(model, layers, thresholds, floating).SerializeToString(), *clips)
        if drop_points(reference, found, errors=1) <= max_drop:
            return floating
    raise CalibrationError(
        f"INT8 loses more than {max_drop:g} points with all but one layer in floating point: "
        "raise --max-drop, take another --method, or keep FP32"
    )


def table(rows: Sequence[Sensitivity], floating: Sequence[str]) -> str:
    """As lines of a Markdown table."""
    lines = [
        "| in floating point, all others INT8 | SQNR of logits / log-odds | balanced accuracy | agreement | stays |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        stays = "floating point" if row.node in floating else "INT8"
        share = f"{100 * row.balanced:.2f} % | {100 * row.agreement:.2f} %"
        lines.append(f"| {row.node} | {row.gain_db:+.2f} / {row.odds_gain_db:+.2f} dB | {share} | {stays} |")
    return "\n".join(lines)
