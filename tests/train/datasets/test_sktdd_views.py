"""Views from other places: cameras and joints come back from what three cameras see; turned recordings are sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25, OPENPOSE25
from train.datasets.prepare import prepare
from train.datasets.sktdd import CAMERAS as CAMERA_NAMES
from train.datasets.sktdd_views import CAMERAS as VIEWS
from train.datasets.sktdd_views import JOINTS, draw_viewpoint, find_cameras, rotation, triangulate, turn
from train.datasets.source import Options

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
    one, other = (turn(body, draw_viewpoint(np.random.default_rng(seed))) for seed in (0, 1))
    assert np.abs(one - other).max() > 10
    wrist, trunk = NTU25.index("left_wrist"), NTU25.index("spine_mid")
    assert (one[:, wrist] == 0).all()
    assert (one[:, trunk, 3] == 1).all()
    assert np.isfinite(one).all()


def write(root: Path, cameras: tuple[str, ...] = ("mirror", "window", "dashboard")) -> Path:
    """The data set's own files: a driver's labelled drive and a moment of normal driving, by these cameras."""
    seen = 60 * seen_by_all(bodies(60)) + 300
    header = "FrameNumber,PersonID," + ",".join(f"x{joint},y{joint}" for joint in range(25))
    for number, camera in enumerate(cameras):
        points = np.zeros((60, 25, 2))
        points[:, 1] = 300  # the neck, from which all is measured
        for place, name in enumerate(NTU25.joints[joint] for joint in JOINTS):
            if name in OPENPOSE25.joints:
                points[:, OPENPOSE25.index(name)] = seen[:, place, VIEWS.index(camera)] * [1, -1]
        rows = [
            f"{frame},{CAMERA_NAMES.index(camera)}," + ",".join(map(str, points[frame].ravel())) for frame in range(60)
        ]
        for file in (f"training/trajectories/001-{number + 1:02d}", f"testing/trajectories/001-{number + 1:02d}"):
            (root / file).mkdir(parents=True)
            (root / file / "00001.csv").write_text("\n".join([header, *rows]) + "\n")
        (root / "testing/test_frame_mask").mkdir(exist_ok=True)
        np.save(root / f"testing/test_frame_mask/001_{number + 1:02d}.npy", np.repeat([0, 1], 30))
    return root


def test_the_archive_has_what_was_recorded_and_what_was_turned(tmp_path: Path) -> None:
    root = write(tmp_path / "original_sktDD")
    assert prepare("sktdd", root, tmp_path / "plain").clips == 6
    report = prepare("sktdd", root, tmp_path / "views", options=Options(views=True), workers=2)
    assert (report.clips, report.skipped) == (6 + 8 + 3, [])
    plain, made = (Archive.open(tmp_path / name) for name in ("plain", "views"))
    assert made.clips["kind"].value_counts().to_dict() == {
        "labelled, turned": 8, "labelled": 3, "normal": 3, "normal, turned": 3,
    }  # fmt: skip
    for row in range(len(plain)):
        np.testing.assert_array_equal(made.sequence(row), plain.sequence(row))
        np.testing.assert_array_equal(made.frame_labels(row), plain.frame_labels(row))
    turned = made.clips[made.clips["kind"] == "labelled, turned"]
    assert set(turned["subject"]) == {"001"}
    assert len(set(turned["group"])) == 8
    np.testing.assert_array_equal(made.frame_labels(turned.index[0]), np.repeat([0, 1], 30))
    assert "other places" in made.meta["source"]


def test_without_all_cameras_there_are_no_views(tmp_path: Path) -> None:
    root = write(tmp_path / "original_sktDD", ("mirror", "window"))
    with pytest.raises(DatasetError, match="all of sktDD's cameras saw"):
        prepare("sktdd", root, tmp_path / "views", options=Options(views=True))
    assert not (tmp_path / "views").exists()
