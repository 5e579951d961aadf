"""Our network against MediaPipe's own graph, on real faces: the same picture and region, the same landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.face.landmarks import MeshFinder
from edge_c2vl.face.networks import open_mesh
from edge_c2vl.face.region import from_landmarks, from_pose
from edge_c2vl.pose import PoseEstimator
from tests.support.faces import MediaPipeFace
from tests.support.pose_clips import frames_of

pytest.importorskip("mediapipe", reason="needs the reference: pip install 'edge-c2vl[mediapipe]'")


@pytest.mark.parametrize("name", ["face_turns.mp4", "face_eyes.mp4", "face_yawn.gif", "eat.mkv"])
def test_landmarks_are_mediapipes(data_dir: Path, name: str) -> None:
    frames = frames_of(data_dir / "video" / name)[:: 12 if name != "face_turns.mp4" else 20]
    finder, reference = MeshFinder(open_mesh()[1]), MediaPipeFace()
    apart = []
    with PoseEstimator(static=True) as pose:
        region = from_pose(pose.estimate(frames[0].image, 0.0))
    assert region is not None
    for frame in frames:
        ours, theirs = finder.find(frame.image, region), reference.find(frame.image, region)
        assert (ours.presence > 0.5) == (theirs is not None)
        if theirs is not None:
            width = np.ptp(theirs[:, 0])
            apart.append(np.abs(ours.points - theirs).max() / width)
            region = from_landmarks(ours.points)
    reference.close()
    print(f"{name}: {len(apart)} faces, median {np.median(apart):.1e}, farthest {max(apart):.1e} of the face's width")
    assert len(apart) >= 4
    assert np.median(apart) < 1e-4
    assert max(apart) < 5e-3  # of a face from the side, whose eyes are cut out where the far one is guessed to be
