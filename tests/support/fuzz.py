"""What the fuzzed readers are given unharmed."""

from __future__ import annotations

from pathlib import Path

SETTINGS = b"policy:\n  warning_fast_s: 3.5\n  cannot_see_s: 20\n  recovery: 2\n"
MANIFEST = {
    "format_version": 1,
    "name": "n",
    "labels": ["a", "b"],
    "distraction": ["b"],
    "clip": {"frames": 64, "seconds": 3.0, "joints": ["head"]},
    "embedding_size": 64,
    "files": {"model.fp32.onnx": {"size": 1, "sha256": "0"}},
}
DEFAULT = Path(__file__).resolve().parents[2] / "edge_c2vl" / "bundles" / "default" / "model.fp32.onnx"
LABELS = (
    b"participant_id,file_id,annotation_id,frame_start,frame_end,activity,chunk_id\n"
    b"1,vp1/run1b_2018-05-29-14-02-47.kinect_color,1,58,82,closing_door_outside,0\n"
)
BODY = b"72057594037931101 0 1 1 1 1 0 0.02 -0.1 2\n25\n" + b"0.2 0.1 3.7 271 200 1038 520 -0.2 0.03 0.9 -0.07 2\n" * 25
SKELETON = b"2\n" + (b"1\n" + BODY) * 2
