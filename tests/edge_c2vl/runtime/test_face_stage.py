"""The driver's face in a run: how often it is looked at, what goes with a decision, and what happens when it fails."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.monitoring.standing import Aspect, Condition, Level, Reason
from edge_c2vl.monitoring.stats import Timings
from edge_c2vl.runtime.face_stage import FaceStage, Watching
from edge_c2vl.runtime.settings import RunSettings, parse_reasons
from tests.support.faces import turned
from tests.support.pipeline import Camera, Kept, build

ALL = frozenset(Aspect)


def face(gap_mm=8.0):
    eye = SimpleNamespace(quality=1.0)
    head = SimpleNamespace(rotation=turned(0.0, 0.0))
    gaze = np.array([0.0, 0.0, -1.0])
    return SimpleNamespace(head=head, gaze=gaze, gap_mm=gap_mm, mouth_mm=0.0, left=eye, right=eye)


class Faces:
    """closed: looks from then on have closed eyes. fails: looks that raise."""

    def __init__(self, closed=10**9, fails=range(0)):
        self.looks, self._closed, self._fails = [], closed, fails

    def look(self, image_bgr, skeleton):
        self.looks.append(skeleton)
        if len(self.looks) - 1 in self._fails:
            raise RuntimeError("the network broke")
        return None if skeleton is None else face(0.0 if len(self.looks) > self._closed else 8.0)

    def reset(self):
        pass


IMAGE, BODY = np.zeros((4, 4, 3), np.uint8), np.ones((33, 4), np.float32)


def test_ten_a_second_and_every_frame_while_the_eyes_close():
    faces = Faces(closed=10)
    stage = FaceStage(faces, 10.0, Timings())
    for frame in range(30):
        stage.look(IMAGE, BODY, frame / 30)
    assert (len(faces.looks), stage.closing) == (10, False)
    for frame in range(30, 60):
        stage.look(IMAGE, BODY, frame / 30)
    assert stage.closing
    assert len(faces.looks) >= 10 + 28


def test_between_poses_the_face_is_followed_while_the_eyes_are_closed_and_never_else():
    faces = Faces(closed=3)
    stage = FaceStage(faces, 10.0, Timings())
    for frame in range(20):
        if frame % 2 == 0:
            stage.look(IMAGE, BODY, frame / 30)
        else:
            stage.look_between(IMAGE, frame / 30)
    assert len(faces.looks) == 4 + 9
    # The skeleton says where to look for a moment alone.
    before = len(faces.looks)
    stage.look_between(IMAGE, 5.0)
    assert len(faces.looks) == before


def test_what_goes_with_a_decision_and_what_is_drawn():
    stage = FaceStage(Faces(), 10.0, Timings())
    for frame in range(100):
        stage.look(IMAGE, BODY, frame / 10)
    assert [one.time_s for one in stage.seen] == pytest.approx(np.arange(80, 100) / 10)
    assert stage.newest(9.9) is stage.seen[-1].face
    assert stage.newest(10.3) is None
    stage.look(IMAGE, None, 10.0)
    assert stage.seen[-1].face is None
    stage.reset()
    assert stage.seen == ()


def test_a_clock_that_is_set_back_leaves_no_time_in_which_nobody_looks():
    faces = Faces()
    stage = FaceStage(faces, 10.0, Timings())
    for now in (100.0, 100.1, 95.0, 95.1):
        stage.look(IMAGE, BODY, now)
    assert len(faces.looks) == 4
    assert [one.time_s for one in stage.seen] == [95.0, 95.1]


def run(faces, reasons=ALL, **more):
    kept = Kept()
    build(Camera(90), sinks=[kept], watching=Watching(reasons, faces), **more).run()
    return kept


def test_a_run_tells_what_it_sees_of_the_face():
    kept = run(faces := Faces())
    assert 25 <= len(faces.looks) <= 31
    newest = kept.decisions[-1]
    assert set(newest.reasons) == set(Aspect)
    assert newest.face.seen
    assert newest.reasons[Aspect.EYES].state is Condition.OPEN
    assert newest.to_json()["reasons"]["eyes"]["state"] == "open"
    assert kept.frames[-1].face is not None
    # None before the body was known to be the driver's.
    assert kept.frames[0].face is None


def test_the_same_frames_give_the_same_decisions():
    shown = [
        [(one.reasons, one.face) for one in run(Faces(closed=8)).decisions],
        [(one.reasons, one.face) for one in run(Faces(closed=8)).decisions],
    ]
    assert shown[0] == shown[1]


def test_without_the_face_nothing_is_looked_at():
    kept = run(faces := Faces(), frozenset({Aspect.ACTIVITY, Aspect.UNRESPONSIVE}))
    assert faces.looks == []
    assert set(kept.decisions[-1].reasons) == {Aspect.ACTIVITY, Aspect.UNRESPONSIVE}
    assert kept.decisions[-1].face is None
    assert set(run(None, frozenset({Aspect.ACTIVITY})).decisions[-1].reasons) == {Aspect.ACTIVITY}


def test_a_face_network_that_fails_again_later_is_told_again(caplog):
    stage = FaceStage(Faces(fails=[*range(5, 20, 2), *range(80, 90)]), 10.0, Timings())
    for frame in range(150):
        stage.look(IMAGE, BODY, frame / 10)
    fails = "looking at the face failed, and the run goes on without it: the network broke"
    assert caplog.messages == [fails, "looking at the face works again"] * 2


def test_a_face_network_that_fails_is_told_once_and_the_run_goes_on(caplog):
    kept = run(Faces(fails=range(5, 20)))
    told = [record.message for record in caplog.records if "face failed" in record.message]
    assert told == ["looking at the face failed, and the run goes on without it: the network broke"]
    states = [one.reasons[Aspect.GAZE].state for one in kept.decisions]
    assert Condition.FAILED in states
    assert states[-1] is not Condition.FAILED
    assert {one.reasons[Aspect.ACTIVITY].state for one in kept.decisions} == {
        Condition.CANNOT_SEE,
        Condition.DISTRACTED,
    }


def test_without_alerts_no_level_is_told():
    kept = run(Faces(closed=8), alerts=False)
    assert {one.level for decision in kept.decisions for one in decision.reasons.values()} == {Level.NONE}
    assert Reason.EYES_CLOSED in {reason for decision in run(Faces(closed=8)).decisions for reason in decision.alerts}


def test_a_network_that_could_not_be_opened_stands_in_every_decision():
    kept = run(None)
    assert {one.reasons[Aspect.EYES].state for one in kept.decisions} == {Condition.FAILED}


def test_a_recording_ends_where_the_network_cannot_be_opened_and_a_camera_does_not(monkeypatch, caplog):
    from edge_c2vl.runtime.run import _watching

    def broken(*_arguments):
        raise BundleError("mesh.weights is damaged")

    monkeypatch.setattr("edge_c2vl.face.tracker.open_mesh", broken)
    asked = RunSettings.of(camera="sample", reasons="activity, eyes")
    with pytest.raises(BundleError), _watching(asked, may_fail=False):
        pass
    with _watching(asked, may_fail=True) as watching:
        assert watching.faces is None
    assert "the face is not watched: mesh.weights is damaged" in caplog.text


def test_reasons_by_name():
    assert parse_reasons("activity,gaze") == {Aspect.ACTIVITY, Aspect.GAZE}
    assert parse_reasons("all") == ALL
    for wrong in ("gase", "activity,all", ","):
        with pytest.raises(UsageError, match="there are activity, gaze, eyes, drowsy, unresponsive, and all"):
            parse_reasons(wrong)
    with pytest.raises(UsageError, match=r"--reasons cannot be used: there is no reason gase"):
        RunSettings.of(reasons="gase")
