"""Files of decisions and events as recordings, also those of older schemas; what is damaged is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.replay.open import number_of, open_drive
from edge_c2vl.replay.recording import spans_of
from tests.support.drives import decision, drive_of, write
from tests.support.fleet import ALERT

RECORDED = Path(__file__).parent / "recorded"


def test_decisions_become_a_recording(decisions):
    drive = open_drive(decisions)
    assert (len(drive), drive.title) == (1, "decisions.jsonl")
    recording = drive.recording(0)
    assert (recording.name, recording.start_s, recording.end_s) == ("2026-03-01 08:00:00 UTC", 0.0, 19.75)
    assert [json.loads(text)["timestamp_s"] for text in recording.decisions] == recording.times_s.tolist()
    assert recording.spans == [(0.0, 5.0, "attentive"), (5.0, 10.0, "distracted"), (10.0, 19.75, "attentive")]
    assert [(a["timestamp_s"], a["level"]) for a in recording.alerts] == [
        (7.0, "notice"),
        (8.5, "warning"),
        (10.0, "none"),
    ]
    assert (recording.labels, recording.distraction) == (["calm", "phone"], ["phone"])


def test_runs_in_one_file_are_told_apart(tmp_path):
    path = tmp_path / "decisions.jsonl"
    # The second begins at an earlier time, the third after a pause.
    later = [decision(time_s, wall_s=1772360000.0) for time_s in (100.0, 100.25, 150.0)]
    write(path, [*drive_of(3), *later])
    drive = open_drive(str(path))
    assert [(r.start_s, r.end_s) for r in map(drive.recording, range(3))] == [
        (0.0, 2.75),
        (100.0, 100.25),
        (150.0, 150.0),
    ]
    assert number_of(drive, None) == 0
    assert number_of(drive, drive.recording(1).name) == number_of(drive, "2") == 1
    for name in ("0", "4", "x"):
        with pytest.raises(UsageError, match="a number of 1 to 3"):
            number_of(drive, name)


def test_alerts_come_from_the_events_of_the_same_run(tmp_path, decisions):
    mine = [
        replace(ALERT, number=1, timestamp_s=7.0, wall_s=1772352007.0),
        replace(ALERT, number=2, level=Level.NONE, timestamp_s=10.0, wall_s=1772352010.0),
    ]
    another_run = replace(ALERT, number=3, timestamp_s=8.0, wall_s=1772300000.0)
    events = write(tmp_path / "events.jsonl", [another_run, *mine], "state")
    recording = open_drive(decisions, events).recording(0)
    assert [(alert["number"], alert["level"]) for alert in recording.alerts] == [(1, "warning"), (2, "none")]


def old(number, level, reason, timestamp_s):
    """An alert as schema 1 had it."""
    kept = {name: value for name, value in ALERT.to_json().items() if name != "alerts"}
    when = {"timestamp_s": timestamp_s, "time": f"2026-03-01T08:00:{timestamp_s:02.0f}.000Z"}
    return kept | {"schema": 1, "number": number, "level": level, "reason": reason} | when


def test_events_of_schema_1_still_replay_each_alert_with_its_end(tmp_path):
    path, events = tmp_path / "decisions.jsonl", tmp_path / "events.jsonl"
    lines = [
        {name: value for name, value in one.to_json().items() if name != "alerts"} | {"schema": 1} for one in drive_of()
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = [
        old(1, "notice", "long distraction", 7),
        old(2, "warning", "long distraction", 8),
        old(3, "warning", "cumulative distraction", 9),
        old(4, "none", None, 12),
    ]
    events.write_text("".join(json.dumps(line) + "\n" for line in told))
    recording = open_drive(str(path), str(events)).recording(0)
    assert [(a["timestamp_s"], a["level"], a["reason"]) for a in recording.alerts] == [
        (7, "notice", "long distraction"),
        (8, "warning", "long distraction"),
        (9, "none", "long distraction"),
        (9, "warning", "cumulative distraction"),
        (12, "none", "cumulative distraction"),
    ]
    alone = open_drive(str(path)).recording(0).alerts
    assert [(a["level"], a["reason"]) for a in alone] == [("notice", None), ("warning", None), ("none", None)]


def test_decisions_of_schema_2_still_replay(tmp_path):
    path = tmp_path / "decisions.jsonl"
    lines = [one.to_json() for one in drive_of()]
    old = [{k: v for k, v in line.items() if k not in ("reasons", "face")} | {"schema": 2} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in old))
    recording = open_drive(str(path)).recording(0)
    assert [(a["timestamp_s"], a["level"]) for a in recording.alerts] == [
        (7.0, "notice"),
        (8.5, "warning"),
        (10.0, "none"),
    ]


@pytest.mark.parametrize(
    ("schema", "ends", "alone"),
    [
        # One alert took the place of the other, whose end nobody wrote; the decisions name no reason.
        (1, [(39.0, "long distraction"), (44.0, "cumulative distraction")], [(44.0, None)]),
        (2, [(39.0, "long distraction"), (43.0, "cumulative distraction")], None),
    ],
)
def test_what_older_versions_wrote(schema, ends, alone):
    """recorded/: a drawn driver with the phone at the ear from second 15 to 35, by the last versions of these schemas:
    edge-c2vl run --camera 'simulated:story?live=no&fps=5&seconds=45&seed=1' --hop 1 --decisions FILE --events FILE"""
    path, events = (RECORDED / f"{kind}_of_schema_{schema}.jsonl" for kind in ("decisions", "events"))
    drive = open_drive(str(path), str(events))
    assert len(drive) == 1
    recording = drive.recording(0)
    assert (len(recording.decisions), recording.start_s, recording.end_s) == (44, 1.0, 44.0)
    assert [state for _, _, state in recording.spans] == ["starting", "attentive", "distracted", "attentive"]
    assert "attentive" in set(recording.labels) - set(recording.distraction)
    assert recording.distraction
    told = [(alert["level"], alert["reason"]) for alert in recording.alerts if alert["level"] != "none"]
    assert told == [
        ("notice", "long distraction"),
        ("warning", "long distraction"),
        ("critical", "long distraction"),
        ("warning", "cumulative distraction"),
    ]
    assert [(a["timestamp_s"], a["reason"]) for a in recording.alerts if a["level"] == "none"] == ends
    # Without the events, by the decisions alone.
    read_off = open_drive(str(path)).recording(0).alerts
    assert [(a["timestamp_s"], a["reason"]) for a in read_off if a["level"] == "none"] == (alone or ends)
    assert [a["level"] for a in read_off][:3] == ["notice", "warning", "critical"]


def test_alerts_side_by_side_are_read_off_the_decisions(tmp_path):
    both = {Reason.LONG: Level.WARNING, Reason.CANNOT_SEE: Level.NOTICE}
    standing = [{}, {Reason.CANNOT_SEE: Level.NOTICE}, both, {Reason.LONG: Level.CRITICAL}, {}]
    told = [
        replace(decision(0.25 * at), level=next(iter(alerts.values()), Level.NONE), alerts=alerts)
        for at, alerts in enumerate(standing)
    ]
    recording = open_drive(write(tmp_path / "decisions.jsonl", told)).recording(0)
    assert [(a["level"], a["reason"]) for a in recording.alerts] == [
        ("notice", "cannot see"),
        ("warning", "long distraction"),
        ("critical", "long distraction"),
        ("none", "cannot see"),
        ("none", "long distraction"),
    ]


def test_a_line_that_a_power_cut_left_is_left_out_and_a_broken_one_is_told(tmp_path, decisions):
    path = Path(decisions)
    whole = path.read_text()
    path.write_text(whole + '{"schema": 3, "kind": "deci')
    assert len(open_drive(decisions).recording(0).decisions) == 80
    first, rest = whole.split("\n", 1)
    for old, new in [
        ('"schema": 3', '"schema": 4'),
        ("attentive", "asleep"),
        ('"timestamp_s": 0.0', '"timestamp_s": NaN'),
        ('"timestamp_s": 0.0', '"timestamp_s": "x"'),
        ("0.9", '"0.9"'),
        ('"time": "2026', '"time": "x2026'),
        (first, "{"),
        (first, "[]"),
        (first, '{"kind": "decision"}'),
        (first, "9" * 5000),
    ]:
        broken = first.replace(old, new)
        assert broken != first
        path.write_text(f"{first}\n{broken}\n{rest}")
        with pytest.raises(EdgeC2VLError, match=r"decisions.jsonl line 2 is no record of edge-c2vl run"):
            open_drive(decisions)


def test_what_cannot_be_replayed_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "events.jsonl").write_text("")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\x00")
    for name, message in [
        ("nothing", "does not exist"),
        ("empty", "neither a skeleton archive"),
        ("events.jsonl", "holds no decisions"),
        ("picture.png", "no JSON lines"),
    ]:
        with pytest.raises(EdgeC2VLError, match=message):
            open_drive(str(tmp_path / name))


def test_spans():
    times = np.array([0.0, 1.0, 2.0, 10.0, 11.0])
    assert spans_of(times, ["a", "a", "b", "b", ""], 11.0) == [(0.0, 2.0, "a"), (2.0, 5.0, "b"), (10.0, 11.0, "b")]
    assert spans_of(np.zeros(0), [], 0.0) == []
