"""How far the live page is behind an alert: from the alert's own time to the frame of the browser that shows it.

    python benchmarks/page_alert.py [--seconds 60] [--repeat 20]

Real Chromium (headless) watches a pipeline whose driver is scripted to take the phone every other 1.5 s, with limits of
the policy so short that each time brings alerts. Then an alert of each reason is put out, as the policy would, again
and again. The page itself subtracts the alert's `time` from its clock when it draws; both are this machine's clock.
Needs chromium and chromium-driver. Printed: milliseconds, p50, p95 and the most, of the pipeline and of each reason.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.outputs.page import Page
from tests.support.browser import FLAGS
from tests.support.fleet import ALERT
from tests.support.page import ABOUT
from tests.support.records import DECISION
from tests.support.scripted import Drive, Script

EVERY_S = 1.5


class Restless(Script):
    @property
    def reach(self) -> float:
        return float(int(self.now_s / EVERY_S) % 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--repeat", type=int, default=20, help="alerts of each reason")
    asked = parser.parse_args()
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    with tempfile.TemporaryDirectory() as folder:
        for flag in (*FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        page = Page("127.0.0.1:0", ABOUT)
        browser.get(page.url)
        policy = PolicySettings(warning_fast_s=0.4, smoothing_s=0.05, recovery=5.0)
        with Drive(Restless(), [page], policy=policy):
            time.sleep(asked.seconds)
        tell("pipeline", marks(browser))
        page = Page("127.0.0.1:0", ABOUT)
        browser.get(page.url)
        time.sleep(1.0)
        reasons = list(Reason)
        for number in range(asked.repeat * len(reasons)):
            put_out(page, number, reasons[number % len(reasons)])
            time.sleep(0.2)
        seen = marks(browser)
        page.close()
        browser.quit()
    for index, reason in enumerate(reasons):
        tell(reason.value, [mark for mark in seen if mark["number"] % len(reasons) == index])


def put_out(page: Page, number: int, reason: Reason) -> None:
    """The alert of a reason and the decision that it stands in."""
    now_s, standing = time.time(), {reason: Level.WARNING}
    page.alert(replace(ALERT, number=number, reason=reason, timestamp_s=float(number), wall_s=now_s))
    page.decision(replace(DECISION, timestamp_s=float(number), wall_s=now_s, level=Level.WARNING, alerts=standing))


def marks(browser: webdriver.Chrome) -> list[dict[str, Any]]:
    """What the page has noted of each alert that it has drawn."""
    found: list[dict[str, Any]] = browser.execute_script(
        "return performance.getEntriesByName('alert').map(mark => mark.detail)"
    )
    return found


def tell(what: str, seen: list[dict[str, Any]]) -> None:
    behind = np.array([mark["behind_ms"] for mark in seen], np.float64)
    p50, p95 = np.percentile(behind, (50, 95))
    print(json.dumps({"what": what, "alerts": len(behind), "p50_ms": p50, "p95_ms": p95, "most_ms": behind.max()}))


if __name__ == "__main__":
    main()
