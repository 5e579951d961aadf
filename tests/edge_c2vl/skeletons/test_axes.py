"""A camera's axes, told by the people that it sees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.axes import camera_axes
from edge_c2vl.skeletons.clip import ClipSpec, make_clip
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.skeletons.windows import clip_of, sliding
from tests.support.bodies import UPPER, bent, clip, moved, pose, turned
from train.knowledge.kinematics import describe


def walks() -> list[Array]:
    """People walk over a floor, in two directions, and one of them bends down on the way."""
    return [
        clip((0, moved(pose(), by=(-2, 0, 2))), (3, moved(pose(), by=(2, 0, 4))))[0],
        clip((0, turned(moved(pose(), by=(1, 0, 2)), 90)), (3, turned(moved(bent(pose(), 60), by=(-1, 0, 5)), 90)))[0],
    ]


def tilted(degrees: float) -> Array:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]], np.float32)


@pytest.mark.parametrize(("tilt", "mirrored"), list(itertools.product((-20.0, 15.0), (False, True))))
def test_camera_axes_undo_tilt_and_mirroring(tilt, mirrored):
    to_camera = tilted(tilt)
    if mirrored:
        to_camera = to_camera @ np.diag([-1, 1, 1]).astype(np.float32)
    seen = walks()
    for walk in seen:
        walk[..., :3] = walk[..., :3] @ to_camera
    axes = camera_axes(seen)
    np.testing.assert_allclose(to_camera @ axes @ np.array([0, 1, 0]), [0, 1, 0], atol=0.02)
    assert np.linalg.det(to_camera @ axes) > 0
    # And so the words are those of the level camera.
    level = walks()[0]
    stamps = np.arange(len(level)) / 30
    assert (describe(seen[0], stamps, axes=axes).bits() == describe(level, stamps).bits()).mean() > 0.99


def test_camera_axes_keep_still_where_nothing_tells():
    np.testing.assert_array_equal(camera_axes([]), np.eye(3))
    standing = clip((0, pose()), (10, pose()))[0]  # one place: no plane
    np.testing.assert_array_equal(camera_axes([standing]), np.eye(3))
    upper = clip((0, pose()), (10, moved(pose(), by=(3, 0, 3))), joints=UPPER)[0]
    np.testing.assert_array_equal(camera_axes([upper]), np.eye(3))


def test_a_window_is_put_upright_as_the_whole_recording_is(tmp_path):
    with ArchiveWriter(tmp_path / "a", labels=[], source="made up", licence="none", source_layout="ntu25") as writer:
        for number, walk in enumerate(walks()):
            walk[..., :3] = walk[..., :3] @ tilted(15)
            writer.append(f"clip{number}", walk, 30.0, camera="one")
    archive = Archive.open(tmp_path / "a")
    windows, spec = sliding(archive, seconds=1.0, hop_s=0.2), ClipSpec(seconds=1.0, frames=16, upright=True)
    assert len(windows) > 10
    for row, start_s, end_s in zip(windows.clip, windows.start_s, windows.end_s, strict=True):
        whole = make_clip(archive.upright(row), archive.timestamps(row), end_s, spec)
        assert not np.array_equal(archive.upright(row), archive.sequence(row))
        np.testing.assert_array_equal(clip_of(archive, row, start_s, end_s, spec).data, whole.data)
