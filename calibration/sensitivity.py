"""Which layers INT8 hurts: each one left in floating point alone, and the fewest that must stay there."""

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

Clips = tuple[Array, NDArray[np.int64]]


@dataclass(frozen=True)
class Sensitivity:
    """A layer left in floating point while all others are INT8: what the logits gain in SQNR against all INT8, and
    the balanced accuracy and agreement with FP32 that come of it."""

    node: str
    gain_db: float
    balanced: float
    agreement: float

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
    whole = compare(reference, quantised)["sqnr_logits_db"]
    rows = []
    for layer in track(layers, "leaving out each layer"):
        found = outputs(insert_qdq(model, layers, thresholds, [layer.node]).SerializeToString(), *clips)
        result = compare(reference, found)
        gain = result["sqnr_logits_db"] - whole
        rows.append(Sensitivity(layer.node, gain, accuracy(found)["balanced"], result["agreement"]))
    return sorted(rows, key=lambda row: -row.gain_db)


def search(
    model: Any,
    layers: Sequence[Layer],
    thresholds: Mapping[str, float],
    clips: Clips,
    reference: Outputs,
    order: Sequence[str],
    max_drop: float,
) -> list[str]:
    """The layers that stay in floating point: as many of `order`, from its front, as it takes for the balanced accuracy
    on `clips` to fall by at most `max_drop` points. Raises CalibrationError where even all but one are not enough."""
    for count in range(len(order)):
        floating = list(order[:count])
        found = outputs(insert_qdq(model, layers, thresholds, floating).SerializeToString(), *clips)
        if drop_points(reference, found) <= max_drop:
            return floating
    raise CalibrationError(
        f"INT8 loses more than {max_drop:g} points with all but one layer in floating point: "
        "raise --max-drop, take another --method, or keep FP32"
    )


def table(rows: Sequence[Sensitivity], floating: Sequence[str]) -> str:
    """As lines of a Markdown table."""
    lines = [
        "| layer in floating point, all others INT8 | SQNR of the logits | balanced accuracy | agreement | stays |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        stays = "floating point" if row.node in floating else "INT8"
        share = f"{100 * row.balanced:.2f} % | {100 * row.agreement:.2f} %"
        lines.append(f"| {row.node} | {row.gain_db:+.2f} dB | {share} | {stays} |")
    return "\n".join(lines)
