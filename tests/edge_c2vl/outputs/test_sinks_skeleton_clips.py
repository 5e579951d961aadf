"""Clips of skeletons around an alert."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from edge_c2vl.errors import OutputError
from edge_c2vl.monitoring.events import SeenSkeleton
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.outputs.alert_clips import SkeletonClips
from edge_c2vl.outputs.jsonl import JsonLines
from edge_c2vl.replay.open import open_drive
from tests.support.faces import a_face
from tests.support.fleet import ALERT, alert
from tests.support.records import landmarks


def test_skeleton_clips_hold_what_was_around_an_alert(tmp_path):
    sink = SkeletonClips(str(tmp_path / "clips"), before_s=2, after_s=1)
    for index in range(300):
        now = index / 10
        sink.skeleton(SeenSkeleton(None if index == 195 else landmarks(), now))
        if index == 200:
            sink.alert(ALERT)
        if index == 203:
            sink.alert(alert(2, level=Level.NONE, timestamp_s=now))
    sink.close()
    files = list((tmp_path / "clips").iterdir())
    assert [file.name for file in files] == ["abc-000001.npz"]
    with np.load(files[0]) as clip:
        assert clip["skeletons"].shape == (31, 33, 4)
        assert (clip["timestamps_s"][0], clip["timestamps_s"][-1], clip["alert_s"]) == (18.0, 21.0, 20.0)
        assert not clip["skeletons"][15].any()
        np.testing.assert_array_equal(clip["skeletons"][0], landmarks())


@pytest.mark.parametrize("asked", [False, True])
def test_landmarks_of_the_face_are_kept_only_where_asked_for(tmp_path, asked):
    sink = SkeletonClips(str(tmp_path / "clips"), faces=asked)
    face = a_face()
    sink.skeleton(SeenSkeleton(landmarks(), 19.0))
    sink.skeleton(SeenSkeleton(landmarks(), 20.0, face=face))
    sink.alert(ALERT)
    sink.close()
    with np.load(next((tmp_path / "clips").iterdir())) as clip:
        assert ("faces" in clip) == asked
        if asked:
            assert not clip["faces"][0].any()
            np.testing.assert_allclose(clip["faces"][1], face.points, rtol=1e-6)
    assert len(open_drive(str(tmp_path / "clips"))) == 1


def test_skeleton_clips_are_written_at_the_end_and_the_oldest_go(tmp_path):
    sink = SkeletonClips(str(tmp_path), keep=2)
    for number, level in enumerate([Level.NOTICE, Level.WARNING, Level.CRITICAL], start=1):
        sink.skeleton(SeenSkeleton(landmarks(), 20.0 + number))
        sink.alert(alert(number, level=level, timestamp_s=20.0 + number))
    sink.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_notice_beside_a_critical_alert_has_a_clip_of_its_own(tmp_path):
    sink = SkeletonClips(str(tmp_path))
    sink.skeleton(SeenSkeleton(landmarks(), 20.0))
    sink.alert(alert(1, level=Level.CRITICAL))
    sink.alert(alert(2, level=Level.NOTICE, reason=Reason.CANNOT_SEE))
    sink.alert(alert(3, level=Level.NONE, reason=Reason.CANNOT_SEE))
    sink.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["abc-000001.npz", "abc-000002.npz"]


def test_skeleton_clips_written_after_the_clock_was_set_back_are_not_the_oldest(tmp_path):
    sink = SkeletonClips(str(tmp_path), after_s=0, keep=2)
    for number in range(1, 5):
        sink.alert(alert(number, level=Level.NOTICE))
        sink.alert(alert(number, level=Level.NONE))
        sink.skeleton(SeenSkeleton(landmarks(), 20.0 + number))
        os.utime(tmp_path / f"abc-{number:06d}.npz", (1e9 - number, 1e9 - number))
    sink.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["abc-000003.npz", "abc-000004.npz"]


def test_a_disk_without_room_for_another_file_keeps_the_old_one(tmp_path, monkeypatch):
    sink = JsonLines(str(tmp_path / "events.jsonl"), "state", rotate_bytes=1000)
    open_file, full = os.open, True

    def refuse(path, *how):
        if full and str(path).endswith(".new"):
            raise OSError(28, "No space left on device")
        return open_file(path, *how)

    monkeypatch.setattr(os, "open", refuse)
    for number in range(1, 9):
        full = number < 7
        sink.alert(alert(number))
    sink.close()
    files = sorted(tmp_path.iterdir(), key=lambda file: file.name, reverse=True)
    assert [file.name for file in files] == ["events.jsonl.1", "events.jsonl"]
    assert [json.loads(line)["number"] for file in files for line in file.read_text().splitlines()] == [*range(1, 9)]


def test_a_clip_is_there_from_the_alert_on_and_grows(tmp_path):
    sink = SkeletonClips(str(tmp_path / "clips"))
    file = tmp_path / "clips" / "abc-000001.npz"
    lengths = []
    for index in range(260):
        now = index / 10
        sink.skeleton(SeenSkeleton(landmarks(), now))
        if index == 200:
            sink.alert(ALERT)
        if index >= 200:
            with np.load(file) as clip:
                lengths.append(len(clip["timestamps_s"]))
    # 10 s before the alert; then a second more at a time, up to 5 s.
    assert sorted(set(lengths)) == [101, 111, 121, 131, 141, 151]
    assert [lengths[after] for after in (0, 9, 10, 30, 50)] == [101, 101, 111, 131, 151]
    sink.close()


def test_what_a_killed_run_left_half_written_goes_but_not_what_another_run_is_writing(tmp_path):
    first = SkeletonClips(str(tmp_path / "clips"))
    assert (tmp_path / "clips").stat().st_mode & 0o777 == 0o700
    part = tmp_path / "clips" / ".abcdef.part"
    part.write_bytes(b"half")
    SkeletonClips(str(tmp_path / "clips")).close()
    assert part.exists()
    first.close()
    second = SkeletonClips(str(tmp_path / "clips"))
    assert not part.exists()
    second.skeleton(SeenSkeleton(landmarks(), 20.0))
    second.alert(ALERT)
    second.close()
    assert [file.stat().st_mode & 0o777 for file in (tmp_path / "clips").iterdir()] == [0o600]


def test_replay_leaves_out_what_is_hidden(tmp_path):
    sink = SkeletonClips(str(tmp_path))
    sink.skeleton(SeenSkeleton(landmarks(), 20.0))
    sink.alert(ALERT)
    sink.close()
    for name in (".x.npz", "._abc-000001.npz", ".y.part"):
        (tmp_path / name).write_bytes(b"half")
    assert len(open_drive(str(tmp_path))) == 1


def test_a_folder_that_takes_no_files_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="nothing can be kept there"):
        SkeletonClips(str(tmp_path / "file" / "clips"))
