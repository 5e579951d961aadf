"""Skeleton archives and alert clips as recordings."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.monitoring.events import SeenSkeleton
from edge_c2vl.outputs.alert_clips import SkeletonClips
from edge_c2vl.replay.open import open_drive
from edge_c2vl.replay.skeletons import Judge, KeptDecisions
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, to_ntu25
from tests.support.drives import skeletons
from tests.support.fleet import ALERT
from tests.support.pipeline import Camera, Encoder, Pose, build, model
from tests.support.records import landmarks


def test_clips_of_an_archive(archive):
    drive = open_drive(archive)
    assert (len(drive), drive.find("second"), drive.find("third")) == (2, 1, None)
    first, second = drive.recording(0), drive.recording(1)
    assert (first.label, first.skeletons.labels, first.decisions) == ("phone", None, [])
    np.testing.assert_allclose(first.skeletons.frames, skeletons(), atol=1e-5)
    assert second.label == ""
    assert second.skeletons.labels[::30] == ["calm", "phone", "phone"]
    spans = [(0.0, 1.0, "calm"), (1.0, 2.5, "phone")]
    assert [(round(a, 6), round(b, 6), c) for a, b, c in second.spans] == spans
    left, top, width, height = first.skeletons.view()
    seen = first.skeletons.frames[first.skeletons.frames[..., 3] > 0]
    assert left < seen[:, 0].min() < seen[:, 0].max() < left + width
    assert top < -seen[:, 1].max() < -seen[:, 1].min() < top + height


def test_a_judged_clip_gets_the_decisions_of_the_live_pipeline(monkeypatch, tmp_path):
    """The same skeletons as a recorded drive and through the pipeline with a camera."""

    monkeypatch.setattr("edge_c2vl.bundle.bundle.Bundle.open", lambda _: None)
    monkeypatch.setattr("edge_c2vl.inference.model.ClipModel.open", lambda _: model())
    live = KeptDecisions()
    build(Camera(200), Pose(hidden=range(150, 200)), Encoder(), [live]).run()
    body = to_ntu25(Pose()._body[None], MEDIAPIPE33)[0]
    frames = np.stack([body] * 150 + [np.zeros_like(body)] * 50)
    judged = Judge("any").judge(frames, np.arange(200) / 30)
    told = [[(d.timestamp_s, d.state, d.label, d.distraction) for d in found.decisions] for found in (live, judged)]
    assert told[0] == told[1]
    assert [a.level for a in judged.alerts] == [a.level for a in live.alerts] != []


def test_alert_clips_are_recordings(tmp_path):
    sink = SkeletonClips(str(tmp_path / "clips"), before_s=2, after_s=1)
    for index in range(300):
        sink.skeleton(SeenSkeleton(None if index == 195 else landmarks(), index / 10))
        if index == 200:
            sink.alert(ALERT)
    sink.close()
    drive = open_drive(str(tmp_path / "clips"))
    recording = drive.recording(0)
    assert (recording.name, recording.start_s, recording.end_s) == ("abc-000001", 18.0, 21.0)
    assert recording.alerts == [ALERT.to_json()]
    assert recording.skeletons.layout is MEDIAPIPE33
    broken = tmp_path / "clips" / "abc-000001.npz"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(EdgeC2VLError, match="no alert clip"):
        drive.recording(0)
