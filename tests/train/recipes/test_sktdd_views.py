"""Views from other places: cameras and joints come back from what three cameras see; turned recordings are sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.skeleton import NTU25
from train.recipes.sktdd_views import JOINTS, add_views, find_cameras, rotation, triangulate, turn

CAMERAS = np.stack(
    [np.eye(3)[:2], 0.7 * rotation(-60.0, -25.0, 2.0)[:2], 0.5 * rotation(-105.0, -5.0, 3.0)[:2]]
)  # dashboard, mirror, window


def bodies(count: int, seed: int = 0) -> np.ndarray:
    """(N, J, 3): a driver with a trunk that sways a little, and arms anywhere before it; bones keep their length."""
    random = np.random.default_rng(seed)
    result = np.zeros((count, len(JOINTS), 3))
    result[:, :4] = [[0, 0.55, -0.45], [0, 0.25, 0], [0.5, 0, 0], [-0.5, 0, 0]]
    for shoulder, elbow, wrist in ((2, 4, 6), (3, 5, 7)):
        upper, fore = (random.normal(mean, 0.5, (count, 3)) for mean in ([0, -0.8, -0.4], [0, 0.2, -1]))
        result[:, elbow] = result[:, shoulder] + 0.72 * upper / np.linalg.norm(upper, axis=1, keepdims=True)
        result[:, wrist] = result[:, elbow] + 0.56 * fore / np.linalg.norm(fore, axis=1, keepdims=True)
    result[:, 8:] = [[0.3, -1.1, -0.3], [-0.3, -1.1, -0.3]]
    return result + random.normal(0, 0.03, (count, 1, 3)) * (np.arange(len(JOINTS)) < 8)[:, None]


def seen_by_all(body: np.ndarray) -> np.ndarray:
    return np.einsum("vij,nkj->nkvi", CAMERAS, body)


def test_cameras_and_bodies_come_back() -> None:
    body = bodies(120)
    seen = seen_by_all(body) + np.random.default_rng(1).normal(0, 0.01, (120, len(JOINTS), 3, 2))
    seen[::3, 4, 2] = np.nan  # one camera does not always see an elbow
    cameras = find_cameras(seen)
    np.testing.assert_allclose(cameras, CAMERAS, atol=0.03)
    np.testing.assert_allclose(triangulate(seen, cameras), body, atol=0.15)


def test_one_camera_needs_the_usual_place() -> None:
    body = bodies(5)
    seen = seen_by_all(body)
    seen[:, 6, 1:] = np.nan
    seen[:, 7] = np.nan
    assert np.isnan(triangulate(seen, CAMERAS)[:, 6:8]).all()
    usual = body.mean(axis=0)
    found = triangulate(seen, CAMERAS, usual)
    np.testing.assert_allclose(found[:, 6, :2], body[:, 6, :2], atol=0.03)  # what the one camera sees
    np.testing.assert_allclose(found[:, 6, 2], usual[6, 2], atol=1e-6)  # and how far away it usually is
    assert np.isnan(found[:, 7]).all()


def test_turned_bodies_are_whole_and_from_elsewhere() -> None:
    body = bodies(10)
    body[:, 6] = np.nan
    one, other = (turn(body, np.random.default_rng(seed)) for seed in (0, 1))
    assert np.abs(one - other).max() > 10
    wrist, trunk = NTU25.index("left_wrist"), NTU25.index("spine_mid")
    assert (one[:, wrist] == 0).all()
    assert (one[:, trunk, 3] == 1).all()
    assert np.isfinite(one).all()


def write(path: Path, cameras: tuple[str, ...]) -> Archive:
    body = bodies(200)
    with ArchiveWriter(
        path, labels=["attentive", "distracted"], source="made up", licence="none", source_layout="openpose25",
        dimensions=2,
    ) as writer:  # fmt: skip
        for kind in ("labelled", "normal"):
            for number, camera in enumerate(cameras):
                frames = np.zeros((200, NTU25.size, 4))
                frames[:, JOINTS, :2] = 60 * seen_by_all(body)[:, :, number] + 300
                frames[:, JOINTS, 3] = 1
                frames[:, NTU25.index("spine_shoulder")] = [300, 300, 0, 1]
                writer.append(
                    f"{kind}/{camera}", frames, 30.0, label=-1 if kind == "labelled" else 0, subject="1",
                    camera=camera, group=f"{kind}/1", kind=kind, frame_labels=np.repeat([0, 1], 100),
                )  # fmt: skip
    return Archive.open(path)


def test_the_archive_keeps_what_there_was(tmp_path: Path) -> None:
    archive = write(tmp_path / "archive", ("dashboard", "mirror", "window"))
    add_views(archive, tmp_path / "views", labelled=2, normal=1)
    made = Archive.open(tmp_path / "views")
    assert made.clips["kind"].value_counts().to_dict() == {
        "labelled": 3, "normal": 3, "labelled, turned": 2, "normal, turned": 1,
    }  # fmt: skip
    for row in range(len(archive)):
        np.testing.assert_array_equal(made.sequence(row), archive.sequence(row))
        np.testing.assert_array_equal(made.frame_labels(row), archive.frame_labels(row))
    turned = made.clips.index[made.clips["kind"] == "labelled, turned"]
    assert set(made.clips["subject"]) == {"1"}
    np.testing.assert_array_equal(made.frame_labels(turned[0]), np.repeat([0, 1], 100))


def test_other_cameras_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="prepare sktdd"):
        add_views(write(tmp_path / "archive", ("dashboard", "mirror")), tmp_path / "views", 1, 1)
