"""The parts of the body: which joints belong together."""

from __future__ import annotations

from edge_c2vl.skeletons.skeleton import NTU25

_ARM = ("shoulder", "elbow", "wrist", "hand", "hand_tip", "thumb")
_LEG = ("hip", "knee", "ankle", "foot")
# Every joint of NTU25 once; within a part, in the order in which they hang together.
PARTS = (
    ("spine_base", "spine_mid", "spine_shoulder", "neck", "head"),
    *(tuple(f"{side}_{joint}" for joint in limb) for limb in (_ARM, _LEG) for side in ("left", "right")),
)
# The same as numbers of joints.
PART_JOINTS = tuple([NTU25.index(name) for name in part] for part in PARTS)
