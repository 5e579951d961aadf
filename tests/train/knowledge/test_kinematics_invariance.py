"""Kinematic captions: what must not change them, on bodies that move at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.skeleton import mirror
from edge_c2vl.skeletons.windows import whole_clips
from tests.support.bodies import as_picture, clip, pose
from train.knowledge.kinematics import Describer, captions, describe
from train.knowledge.posecodes import SEGMENT_NAMES, SPAN_NAMES


def random_walk(seed: int, frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A body whose joints all drift at random, some of them unseen for a while."""
    random = np.random.default_rng(seed)
    sequence, stamps = clip((0, pose()), ((frames - 1) / 30, pose()))
    sequence[..., :3] += random.normal(0, 0.03, sequence[..., :3].shape).cumsum(axis=0).astype(np.float32)
    sequence[10:20, random.integers(25)] = 0
    return sequence * (sequence[..., 3:] > 0), stamps


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(-180, 180), st.floats(0.3, 3), st.sampled_from([0.0, 5.0]))
def test_where_the_body_stands_and_faces_says_nothing(seed, degrees, scale, shift):
    sequence, stamps = random_walk(seed)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    elsewhere = sequence.astype(np.float64)
    elsewhere[..., :3] = elsewhere[..., :3] @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) * scale + shift
    elsewhere *= elsewhere[..., 3:] > 0
    same = describe(sequence, stamps).bits() == describe(elsewhere, stamps).bits()
    # Not every bit: a measure may lie on an edge to the last digit, and heights near the floor line are such.
    assert same.mean() > 0.995


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 3]))
def test_the_mirror_image_exchanges_left_and_right(seed, dimensions):
    sequence, stamps = random_walk(seed)
    if dimensions == 2:
        sequence = as_picture(sequence)
    codes, mirrored = (describe(s, stamps, dimensions=dimensions) for s in (sequence, mirror(sequence)))

    def swapped(name: str) -> str:
        other = {"left": "right", "right": "left"}
        return " ".join(other.get(word, word) for word in name.replace(",", " ,").split()).replace(" ,", ",")

    names = SEGMENT_NAMES + SPAN_NAMES
    order = [names.index(swapped(name)) for name in names]
    both = [
        np.concatenate([c.segments[0].reshape(len(SEGMENT_NAMES), -1).sum(axis=1), c.spans[0]])
        for c in (codes, mirrored)
    ]
    assert (both[0] == both[1][order]).mean() > 0.995


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=5))
def test_a_clip_does_not_depend_on_its_batch(tmp_path_factory, seeds):
    path = Path(tmp_path_factory.mktemp("archive")) / "archive"
    with ArchiveWriter(path, labels=[], source="", licence="", source_layout="ntu25") as writer:
        for index, seed in enumerate(seeds):
            writer.append(f"clip{index}", random_walk(seed)[0], 30.0)
    archive = Archive.open(path)
    batch = Describer(archive).bits(whole_clips(archive))
    said = list(Describer(archive).captions(whole_clips(archive)))
    for row in range(len(seeds)):
        alone = describe(archive.sequence(row), archive.timestamps(row)).bits()
        np.testing.assert_array_equal(batch[row], alone[0])
        assert said[row] == captions(archive.sequence(row), archive.timestamps(row))[0]


def test_bits_are_each_quarter_any_all_and_the_span():
    codes = describe(*random_walk(3))
    bits = codes.bits()
    count, spans = len(SEGMENT_NAMES), len(SPAN_NAMES)
    assert bits.shape == (1, 6 * count + spans)
    quarters = bits[0, : 4 * count].reshape(count, 4)
    np.testing.assert_array_equal(bits[0, 4 * count : 5 * count], quarters.max(axis=1))
    np.testing.assert_array_equal(bits[0, 5 * count : 6 * count], quarters.min(axis=1))
