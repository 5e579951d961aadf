"""A real browser, with what the tests ask of a page."""

from __future__ import annotations

import contextlib
import json
import time
from urllib.parse import urlsplit

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Browser:
    """Chromium by Selenium, with what the tests ask of a page."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, url, width=1280, height=800, **features):
        """A fresh page. features: such as prefers_color_scheme="dark"."""
        self.driver.get("about:blank")
        self.cdp("Network.clearBrowserCookies")
        self.resize(width, height)
        media = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.cdp("Emulation.setEmulatedMedia", features=media)
        self.errors()
        self.requests()
        self.driver.get(url)
        with contextlib.suppress(Exception):
            self.js("localStorage.clear()")

    def resize(self, width, height):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def text(self, element):
        return self.js("return document.getElementById(arguments[0]).textContent", element)

    def until(self, condition, what, seconds=20):
        """Waits for a JavaScript expression to be true, and returns its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.js(f"return {condition}")
            if value:
                return value
            time.sleep(0.05)
        state = self.js("return document.body?.innerText")
        pytest.fail(f"{what}: not within {seconds} s. The page says: {state!r}")

    def connected(self):
        self.until("document.body.dataset.link === 'open'", "the page connects")

    def errors(self):
        """What the console has complained of since the last call."""
        messages = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]
        # That is advice to the tests, which read the canvas.
        return [message for message in messages if "willReadFrequently" not in message]

    def requests(self):
        """(host, port) of every request and WebSocket since the last call, as the browser's network log has them."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            url = {
                "Network.requestWillBeSent": lambda p: p["request"]["url"],
                "Network.webSocketCreated": lambda p: p["url"],
            }.get(message["method"], lambda _: None)(message["params"])
            if url and not url.startswith(("about:", "blob:", "data:")):
                found.add((urlsplit(url).hostname, urlsplit(url).port))
        return found
