"""How far the live page is behind an alert: from the alert's own time to the frame of the browser that shows it.

    python benchmarks/page_alert.py [--seconds 60]

Real Chromium (headless) watches a pipeline whose driver is scripted to take the phone every other 1.5 s, with limits of
the policy so short that each time brings alerts. The page itself subtracts the alert's `time` from its clock when it
draws; both are this machine's clock. Needs chromium and chromium-driver. Printed: milliseconds, p50, p95 and the most.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.outputs.page import Page
from tests.support.browser import FLAGS
from tests.support.page import ABOUT
from tests.support.scripted import Drive, Script

EVERY_S = 1.5


class Restless(Script):
    @property
    def reach(self) -> float:
        return float(int(self.now_s / EVERY_S) % 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
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
            marks = browser.execute_script("return performance.getEntriesByName('alert').map(mark => mark.detail)")
        browser.quit()
    behind = np.array([mark["behind_ms"] for mark in marks], np.float64)
    p50, p95 = np.percentile(behind, (50, 95))
    print(json.dumps({"alerts": len(behind), "p50_ms": p50, "p95_ms": p95, "most_ms": behind.max()}))


if __name__ == "__main__":
    main()
