"""Skeletons: joint layouts, conversion to one layout (ntu25), normalising, resampling.

A *sequence* is float32 ``(T, V, 4)``: x, y, z, confidence in [0, 1]. x points to the right of the picture, **y up**,
z away from the camera (0 for 2-D sources); the unit is the source's own. Confidence 0 means *missing*: the joint's
coordinates are then 0 and say nothing. Everything that reads skeletons (training, calibration, evaluation, the live
pipeline) goes through the functions here.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """A naming of V joints. `bones` are (parent, child) indices; `mirror[j]` is joint j's left-right partner."""

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    mirror: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        return self.joints.index(joint)


def _layout(name: str, joints: str, bones: str) -> Layout:
    """Joints as words in order; bones as chains, "a-b-c; d-e". Mirror pairs follow from left_/right_ in the names."""
    names = tuple(joints.split())
    pairs = []
    for chain in bones.split(";"):
        ends = [names.index(word) for word in chain.strip().split("-")]
        pairs += list(itertools.pairwise(ends))
    partner = {"left": "right", "right": "left"}
    mirrored = []
    for joint in names:
        side, _, rest = joint.partition("_")
        mirrored.append(names.index(f"{partner[side]}_{rest}") if side in partner else names.index(joint))
    return Layout(name, names, tuple(pairs), tuple(mirrored))


# Joint names are shared between the layouts, so that one table of recipes (below) converts each of them.
NTU25 = _layout(
    "ntu25",
    "spine_base spine_mid neck head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
    "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
    "spine_shoulder left_hand_tip left_thumb right_hand_tip right_thumb",
    "spine_shoulder-spine_mid-spine_base; spine_shoulder-neck-head; "
    "spine_shoulder-left_shoulder-left_elbow-left_wrist-left_hand-left_hand_tip; left_wrist-left_thumb; "
    "spine_shoulder-right_shoulder-right_elbow-right_wrist-right_hand-right_hand_tip; right_wrist-right_thumb; "
    "spine_base-left_hip-left_knee-left_ankle-left_foot; spine_base-right_hip-right_knee-right_ankle-right_foot",
)
MEDIAPIPE33 = _layout(
    "mediapipe33",
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_foot right_foot",
    "nose-left_eye_inner-left_eye-left_eye_outer-left_ear; nose-right_eye_inner-right_eye-right_eye_outer-right_ear; "
    "left_mouth-right_mouth; left_shoulder-right_shoulder; left_hip-right_hip; "
    "left_shoulder-left_elbow-left_wrist-left_index-left_pinky-left_wrist; left_wrist-left_thumb; "
    "right_shoulder-right_elbow-right_wrist-right_index-right_pinky-right_wrist; right_wrist-right_thumb; "
    "left_shoulder-left_hip-left_knee-left_ankle-left_heel-left_foot-left_ankle; "
    "right_shoulder-right_hip-right_knee-right_ankle-right_heel-right_foot-right_ankle",
)
OPENPOSE25 = _layout(
    "openpose25",
    "nose spine_shoulder right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist spine_base "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_foot "
    "left_small_toe left_heel right_foot right_small_toe right_heel",
    "spine_shoulder-nose-right_eye-right_ear; nose-left_eye-left_ear; spine_shoulder-spine_base; "
    "spine_shoulder-right_shoulder-right_elbow-right_wrist; spine_shoulder-left_shoulder-left_elbow-left_wrist; "
    "spine_base-right_hip-right_knee-right_ankle-right_foot-right_small_toe; right_ankle-right_heel; "
    "spine_base-left_hip-left_knee-left_ankle-left_foot-left_small_toe; left_ankle-left_heel",
)
DRIVEACT26 = _layout(
    "driveact26",
    "nose left_elbow left_wrist right_heel right_hip right_small_toe spine_shoulder left_small_toe right_wrist "
    "right_ankle left_hip left_heel left_knee left_eye spine_base background left_ear right_elbow right_shoulder "
    "right_knee left_shoulder left_foot right_eye right_ear right_foot left_ankle",
    "spine_shoulder-nose-right_eye-right_ear; nose-left_eye-left_ear; spine_shoulder-spine_base; "
    "spine_shoulder-right_shoulder-right_elbow-right_wrist; spine_shoulder-left_shoulder-left_elbow-left_wrist; "
    "spine_base-right_hip-right_knee-right_ankle-right_foot-right_small_toe; right_ankle-right_heel; "
    "spine_base-left_hip-left_knee-left_ankle-left_foot-left_small_toe; left_ankle-left_heel",
)
KINECT20 = _layout(
    "kinect20",
    "spine_base spine_mid spine_shoulder head left_shoulder left_elbow left_wrist left_hand right_shoulder "
    "right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle "
    "right_foot",
    "spine_shoulder-spine_mid-spine_base; spine_shoulder-head; "
    "spine_shoulder-left_shoulder-left_elbow-left_wrist-left_hand; "
    "spine_shoulder-right_shoulder-right_elbow-right_wrist-right_hand; "
    "spine_base-left_hip-left_knee-left_ankle-left_foot; spine_base-right_hip-right_knee-right_ankle-right_foot",
)
COCO17 = _layout(
    "coco17",
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
    "nose-left_eye-left_ear; nose-right_eye-right_ear; left_shoulder-right_shoulder; left_hip-right_hip; "
    "left_shoulder-left_elbow-left_wrist; right_shoulder-right_elbow-right_wrist; "
    "left_shoulder-left_hip-left_knee-left_ankle; right_shoulder-right_hip-right_knee-right_ankle",
)
LAYOUTS = {layout.name: layout for layout in (NTU25, MEDIAPIPE33, OPENPOSE25, DRIVEACT26, KINECT20, COCO17)}

ORIGIN = NTU25.index("spine_shoulder")
HEAD = NTU25.index("head")
# What a driver does is read off elbows and wrists: the joints that decide whether there is anything to judge by.
ARMS = tuple(NTU25.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("elbow", "wrist"))


def _recipes() -> tuple[tuple[str, tuple[dict[str, float], ...]], ...]:
    """How each ntu25 joint that a source lacks is derived: alternatives, best first, each a weighted mean of joints.

    A later entry may use a joint that an earlier entry derived. Fingertips are derived by nothing: MediaPipe's
    "index" and "pinky" are knuckles, and BODY-25 ends at the wrist.
    """

    def mean(*names: str) -> dict[str, float]:
        return {name: 1 / len(names) for name in names}

    sided = [(f"{side}_hand", (mean(f"{side}_wrist", f"{side}_index", f"{side}_pinky"),)) for side in ("left", "right")]
    return (
        ("spine_shoulder", (mean("left_shoulder", "right_shoulder"),)),
        ("spine_base", (mean("left_hip", "right_hip"),)),
        ("spine_mid", (mean("spine_shoulder", "spine_base"),)),
        # The nose is seen from almost every side and moves when the head turns, so it stands for the head before the
        # ears do; the neck lies under the ears, halfway to the shoulders.
        ("head", (mean("nose"), mean("left_eye", "right_eye"), mean("left_ear", "right_ear"))),
        (
            "neck",
            (
                {"spine_shoulder": 0.5, "left_ear": 0.25, "right_ear": 0.25},
                mean("spine_shoulder", "left_ear"),
                mean("spine_shoulder", "right_ear"),
                mean("spine_shoulder", "head"),
            ),
        ),
        *sided,
    )


_RECIPES = _recipes()


def clean(sequence: ArrayLike, min_confidence: float = 0.0) -> Array:
    """Copy of a sequence in which every joint is either finite with confidence in (0, 1], or missing (all zeros).

    A joint with a coordinate that is not finite, or with confidence of NaN, 0, or under `min_confidence`, is missing.
    Raises ValueError unless the shape is ``(T, V, 4)``.
    """
    result = np.array(sequence, dtype=np.float32)
    if result.ndim != 3 or result.shape[2] != 4:
        raise ValueError(f"a sequence has shape (T, V, 4), this array has {result.shape}")
    confidence = result[..., 3]
    # Coordinates beyond 1e6 (in any unit a camera has) would overflow a float32 square later on.
    sane = np.isfinite(result).all(axis=2) & (np.abs(result[..., :3]) < 1e6).all(axis=2)
    seen = sane & (confidence > 0) & (confidence >= min_confidence)
    result[~seen] = 0
    result[..., 3] = np.clip(result[..., 3], 0, 1)
    return result


def to_ntu25(sequence: ArrayLike, layout: Layout | str) -> Array:
    """Converts ``(T, V, 4)`` in `layout` to ``(T, 25, 4)`` in ntu25.

    Joints that both have are copied; others are derived where geometry allows, with the lowest confidence of the
    joints they are derived from; the rest are missing.
    """
    layout = get_layout(layout)
    source = clean(sequence)
    if source.shape[1] != layout.size:
        raise ValueError(f"layout {layout.name} has {layout.size} joints, this sequence has {source.shape[1]}")
    tracks = {name: source[:, index] for index, name in enumerate(layout.joints)}
    for name, alternatives in _RECIPES:
        track = tracks.get(name, np.zeros_like(source[:, 0])).copy()
        for weights in alternatives:
            missing = track[:, 3] == 0
            if not missing.any():
                break
            if not weights.keys() <= tracks.keys():
                continue
            parts = np.stack([tracks[joint] for joint in weights])
            shares = np.array([list(weights.values())], np.float32)
            derived = np.dot(shares, parts.reshape(len(parts), -1)).reshape(track.shape)
            derived[:, 3] = parts[..., 3].min(axis=0)
            use = missing & (derived[:, 3] > 0)
            track[use] = derived[use]
        tracks[name] = track
    none = np.zeros((len(source), 4), np.float32)
    return np.stack([tracks.get(name, none) for name in NTU25.joints], axis=1)


def get_layout(layout: Layout | str) -> Layout:
    """The layout of that name. Raises ValueError naming those there are."""
    if isinstance(layout, Layout):
        return layout
    if layout not in LAYOUTS:
        raise ValueError(f"no skeleton layout {layout!r}: there are {', '.join(LAYOUTS)}")
    return LAYOUTS[layout]


def mirror(sequence: ArrayLike, layout: Layout | str = NTU25) -> Array:
    """The sequence seen in a mirror: x negated, left and right joints exchanged."""
    layout = get_layout(layout)
    result = np.asarray(sequence, np.float32)[:, layout.mirror].copy()
    result[..., 0] *= -1
    return result


# A bone's length as a share of shoulder breadth (Drillis & Contini, segment lengths as shares of stature: shoulder
# breadth .259, upper arm .186, trunk from shoulders to hips .288). Seen in a picture a bone can only look shorter than
# it is, so the longest estimate is the nearest to the truth, and it collapses from no side.
UNIT_BONES = tuple(
    (NTU25.index(a), NTU25.index(b), share)
    for a, b, share in (
        ("left_shoulder", "right_shoulder", 1.0),
        ("left_shoulder", "left_elbow", 0.186 / 0.259),
        ("right_shoulder", "right_elbow", 0.186 / 0.259),
        ("spine_shoulder", "spine_base", 0.288 / 0.259),
    )
)


def body_unit(sequence: Array) -> float:
    """The body's shoulder breadth in the units of an ntu25 sequence ``(T, 25, 4)``; 0 where no bone was seen.

    The longest of four estimates: shoulders, both upper arms, trunk, each the median over the frames in which both
    ends were seen, divided by its share of a shoulder breadth.
    """
    estimates = [0.0]
    for a, b, share in UNIT_BONES:
        both = (sequence[:, a, 3] > 0) & (sequence[:, b, 3] > 0)
        if both.any():
            bone = sequence[both, a, :3] - sequence[both, b, :3]
            estimates.append(_median(np.sqrt(np.add.reduce(bone * bone, axis=1))) / share)
    return max(estimates)


def _median(values: Array) -> float:
    """Of (N,) finite numbers, N >= 1: what np.median gives, which takes ten times as long over a few. A live run asks
    for the unit of every frame."""
    ordered, middle = np.sort(values), len(values) // 2
    return float(ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / np.float32(2))


def locate(sequence: Array) -> tuple[Array, float] | None:
    """Where a body is, and how large: (origin (3,), unit), of an ntu25 sequence ``(T, 25, 4)``; see `normalise`.

    None where it cannot be told: no frame shows the origin, or no bone has a length.
    """
    seen = sequence[:, ORIGIN, 3] > 0
    unit = body_unit(sequence)
    # The median of no frames is undefined; a unit of nothing would send every joint to infinity.
    if not seen.any() or unit < 1e-6:
        return None
    return np.median(sequence[seen, ORIGIN, :3], axis=0), unit


def normalise(sequence: ArrayLike, dimensions: int = 3, facing: bool = False) -> Array:
    """An ntu25 sequence ``(T, 25, 4)`` free of where the body stands and how large it looks.

    Origin: the spine-shoulder joint, its median over the clip (so that leaning and swaying stay visible). Unit:
    shoulder breadth (see `body_unit`). dimensions=2 sets z to 0. facing=True (3-D only) turns the body about the
    vertical axis so that its shoulders, on the median over the clip, lie along x. Missing joints are (0, 0, 0) with
    confidence 0; where origin or unit cannot be told, all are missing.
    """
    result = clean(sequence)
    if result.shape[1] != NTU25.size:
        raise ValueError(f"normalise takes ntu25 sequences (T, 25, 4), this array has {result.shape}")
    if dimensions == 2:
        result[..., 2] = 0
    seen = result[..., 3] > 0
    place = locate(result)
    if place is None:
        return np.zeros_like(result)
    origin, unit = place
    result[..., :3] = (result[..., :3] - origin) / unit
    if facing and dimensions == 3:
        result[..., :3] = result[..., :3] @ _to_facing(result)
    result[~seen] = 0
    return result


def turned_to_face(sequence: ArrayLike) -> Array:
    """An ntu25 sequence ``(T, 25, 4)`` with depth, turned about the vertical axis as `normalise` does by facing."""
    result = clean(sequence)
    result[..., :3] = result[..., :3] @ _to_facing(result)
    return result


def _to_facing(sequence: Array) -> Array:
    """Rotation (3, 3), applied from the right, about y, that lays the median left-to-right shoulder line along x."""
    left, right = NTU25.index("left_shoulder"), NTU25.index("right_shoulder")
    both = (sequence[:, left, 3] > 0) & (sequence[:, right, 3] > 0)
    if not both.any():
        return np.eye(3, dtype=np.float32)
    across = np.median(sequence[both, right, :3] - sequence[both, left, :3], axis=0)
    breadth = float(np.hypot(across[0], across[2]))
    if breadth < 1e-6:
        return np.eye(3, dtype=np.float32)
    cos, sin = across[0] / breadth, across[2] / breadth
    return np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)


def adjacency() -> Array:
    """The ntu25 graph's spatial-configuration partition, ``(3, 25, 25)``: ST-GCN (Yan et al., AAAI 2018), section 3.3.

    A[0]: a joint itself, A[1]: neighbours nearer to the spine-shoulder joint (centripetal), A[2]: farther neighbours
    (centrifugal). Row i gathers what joint i receives; the three together are normalised by the row's degree.
    """
    size = NTU25.size
    linked = np.eye(size, dtype=bool)
    for a, b in NTU25.bones:
        linked[a, b] = linked[b, a] = True
    hops = np.full(size, -1)
    hops[ORIGIN] = 0
    frontier = [ORIGIN]
    while frontier:
        joint = frontier.pop(0)
        for other in np.flatnonzero(linked[joint]):
            if hops[other] < 0:
                hops[other] = hops[joint] + 1
                frontier.append(int(other))
    weights = linked / linked.sum(axis=1, keepdims=True)
    nearer = hops[None, :] < hops[:, None]
    farther = hops[None, :] > hops[:, None]
    return np.stack([weights * ~(nearer | farther), weights * nearer, weights * farther]).astype(np.float32)
