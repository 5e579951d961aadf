"""The live page in real Chromium. Camera, pose and encoder follow a script; pipeline, server and page are real."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
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
from tests.support.programs import free_port
from tests.support.records import DECISION
from tests.support.scripted import LABELS, Drive, Script, driver

TOKEN = "a-secret-of-some-length"


# Every visible text with its contrast (WCAG 2.2, success criterion 1.4.3) where that is below 4.5.
CONTRAST = """
const parse = (text) => {
  const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
  return { rgb: [r, g, b], a };
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.a > 0) return colour.rgb;
  }
  return [255, 255, 255];
};
const bad = [], seen = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement;
  if (!text || !element.checkVisibility() || element.closest(".hidden, .skip, script, :disabled")) continue;
  const [a, b] = [parse(getComputedStyle(element).color).rgb, background(element)].map(luminance).sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  seen.push(text);
  if (ratio < 4.5) bad.push(`${text}: ${ratio.toFixed(2)}`);
}
return { bad, seen };
"""


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


@pytest.fixture
def page():
    opened = Page("127.0.0.1:0", ABOUT)
    yield opened
    opened.close()


def test_it_connects_and_the_skeleton_moves(browser, page):
    with Drive(Script((1e9, 1e9)), [page]):
        browser.open(page.url)
        browser.connected()
        browser.until("document.getElementById('state').dataset.state === 'attentive'", "the state is shown")
        pictures = set()
        for _ in range(5):
            pictures.add(browser.js(PIXELS, "skeleton"))
            time.sleep(0.2)
        assert len(pictures) >= 3
        assert browser.text("state-word") == "Attentive"
        assert browser.text("source") == "webcam 0 (640x480, 30 fps)"
        assert browser.text("privacy") == "Landmarks only. No picture is sent."
        browser.until("document.querySelectorAll('#stages tr').length >= 5", "latencies are shown")
        legend = browser.js(
            "return [...document.querySelectorAll('#legend li')].map(row => row.children[1].textContent)"
        )
        assert legend == list(LABELS)
        assert browser.errors() == []
        assert browser.requests() == {("127.0.0.1", page.port)}


def test_an_alert_appears(browser, page):
    with Drive(Script((2.0, 1e9)), [page]):
        browser.open(page.url)
        browser.until("document.querySelector('#alert-list [data-level=notice]')", "a notice is listed")
        browser.until("document.getElementById('state').dataset.level === 'warning'", "the band shows the warning")
        assert browser.text("level-word") == "Warning"
        assert browser.text("state-word") == "Long distraction"
        assert browser.text("state-more").startswith("Distracted · phone ")
        assert browser.text("say-now") == "Warning: long distraction"
        assert browser.js("return document.getElementById('say-now').ariaLive") == "assertive"
        # The page itself measures how far it is behind its alerts; benchmarks/page_alert.py reads it as well.
        marks = browser.js("return performance.getEntriesByName('alert').map(mark => mark.detail)")
        assert [mark["number"] for mark in marks][:2] == [1, 2]
        assert all(isinstance(mark["behind_ms"], (int, float)) for mark in marks)
        assert browser.errors() == []


def test_alerts_stand_side_by_side_and_each_ends_for_itself(browser, page):
    def alert(number, reason, level, standing):
        page.alert(replace(ALERT, number=number, reason=reason, level=level, timestamp_s=20.0 + number))
        level = next(iter(standing.values()), Level.NONE)
        page.decision(replace(DECISION, timestamp_s=20.0 + number, level=level, alerts=standing))

    both = {Reason.LONG: Level.CRITICAL, Reason.CANNOT_SEE: Level.NOTICE}
    browser.open(page.url)
    alert(1, Reason.LONG, Level.CRITICAL, {Reason.LONG: Level.CRITICAL})
    alert(2, Reason.CANNOT_SEE, Level.NOTICE, both)
    browser.until("document.getElementById('alert-list').children.length === 2", "both are listed")
    shown = "document.getElementById('state-more').textContent.startsWith"
    browser.until(f"{shown}('Notice: cannot see · Distracted')", "both stand in the band")
    assert browser.text("level-word") == "Critical"
    assert browser.text("state-word") == "Long distraction"
    lengths = "[...document.querySelectorAll('#alert-list .length')].map(one => one.textContent)"
    assert browser.js(f"return {lengths}") == ["now", "now"]
    alert(3, Reason.CANNOT_SEE, Level.NONE, {Reason.LONG: Level.CRITICAL})
    browser.until(f"{lengths}[0] === '1.0 s'", "the notice has ended")
    assert browser.js(f"return {lengths}") == ["1.0 s", "now"]
    assert browser.js("return document.getElementById('state').dataset.level") == "critical"
    assert browser.errors() == []


def test_who_comes_later_sees_the_last_minute(browser, page):
    for number in range(200):
        page.decision(replace(DECISION, timestamp_s=100 + number / 2))
    page.alert(ALERT)
    browser.open(page.url)
    browser.until("document.getElementById('state').dataset.state === 'distracted'", "the newest decision is shown")
    assert browser.js("return document.querySelectorAll('#alert-list li').length") == 1
    assert browser.js(PIXELS, "chart") != 0


def test_it_comes_back_after_a_restart_of_the_server(browser):
    port = free_port()
    first = Page(f"127.0.0.1:{port}", ABOUT)
    with Drive(Script((1e9, 1e9)), [first]):
        browser.open(first.url)
        browser.until("document.getElementById('state').dataset.state === 'attentive'", "the state is shown")
    browser.until(
        "document.getElementById('banner-text').textContent.includes('Trying again')", "it says that it lost it"
    )
    # What was the state is no longer known.
    assert browser.text("state-word") in ("Ended", "No news")
    with Drive(Script((1e9, 1e9)), [second := Page(f"127.0.0.1:{port}", ABOUT)]):
        browser.until(
            "document.getElementById('banner-text').textContent.includes('started anew')", "it says that it is back"
        )
        browser.until("document.getElementById('state').dataset.state === 'attentive'", "the state is shown again")
        browser.until("document.getElementById('banner').hidden", "the banner goes away")
        assert second.viewers == 1
    # While there was no server, the browser itself has complained of that, and nothing else has.
    assert all("ERR_CONNECTION_REFUSED" in error for error in browser.errors())


def test_a_run_that_says_nothing_is_not_shown_as_attentive(browser, page):
    browser.open(page.url)
    browser.connected()
    page.decision(replace(DECISION, state=State.ATTENTIVE, label="attentive"))
    browser.until("document.getElementById('state-word').textContent === 'Attentive'", "the state is shown")
    browser.until("document.getElementById('state-word').textContent === 'No news'", "the silence is shown")


def test_nobody_and_no_picture_are_told(browser, page):
    browser.open(page.url)
    browser.connected()
    page.skeleton(SeenSkeleton(None, 1.0, (640, 480)))
    browser.until("document.getElementById('stage-note').textContent === 'Nobody in view'", "nobody")
    time.sleep(0.1)
    page.skeleton(SeenSkeleton(None, 2.0, None))
    browser.until("document.getElementById('stage-note').textContent === 'No picture from the camera'", "no picture")


def test_the_token_is_asked_for_and_kept_out_of_the_address(browser, monkeypatch, caplog, capfd):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", TOKEN)
    caplog.set_level("DEBUG")
    page = Page("127.0.0.1:0", ABOUT)
    try:
        browser.open(page.url)
        browser.js("sessionStorage.clear(); location.reload()")
        browser.until("document.getElementById('token-dialog').open", "the token is asked for")
        type_token = "token.value = arguments[0]; token.form.requestSubmit()"
        browser.js(type_token, "something else entirely")
        browser.until("!document.getElementById('token-wrong').hidden", "a wrong token is told")
        browser.js(type_token, TOKEN)
        browser.connected()
        assert not browser.js("return document.getElementById('token-dialog').open")
        browser.js("sessionStorage.clear()")
        browser.open(f"{page.url}?token={TOKEN}")
        browser.connected()
        assert TOKEN not in browser.driver.current_url
        assert TOKEN not in page.invitation
    finally:
        page.close()
    # Selenium logs what this test types.
    ours = [
        record.getMessage() for record in caplog.records if record.name.split(".")[0] not in ("selenium", "urllib3")
    ]
    assert TOKEN not in "".join([*ours, *capfd.readouterr()])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read(browser, page, theme):
    browser.open(page.url, prefers_color_scheme=theme)
    browser.connected()
    assert browser.js("return document.documentElement.dataset.theme") == theme
    browser.js(
        "document.getElementById('banner').hidden = false; document.getElementById('banner-text').textContent = 'Lost'"
    )
    page.alert(ALERT)
    seen = set()
    for state, level in [
        (State.STARTING, Level.NONE),
        (State.ATTENTIVE, Level.NONE),
        (State.CANNOT_SEE, Level.NOTICE),
        (State.DISTRACTED, Level.NOTICE),
        (State.DISTRACTED, Level.WARNING),
        (State.DISTRACTED, Level.CRITICAL),
    ]:
        page.decision(
            replace(DECISION, state=state, level=level, label="phone", probabilities=dict.fromkeys(LABELS, 0.3))
        )
        shown = f"document.getElementById('state').dataset.state === '{state.value}'"
        browser.until(f"{shown} && document.getElementById('state').dataset.level === '{level.name.lower()}'", "shown")
        found = browser.js(CONTRAST)
        assert found["bad"] == []
        seen |= set(found["seen"])
    assert {"Distracted", "Awareness", "Alerts", "Latency in milliseconds", "phone", "Lost", "Warning"} <= seen


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


@pytest.mark.parametrize(("width", "height"), [(360, 740), (800, 480), (1024, 600), (1920, 1080)])
def test_it_fits_the_screen(browser, page, width, height):
    browser.open(page.url, width, height)
    browser.connected()
    page.skeleton(SeenSkeleton(driver(0.0, 0.0), 1.0, (640, 480)))
    page.decision(replace(DECISION, state=State.NOBODY, level=Level.NOTICE))
    browser.until("document.getElementById('state').dataset.state === 'nobody'", "shown")
    assert browser.js("return document.documentElement.scrollWidth") <= width
    # The state is seen without scrolling, in letters that are large for this screen.
    place = "return document.getElementById('state').getBoundingClientRect()"
    assert browser.js(place)["bottom"] <= height
    assert browser.js(
        "return parseFloat(getComputedStyle(document.getElementById('state-word')).fontSize)"
    ) >= 0.07 * min(width, 900)


def test_the_theme_is_switched_with_the_keyboard_and_kept(browser, page):
    from selenium.webdriver.common.keys import Keys

    browser.open(page.url, prefers_color_scheme="light")
    browser.connected()
    chosen = []
    for _ in range(3):
        # Tab: first the skip link, then the button.
        browser.js("document.activeElement.blur(); window.getSelection().removeAllRanges()")
        browser.driver.find_element("id", "theme").send_keys(Keys.ENTER)
        chosen.append(browser.js("return document.documentElement.dataset.theme"))
    assert chosen == ["light", "dark", "light"]
    browser.js("document.getElementById('theme').click(); document.getElementById('theme').click()")
    browser.driver.refresh()
    browser.connected()
    assert browser.js("return document.documentElement.dataset.theme") == "dark"
    body = browser.driver.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    assert browser.js("return document.activeElement.className") == "skip"


def test_nothing_moves_where_that_is_asked_for(browser, page):
    name = "return getComputedStyle(document.getElementById('state')).animationName"
    for motion, animation in (("no-preference", "beat"), ("reduce", "none")):
        browser.open(page.url, prefers_reduced_motion=motion)
        browser.connected()
        page.decision(replace(DECISION, level=Level.CRITICAL))
        browser.until("document.getElementById('state').dataset.level === 'critical'", "shown")
        assert browser.js(name) == animation


def test_pictures_are_shown_only_where_that_was_asked_for(browser):
    middle = """const c = document.getElementById("skeleton");
    return [...c.getContext("2d").getImageData(c.width / 2, c.height - 8, 1, 1).data].slice(0, 3)"""
    gray = {}
    for video in (False, True):
        page = Page("127.0.0.1:0", ABOUT, video=video)
        with Drive(Script((1e9, 1e9)), [page]):
            browser.open(page.url)
            browser.until("document.getElementById('state').dataset.state === 'attentive'", "the state is shown")
            gray[video] = browser.js(middle)
            note = browser.text("privacy")
        assert note == ("Pictures are sent to this page." if video else "Landmarks only. No picture is sent.")
    np.testing.assert_allclose(gray[True], 90, atol=3)
    assert min(gray[False]) > 200
