"""The live page in real Chromium. Camera, pose and encoder follow a script; pipeline, server and page are real."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from edge_c2vl.monitoring.events import SeenSkeleton
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.outputs.page import Page
from tests.support.fleet import ALERT
from tests.support.page import ABOUT, PIXELS
from tests.support.page_server import TOKEN
from tests.support.programs import free_port
from tests.support.records import DECISION
from tests.support.scripted import LABELS, Drive, Script, driver

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


def test_no_two_classes_look_alike(browser):
    names = ("attentive", *(f"act_{number}" for number in range(14)))
    shown = ("attentive", "act_0", "act_1", "act_9", "act_10")
    page = Page("127.0.0.1:0", replace(ABOUT, labels=names, distraction=names[1:]))
    try:
        browser.open(page.url)
        browser.connected()
        page.decision(replace(DECISION, probabilities={name: 0.19 if name in shown else 0.005 for name in names}))
        legend = "[...document.querySelectorAll('#legend li')]"
        browser.until(f"{legend}.some(row => row.textContent.includes('act 10'))", "the likeliest classes are shown")
        told = browser.js(f"return {legend}.map(row => [row.children[1].textContent, row.children[0].style.borderTop])")
        assert [name for name, _ in told] == [name.replace("_", " ") for name in shown]
        assert len({looks for _, looks in told}) == len(shown)
        assert browser.errors() == []
    finally:
        page.close()


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
