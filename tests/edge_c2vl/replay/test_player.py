"""The player: what it sends, and what it is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.replay.open import open_drive
from edge_c2vl.replay.player import Player
from edge_c2vl.skeletons.skeleton import NTU25


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


@pytest.mark.parametrize("schema", [1, 2])
def test_what_older_versions_wrote_is_sent_as_it_is(schema):
    file = Path(__file__).parent / "recorded" / f"decisions_of_schema_{schema}.jsonl"
    sent = play(open_drive(str(file)), (0.0, {"kind": "speed", "value": 64}), seconds=1.5)
    shown = kinds(sent, "history")[0]["decisions"] + kinds(sent, "decision")
    assert shown == [json.loads(line) for line in file.read_text().splitlines()]
    assert [alert["level"] for alert in kinds(sent, "alert")][:3] == ["notice", "warning", "critical"]


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
