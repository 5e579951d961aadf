"""Draws docs/architecture.svg: python tools/architecture.py"""

from __future__ import annotations

from html import escape
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "docs" / "architecture.svg"
WIDTH, HEIGHT = 980, 470

# x, y, width, title, lines below it, style
BOXES = {
    "data": (20, 60, 150, "data", ["prepare; extract"], "desk"),
    "archive": (210, 60, 150, "skeleton archive", ["ntu25, (T, 25, 4)"], "file"),
    "knowledge": (210, 150, 150, "knowledge bank", ["words as vectors"], "file"),
    "train": (400, 60, 150, "train", ["C2VL, then labels", "ST-GCN in PyTorch"], "desk"),
    "export": (590, 60, 150, "export, quantize", ["ONNX; INT8, FP16"], "desk"),
    "bundle": (780, 60, 170, "model bundle", ["ONNX, manifest, sums"], "file"),
    "camera": (20, 290, 130, "camera", ["USB, CSI, RTSP", "newest frame"], "car"),
    "pose": (178, 290, 130, "pose", ["BlazePose", "33 landmarks"], "car"),
    "window": (336, 290, 130, "window", ["last 3 s, scaled", "(3, T, 25)"], "car"),
    "backend": (494, 290, 130, "encoder", ["TensorRT or", "ONNX Runtime"], "car"),
    "policy": (652, 290, 130, "alert policy", ["states, alerts", "no clock, no I/O"], "car"),
    "sinks": (810, 290, 140, "outputs", ["JSON lines, MQTT", "Prometheus, page"], "car"),
}
ARROWS = [
    ("data", "archive"),
    ("archive", "train"),
    ("train", "export"),
    ("export", "bundle"),
    ("camera", "pose"),
    ("pose", "window"),
    ("window", "backend"),
    ("backend", "policy"),
    ("policy", "sinks"),
]
# Lines that turn: from, to, path.
TURNS = [
    ("knowledge", "train", "M360 180 H475 V126"),
    ("archive", "knowledge", "M285 109 V146"),
    ("bundle", "backend", "M865 109 V220 H559 V286"),
]
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1a1a1a }
.title { font-weight: 600; font-size: 13px }
.part { font-size: 15px; font-weight: 600; fill: #444 }
.note { fill: #444 }
rect { stroke-width: 1.5; rx: 6 }
.desk { fill: #e3eef7; stroke: #0072b2 }
.file { fill: #fff; stroke: #444; stroke-dasharray: 5 3 }
.car { fill: #fdf1d8; stroke: #b87f00 }
path { fill: none; stroke: #333; stroke-width: 1.6; marker-end: url(#end) }
"""


def draw() -> str:
    """The picture as SVG text."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>From data to a bundle on the workstation, and from a camera to alerts in the vehicle</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<polygon points="0 0 8 4 0 8" fill="#333"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff" stroke="none"/>',
        _text(20, 34, "On the workstation: train/, calibration/", "part"),
        _text(20, 266, "In the vehicle: edge_c2vl/, one thread a stage", "part"),
        _text(
            20,
            410,
            "A mailbox of one frame lies between two stages: a newer one replaces it, so no stage works on old frames.",
            "note",
        ),
        _text(
            20,
            432,
            "Each output has a thread and a queue of its own, and delays neither the stages nor the others.",
            "note",
        ),
        _text(
            20,
            454,
            "Nothing of the workstation is imported in the vehicle; window and normalising are the same code in both.",
            "note",
        ),
    ]
    for x, y, width, title, lines, style in BOXES.values():
        height = 32 + 17 * len(lines)
        parts.append(f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="{height}"/>')
        parts.append(_text(x + 10, y + 21, title, "title"))
        parts += [_text(x + 10, y + 40 + 17 * number, line) for number, line in enumerate(lines)]
    for start, end in ARROWS:
        x, y, width, *_ = BOXES[start]
        parts.append(f'<path d="M{x + width} {y + 25} H{BOXES[end][0] - 3}"/>')
    parts += [f'<path d="{path}"/>' for _, _, path in TURNS]
    return "\n".join([*parts, "</svg>", ""])


def _text(x: int, y: int, text: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{escape(text)}</text>'


if __name__ == "__main__":
    TARGET.write_text(draw(), "utf-8")
