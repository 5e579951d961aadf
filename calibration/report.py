"""What INT8 cost and won, as figures for report.json and as a text to read."""

from __future__ import annotations

import math
from typing import Any

from calibration.evaluate import Outputs, accuracy, compare


def model_figures(outputs: dict[str, Outputs], sizes: dict[str, int], latency: dict[str, Any]) -> dict[str, Any]:
    """For each precision: accuracy on the evaluation clips, agreement and SQNR against FP32, bytes, latency."""
    reference = outputs["fp32"]
    figures = {}
    for precision, found in outputs.items():
        row: dict[str, Any] = accuracy(found) | compare(reference, found)
        row["bytes"] = sizes[precision]
        row |= latency.get(precision, {})
        figures[precision] = {name: _rounded(value) for name, value in row.items()}
    return figures


def table(figures: dict[str, Any]) -> str:
    """As lines of a Markdown table."""
    lines = [
        "| | balanced | distracted or not | top-1 | same decision as FP32 | SQNR logits / embedding / log-odds | file "
        "| p50 / p95 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for precision, row in figures.items():
        noises = [row[name] for name in ("sqnr_logits_db", "sqnr_embedding_db", "sqnr_odds_db") if name in row]
        noise = "" if noises[0] is None else " / ".join(f"{value:.1f}" for value in noises) + " dB"
        distracted = f"{100 * row['distracted']:.2f} %" if "distracted" in row else ""
        accuracy = f"{100 * row['balanced']:.2f} % | {distracted} | {100 * row['top1']:.2f} %"
        time = f"{row['p50_ms']:.2f} / {row['p95_ms']:.2f} ms" if "p50_ms" in row else ""
        lines.append(
            f"| {precision} | {accuracy} | {100 * row['agreement']:.2f} % | {noise} "
            f"| {row['bytes'] / 1e6:.2f} MB | {time} |"
        )
    return "\n".join(lines)


def methods_table(rows: dict[str, dict[str, Any]]) -> str:
    """The methods beside each other, every layer in INT8; the figures of `method_figures`."""
    lines = [
        "| method | balanced | same decision as FP32 | SQNR logits / embedding |",
        "|---|---|---|---|",
    ]
    for method, row in rows.items():
        noise = f"{row['sqnr_logits_db']:.2f} / {row['sqnr_embedding_db']:.2f} dB"
        lines.append(f"| {method} | {100 * row['balanced']:.2f} % | {100 * row['agreement']:.2f} % | {noise} |")
    return "\n".join(lines)


def method_figures(reference: Outputs, found: Outputs) -> dict[str, Any]:
    return {name: _rounded(value) for name, value in (accuracy(found) | compare(reference, found)).items()}


def _rounded(value: Any) -> Any:
    """JSON knows no infinity: the SQNR of what is equal is null."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if math.isfinite(value) else None


def text(figures: dict[str, Any], sensitivity_table: str) -> str:
    """The whole report as Markdown."""
    calibration, selection, evaluation = (figures[name] for name in ("calibration", "selection", "evaluation"))
    floating = ", ".join(figures["floating"]) or "none"
    parts = [
        f"Calibrated on {calibration['clips']} clips ({calibration['from']}), method {figures['method']}; "
        f"judged on {evaluation['clips']} clips ({evaluation['from']}).",
        f"Latency: {figures['device']}, {figures['threads']} thread(s), batch 1, each model in processes of its own.",
        table(figures["models"]),
        f"INT8 changes balanced accuracy, of the classes or of distracted or not, by {-figures['drop_points']:+.2f} "
        f"points (it may lose {figures['max_drop_points']:g}). Layers kept in floating point, of {figures['layers']}: "
        f"{floating}.",
    ]
    if "methods" in figures:
        parts += ["Methods, with every layer in INT8:", methods_table(figures["methods"])]
    judged = [name for name in ("balanced", "distracted") if name in selection["fp32"]]
    fp32, int8 = (" / ".join(f"{100 * selection[kind][name]:.2f}" for name in judged) for kind in ("fp32", "int8"))
    parts += [
        f"Sensitivity, on {selection['clips']} clips held apart ({selection['from']}); balanced accuracy there, of the "
        f"classes{' / of distracted or not' * (len(judged) - 1)}: FP32 {fp32} %, every layer in INT8 {int8} %.",
        sensitivity_table,
    ]
    return "\n\n".join(parts) + "\n"
