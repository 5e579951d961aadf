"""Past drives: from decisions, archives and alert clips; the player; the page with its time line in real Chromium."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.monitoring.events import SeenSkeleton
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.outputs.alert_clips import SkeletonClips
from edge_c2vl.outputs.jsonl import JsonLines
from edge_c2vl.replay.open import number_of, open_drive
from edge_c2vl.replay.player import Player
from edge_c2vl.replay.recording import spans_of
from edge_c2vl.replay.serve import ReplayServer
from edge_c2vl.replay.skeletons import Judge, KeptDecisions
from edge_c2vl.skeletons.archive import ArchiveWriter
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, NTU25, to_ntu25
from tests.support.fleet import ALERT
from tests.support.page import PIXELS
from tests.support.pipeline import Camera, Encoder, Pose, build, model
from tests.support.records import DECISION, landmarks
from tests.support.scripted import driver
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]


def decision(time_s, state=State.ATTENTIVE, level=Level.NONE, wall_s=1772352000.0):
    share = 0.9 if state is State.DISTRACTED else 0.1
    probabilities = {"calm": 1 - share, "phone": share}
    label = max(probabilities, key=probabilities.get)
    return replace(
        DECISION, timestamp_s=time_s, wall_s=wall_s + time_s, state=state, level=level, label=label,
        probability=max(probabilities.values()), probabilities=probabilities,
    )  # fmt: skip


def write(path, records, kind="decision"):
    sink = JsonLines(str(path), kind)
    for record in records:
        (sink.decision if kind == "decision" else sink.alert)(record)
    sink.close()
    return str(path)


def drive_of(seconds=20.0, wall_s=1772352000.0):
    """Attentive, distracted from 5 to 10 s with two levels of alert, attentive."""
    decisions = []
    for time_s in np.arange(0, seconds, 0.25).tolist():
        state = State.DISTRACTED if 5 <= time_s < 10 else State.ATTENTIVE
        level = Level.NONE if not 7 <= time_s < 10 else Level.NOTICE if time_s < 8.5 else Level.WARNING
        decisions.append(decision(time_s, state, level, wall_s))
    return decisions


@pytest.fixture
def decisions(tmp_path):
    return write(tmp_path / "decisions.jsonl", drive_of())


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


def skeletons(count=60):
    """ntu25 (T, 25, 4) of a driver who lifts the right hand."""
    return to_ntu25(np.stack([driver(index / count, 0.0) for index in range(count)]), MEDIAPIPE33)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "drives"
    with ArchiveWriter(
        path, labels=["calm", "phone"], source="test", licence="none", source_layout="mediapipe33"
    ) as writer:
        writer.append("first", skeletons(), 30.0, label=1)
        writer.append("second", skeletons(90), 30.0, frame_labels=[0] * 30 + [1] * 45 + [-1] * 15)
    return str(path)


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


def test_spans():
    times = np.array([0.0, 1.0, 2.0, 10.0, 11.0])
    assert spans_of(times, ["a", "a", "b", "b", ""], 11.0) == [(0.0, 2.0, "a"), (2.0, 5.0, "b"), (10.0, 11.0, "b")]
    assert spans_of(np.zeros(0), [], 0.0) == []


def play(drive, *commands, seconds=0.6, first=0):
    """What a player has sent after commands given as (seconds from the start, message)."""

    async def run():
        sent = []

        async def send(text):
            sent.append(json.loads(text))

        player = Player(drive, send, first)
        task = asyncio.ensure_future(player.run())
        start = asyncio.get_running_loop().time()
        for when, command in commands:
            await asyncio.sleep(max(0.0, start + when - asyncio.get_running_loop().time()))
            player.command(json.dumps(command))
        await asyncio.sleep(max(0.0, start + seconds - asyncio.get_running_loop().time()))
        task.cancel()
        return sent

    return asyncio.run(run())


def kinds(messages, kind):
    return [message for message in messages if message["kind"] == kind]


def test_it_plays_every_decision_and_alert_once(decisions):
    # Each tick at this speed is several seconds of the drive.
    sent = play(open_drive(decisions), (0.0, {"kind": "speed", "value": 64}), seconds=1.5)
    assert sent[0]["kind"] == "recording"
    assert [mark[1] for mark in sent[0]["marks"]] == ["notice", "warning"]
    history = kinds(sent, "history")[0]["decisions"]
    times = [d["timestamp_s"] for d in history + kinds(sent, "decision")]
    assert times == np.arange(0, 20, 0.25).tolist()
    assert [alert["level"] for alert in kinds(sent, "alert")] == ["notice", "warning", "none"]
    end = kinds(sent, "position")[-1]
    assert (end["time_s"], end["playing"]) == (19.75, False)


def test_seeking_shows_the_minute_before(decisions):
    sent = play(open_drive(decisions), (0.1, {"kind": "pause"}), (0.2, {"kind": "seek", "value": 9.0}))
    history = kinds(sent, "history")[-1]
    assert [d["timestamp_s"] for d in history["decisions"]] == np.arange(0, 9.25, 0.25).tolist()
    assert [alert["level"] for alert in history["alerts"]] == ["notice", "warning"]
    assert kinds(sent, "position")[-1] == {"kind": "position", "time_s": 9.0, "playing": False, "speed": 1.0}


def test_playing_at_the_end_begins_again(decisions):
    sent = play(open_drive(decisions), (0.1, {"kind": "seek", "value": 99}), (0.3, {"kind": "play"}), seconds=0.8)
    assert 0 < kinds(sent, "position")[-1]["time_s"] < 2


def test_the_skeleton_moves_and_its_labels_are_told(archive):
    sent = play(open_drive(archive), (0.0, {"kind": "speed", "value": 4}), first=1, seconds=1.2)
    shown = kinds(sent, "skeleton")
    assert len({json.dumps(message["points"]) for message in shown}) > 10
    assert list(dict.fromkeys(message["label"] for message in shown)) == ["calm", "phone", ""]
    assert sent[0]["layout"]["joints"] == list(NTU25.joints)


def test_commands_that_are_none_are_ignored(decisions):
    player = Player(open_drive(decisions), send=lambda _: None)
    for text in (
        "",
        "{",
        "[]",
        "null",
        '{"kind":"seek","value":"x"}',
        '{"kind":"seek","value":NaN}',
        '{"kind":"seek","value":true}',
    ):
        player.command(text)
    assert not player._commands
    sent = play(open_drive(decisions), (0.1, {"kind": "recording", "value": 7}), (0.1, {"kind": "fly", "value": 1}))
    assert len(kinds(sent, "recording")) == 1


def test_a_damaged_recording_is_told_on_the_page():
    class Damaged:
        title = "damaged"

        def __len__(self):
            return 1

        def recording(self, index):
            raise EdgeC2VLError("its bytes are gone")

    assert "its bytes are gone" in play(Damaged())[0]["name"]


def test_the_time_line_in_the_browser(browser, decisions):
    from selenium.webdriver.common.keys import Keys

    with ReplayServer(open_drive(decisions), "127.0.0.1:0") as server:
        browser.open(server.url)
        browser.connected()
        browser.until("document.body.dataset.mode === 'replay'", "the replay begins")
        browser.until("document.getElementById('state').dataset.state === 'attentive'", "the first state is shown")
        browser.js("document.getElementById('play').click()")
        browser.until("document.getElementById('play').textContent === 'Play'", "it pauses")
        seek = (
            "const p = document.getElementById('position'); p.value = arguments[0]; p.dispatchEvent(new Event('input'))"
        )
        browser.js(seek, 9.5)
        browser.until("document.getElementById('state').dataset.level === 'warning'", "it goes there")
        assert browser.text("clock-now") == "0:09.5"
        assert browser.js("return document.getElementById('position').ariaValueText") == "0:09.5 of 0:19.7"
        # An alert in the list leads to where it began.
        browser.driver.find_element("css selector", "#alert-list button").click()
        browser.until("document.getElementById('state').dataset.level === 'notice'", "it goes to the alert")
        browser.driver.find_element("id", "position").send_keys(Keys.HOME)
        browser.until("document.getElementById('state').dataset.state === 'attentive'", "Home goes to the beginning")
        browser.js("document.activeElement.blur()")
        browser.driver.find_element("tag name", "body").send_keys(Keys.SPACE)
        browser.until("document.getElementById('play').textContent === 'Pause'", "the space bar plays")
        browser.driver.find_element("tag name", "body").send_keys(Keys.SPACE)
        # A pause is not taken for a lost connection.
        time.sleep(8)
        assert browser.js("return document.body.dataset.link") == "open"
        assert browser.text("play") == "Play"
        assert browser.errors() == []
        assert browser.requests() == {("127.0.0.1", server.port)}


def test_an_archive_in_the_browser(browser, archive):
    with ReplayServer(open_drive(archive), "127.0.0.1:0") as server:
        browser.open(server.url, 390, 844)
        browser.connected()
        browser.until("document.getElementById('state-word').textContent === 'phone'", "the label is shown")
        pictures = set()
        wait_for(lambda: pictures.add(browser.js(PIXELS, "skeleton")) or len(pictures) > 2, 20)
        browser.js("document.getElementById('next').click()")
        browser.until("document.getElementById('state-word').textContent === 'calm'", "the next recording is shown")
        assert browser.js("return document.getElementById('recording').value") == "2"
        assert browser.js("return document.documentElement.scrollWidth") <= 390
        assert browser.errors() == []


def test_rerun_export_holds_skeletons_probabilities_and_alerts(tmp_path, decisions, archive):
    pytest.importorskip("rerun", reason="needs rerun-sdk: pip install rerun-sdk")
    from edge_c2vl.replay.rerun_file import write_rerun

    rrd = tmp_path / "drive.rrd"
    recording = open_drive(decisions).recording(0)
    seen = open_drive(archive).recording(0).skeletons
    write_rerun(replace(recording, skeletons=seen), str(rrd))
    assert [path.name for path in tmp_path.glob("*rrd*")] == ["drive.rrd"]
    assert rrd.stat().st_mode & 0o777 == 0o600
    try:
        from rerun.chunk import RrdReader
    except ImportError:  # its name in older versions
        from rerun.experimental import RrdReader
    entities = {}
    for chunk in RrdReader(rrd).stream():
        entities[chunk.entity_path] = entities.get(chunk.entity_path, 0) + chunk.num_rows
    assert entities["/driver/joints"] == entities["/driver/bones"] == 60
    assert entities["/classes/phone"] == entities["/policy/awareness"] == 80
    assert (entities["/alerts"], entities["/states"]) == (3, 3)


def test_the_command(tmp_path, decisions):
    done = subprocess.run(
        [sys.executable, "cli.py", "replay", str(tmp_path / "no")], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    running = subprocess.Popen(
        [sys.executable, "cli.py", "replay", decisions, "--serve", "127.0.0.1:0"],
        stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    line = running.stderr.readline()
    running.send_signal(2)
    assert running.wait(60) == 0
    assert line.startswith("page at http://127.0.0.1:")
