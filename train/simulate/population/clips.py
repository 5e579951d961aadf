"""Clips of simulated drivers, as the encoder takes them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25, OPENPOSE25, ORIGIN, UNIT_BONES, Array, to_ntu25
from train.simulate.population.activities import LABELS, MIRRORED
from train.simulate.population.cameras import draw_cameras
from train.simulate.population.estimator import Errors, observe
from train.simulate.population.kinematics import place_joints, place_trunk
from train.simulate.population.motion import Script, perform
from train.simulate.population.people import Random, draw_people, uniform
from train.simulate.population.told import tell

Ints = NDArray[np.int64]
_ATTENTIVE = LABELS.index("attentive")


@dataclass(frozen=True)
class Sequences:
    """N clips' skeletons: ntu (N, T, 25, 4), 2-D, in half picture widths; label (N,) of LABELS (what most of the frames
    show); share (N,) of the frames that show it; place (N,) of the camera (PLACES); told: N captions (told.py)."""

    ntu: Array
    label: Ints
    share: NDArray[np.float32]
    place: Ints
    told: list[str]


@dataclass(frozen=True)
class Drawn:
    """The same as the encoder takes them: data (N, 3, T, 25), and arms (N,) as in clip.Clip."""

    data: Array
    label: Ints
    share: NDArray[np.float32]
    place: Ints
    arms: NDArray[np.float32]


def draw_script(count: int, random: Random, seconds: float, changing: float = 0.3) -> Script:
    """Attentive driving in a quarter of the clips, the other activities in equal shares; in `changing` of the clips one
    begins or ends."""
    doing = random.integers(1, len(LABELS), count)
    doing[random.random(count) < 0.25] = _ATTENTIVE
    changes = random.random(count) < changing
    before = changes & (random.random(count) < 0.6)
    first = np.where(before, _ATTENTIVE, doing)
    second = np.where(changes & ~before, _ATTENTIVE, doing)
    switch_s = np.where(changes, uniform(random, -0.8, seconds, count), np.inf).astype(np.float32)
    return Script(first, second, switch_s, uniform(random, 0.6, 1.2, count))


def draw_clips(count: int, seed: int, spec: ClipSpec, errors: Errors | None = None, still: float = 0.2) -> Drawn:
    """See draw_sequences."""
    drawn = draw_sequences(count, seed, spec, errors, still)
    data, arms = normalise_many(drawn.ntu, spec)
    return Drawn(data, drawn.label, drawn.share, drawn.place, arms)


def draw_sequences(
    count: int, seed: int, spec: ClipSpec, errors: Errors | None = None, still: float = 0.2
) -> Sequences:
    """The same for the same seed. still: the share of clips that hold one posture, as a picture does; half of all clips
    are of right-hand drive."""
    random = np.random.default_rng([seed, 101])
    people, cameras = draw_people(count, random), draw_cameras(count, random)
    times_s = np.linspace(0, spec.seconds, spec.frames, dtype=np.float32)
    script = draw_script(count, random, spec.seconds)
    posture = perform(people, script, times_s, random)
    labels = script.label(times_s)
    held = random.random(count) < still
    posture[held] = posture[held][:, -1:]
    labels[held] = labels[held][:, -1:]
    trunk, joints = place_trunk(people, posture), place_joints(people, posture)
    places, seen = observe(joints, trunk, cameras, errors or Errors(), random)
    sequences = np.zeros((count, spec.frames, OPENPOSE25.size, 4), np.float32)
    for index, name in enumerate(OPENPOSE25.joints):
        if name in places:
            sequences[:, :, index, :2], sequences[:, :, index, 3] = places[name], seen[name]
    # A picture that is held trembles no more than its posture moves.
    sequences[held] = sequences[held][:, -1:]
    ntu = to_ntu25(sequences.reshape(-1, OPENPOSE25.size, 4), OPENPOSE25).reshape(count, spec.frames, NTU25.size, 4)
    label, share = _majority(labels)
    mirrored = random.random(count) < 0.5
    ntu[mirrored] = ntu[mirrored][:, :, list(NTU25.mirror)]
    ntu[mirrored, ..., 0] *= -1
    label = np.where(mirrored, np.array(MIRRORED)[label], label)
    return Sequences(ntu, label, share, cameras.place, tell(people, posture, labels, mirrored))


def _majority(labels: Ints) -> tuple[Ints, NDArray[np.float32]]:
    counts = (labels[:, None] == np.arange(len(LABELS))[None, :, None]).sum(axis=2)
    return counts.argmax(axis=1), (counts.max(axis=1) / labels.shape[1]).astype(np.float32)


def normalise_many(sequences: Array, spec: ClipSpec) -> tuple[Array, NDArray[np.float32]]:
    """skeleton.normalise for many 2-D sequences (N, T, 25, 4) at once -> clips (N, 3, T, 25), and Clip.arms (N,)."""
    used = np.array([name in spec.joints for name in NTU25.joints])
    seen = (sequences[..., 3] > 0) & used
    places = np.where(seen[..., None], sequences[..., :2], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a joint that was never seen has no median
        origin = np.nanmedian(places[:, :, ORIGIN], axis=1)
        lengths = [
            np.nanmedian(np.linalg.norm(places[:, :, a] - places[:, :, b], axis=-1), axis=1) / share
            for a, b, share in UNIT_BONES
        ]
    unit = np.nanmax(np.stack([*lengths, np.zeros(len(places))]), axis=0)
    known = np.isfinite(origin).all(axis=1) & (unit > 1e-6)
    moved = (places - origin[:, None, None]) / np.maximum(unit, 1e-6)[:, None, None, None]
    moved = np.where(known[:, None, None, None], np.nan_to_num(moved), 0)
    data = np.zeros((len(places), 3, *places.shape[1:3]), np.float32)
    data[:, :2] = moved.transpose(0, 3, 1, 2)
    arms = seen[:, :, [NTU25.index(f"{s}_{j}") for s in ("left", "right") for j in ("elbow", "wrist")]].any(axis=2)
    return data, (arms.mean(axis=1) * known).astype(np.float32)
