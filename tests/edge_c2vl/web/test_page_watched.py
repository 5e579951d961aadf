"""What is watched, levels, calibration and the face on the live page in real Chromium."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_c2vl.monitoring.apply_baseline import Personaliser
from edge_c2vl.monitoring.events import SeenSkeleton
from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.self_calibration import SelfCalibration
from edge_c2vl.monitoring.standing import Aspect, Condition, Level, Reason, ReasonState
from edge_c2vl.outputs.page import Page
from tests.support.faces import a_face, turned
from tests.support.fleet import ALERT
from tests.support.page import ABOUT, PIXELS
from tests.support.page_server import TOKEN
from tests.support.records import DECISION
from tests.support.scripted import Drive, Script, driver

# How many of a strip's rows differ from its background in the newest second.
STRIP_DRAWN = """(() => {
const row = [...document.querySelectorAll("#reason-list tr")].find(one => one.cells[0].textContent === "Activity");
const canvas = row.querySelector("canvas");
const column = canvas.getContext("2d").getImageData(canvas.width - 1, 0, 1, canvas.height).data;
const rows = [...Array(canvas.height).keys()].map(row => column.slice(4 * row, 4 * row + 3).join());
const calm = getComputedStyle(document.documentElement).getPropertyValue("--field").trim();
const field = [1, 3, 5].map(at => parseInt(calm.slice(at, at + 2), 16)).join();
return rows.filter(row => row !== field).length;
})()"""
LOOK = f"""
const bars = [...document.querySelectorAll("#state .bars i")];
const empty = "rgba(0, 0, 0, 0)";
const filled = bars.filter(bar => bar.checkVisibility() && getComputedStyle(bar).backgroundColor !== empty);
const shape = document.getElementById("state-icon").getAttribute("href");
return [document.getElementById("level-word").textContent, shape, filled.length, {STRIP_DRAWN}];
"""


def test_levels_are_told_apart_without_colour(browser, page):
    """By word, by shape, and by how many bars are filled; and the strip of its reason is the taller the higher."""
    browser.open(page.url)
    browser.connected()
    looks = []
    for number, level in enumerate(Level):
        standing = {Reason.LONG: level} if level else {}
        page.decision(replace(DECISION, timestamp_s=70.0 * (1 + number), level=level, alerts=standing))
        page.decision(replace(DECISION, timestamp_s=70.0 * (1 + number) + 1, level=level, alerts=standing))
        browser.until(f"document.getElementById('state').dataset.level === '{level.name.lower()}'", "shown")
        browser.until(STRIP_DRAWN + (" > 0" if level else " === 0"), "the strip is drawn")
        looks.append(browser.js(LOOK))
    words, shapes, bars, strips = zip(*looks, strict=True)
    assert words == ("", "Notice", "Warning", "Critical")
    assert shapes == ("#icon-distracted", "#icon-notice", "#icon-warning", "#icon-critical")
    assert bars == (0, 1, 2, 3)
    assert sorted(set(strips)) == list(strips)


def test_an_alert_of_each_reason_appears(browser, page):
    browser.open(page.url)
    browser.connected()
    for number, reason in enumerate(Reason, 1):
        page.alert(replace(ALERT, number=number, reason=reason, timestamp_s=20.0 + number))
        page.decision(replace(DECISION, timestamp_s=20.0 + number, level=Level.WARNING, alerts={reason: Level.WARNING}))
        shown = f"document.getElementById('state-word').textContent.toLowerCase() === '{reason.value}'"
        browser.until(shown, "the reason stands in the band")
        listed = f"document.querySelector('#alert-list .why').textContent.startsWith('{reason.value}')"
        browser.until(listed, "the alert is listed")
    rows = "[...document.querySelectorAll('#reason-list tr')].filter(row => row.dataset.level !== 'none').length"
    assert browser.js(f"return {rows}") == 1
    assert browser.errors() == []


ROWS = """[...document.querySelectorAll("#reason-list tr")].filter(row => !row.hidden).map(row =>
  [row.cells[0].textContent, row.cells[2].textContent.trim(), row.cells[3].textContent])"""


def test_what_is_watched_its_calibration_and_the_face(browser, page):
    closed = ReasonState(Condition.CLOSED, Level.WARNING, 0.5, 1.6, 1.0)
    watched = {Aspect.ACTIVITY: ReasonState(Condition.ATTENTIVE, learnt=0.25), Aspect.EYES: closed}
    look = FaceLook(12.0, True, gaze=(-24.0, 1.0), openness=0.1, closed_s=1.6, perclos=0.031, blinks_a_minute=14)
    browser.open(page.url)
    browser.connected()
    page.decision(replace(DECISION, state=State.ATTENTIVE))
    browser.until("document.getElementById('state').dataset.state === 'attentive'", "shown")
    # Without the face path nothing of a face is shown.
    assert not browser.js("return document.getElementById('mesh').checkVisibility()")
    assert not browser.js("return document.getElementById('calibrate').checkVisibility()")
    standing = {Reason.EYES_CLOSED: Level.WARNING}
    page.decision(replace(DECISION, level=Level.WARNING, alerts=standing, reasons=watched, face=look))
    page.skeleton(SeenSkeleton(driver(0.0, 0.0), 13.0, (640, 480), a_face()))
    browser.until("document.getElementById('state-word').textContent === 'Eyes closed'", "the reason is shown")
    # What is not watched is not listed.
    assert browser.js(f"return {ROWS}") == [
        ["Activity", "attentive", "25 %"],
        ["Eyes", "closed 1.6 s", "100 %"],
        ["Cannot see", "–", ""],
        ["Other driver", "–", ""],
    ]
    facts = browser.js("return document.getElementById('face-facts').innerText").split("\n")
    told = dict(zip(facts[::2], facts[1::2], strict=True))
    assert (told["Eyes"], told["Gaze"], told["Head"]) == ("closed 1.6 s", "24° right", "–")
    assert (told["Closed, 1 min"], told["Blinks, 1 min"]) == ("3 %", "14")
    drawn = browser.js(PIXELS, "mesh")
    page.skeleton(SeenSkeleton(driver(0.0, 0.0), 13.1, (640, 480), a_face(turned(yaw=30))))
    browser.until(f"(() => {{ {PIXELS.replace('arguments[0]', repr('mesh'))} }})() !== {drawn}", "the face turns")
    assert browser.errors() == []


def test_calibration_rises_while_driving_and_the_button_begins_it_anew(browser, page):
    learnt = "parseInt(document.querySelector('#reason-list .learnt').textContent || '0')"
    personaliser = Personaliser(None, later=True, calibration=SelfCalibration(minutes=0.15))
    with Drive(Script((1e9, 1e9)), [page], personaliser=personaliser):
        browser.open(page.url)
        first = browser.until(learnt, "something is learnt")
        later = browser.until(f"{learnt} > {first + 20} && {learnt}", "more is learnt")
        browser.js("document.getElementById('calibrate').click()")
        browser.until(f"{learnt} < {later - 20}", "it begins anew")
    assert browser.errors() == []


class Calibrated:
    """As much of a run as the button asks for."""

    def __init__(self):
        self.asked = 0

    def calibrate(self):
        self.asked += 1


@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_button_begins_calibration_anew(browser, monkeypatch, token):
    if token is not None:
        monkeypatch.setenv("EDGE_C2VL_TOKEN", token)
    run = Calibrated()
    page = Page("127.0.0.1:0", ABOUT)
    try:
        browser.open(f"{page.url}?token={token}" if token else page.url)
        browser.connected()
        watched = {Aspect.ACTIVITY: ReasonState(Condition.ATTENTIVE, learnt=1.0)}
        page.decision(replace(DECISION, reasons=watched))
        browser.until("document.getElementById('calibrate').checkVisibility()", "the button is there")
        press, told = (
            "document.getElementById('calibrate').click()",
            "document.getElementById('banner-text').textContent",
        )
        browser.js(press)
        browser.until(f"{told} === 'Calibration goes on: the run has not begun yet\\n'", "there is no run yet")
        page.attach(run)
        browser.js(press)
        browser.until(f"{told} === 'Calibration begins anew.'", "it begins anew")
        assert run.asked == 1
    finally:
        page.close()
