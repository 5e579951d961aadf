"""Replay as it is used: the command, the page with its time line in real Chromium, and the export to Rerun."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edge_c2vl.replay.open import open_drive
from edge_c2vl.replay.serve import ReplayServer
from tests.support.page import PIXELS
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]


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
