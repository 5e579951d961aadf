"""Takes docs/page.png: the live page in headless Chromium, a simulated driver falling asleep before the camera.

    python tools/screenshot.py [--more FOLDER]      # and, into FOLDER, dark, on a phone and on a vehicle's display

Needs chromium, chromium-driver and selenium. The pictures are drawn first, which takes a minute or two, and then played
at their own pace: the driver is attentive for a while.
"""

from __future__ import annotations

import argparse
import base64
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402

from edge_c2vl.cameras.simulated import make_film, parse  # noqa: E402
from tests.support.browser import FLAGS, Browser  # noqa: E402

CAMERA = "simulated:attentive,drowsy?camera=inner_mirror&driver=3&seed=7&fps=8&each=21&detail=0.3"
SECONDS = 29.0
# file: width, height, theme
MORE = {"dark.png": (1280, 800, "dark"), "phone.png": (390, 844, "light"), "display.png": (1024, 600, "dark")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--more", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as profile:
        video = Path(profile) / "drowsy.avi"
        draw(video, CAMERA, SECONDS)
        outputs = ["--reasons", "all", "--serve", address, "--quiet"]
        command = [sys.executable, ROOT / "cli.py", "run", "--camera", video.name, "--realtime", *outputs]
        # From there, so that the page shows no folder of this machine.
        run = subprocess.Popen(command, cwd=profile)
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            _wait(address)
            browser = Browser(driver)
            browser.open(f"http://{address}/", 1280, 800, prefers_color_scheme="light")
            warned = "['warning', 'critical'].includes(document.getElementById('state').dataset.level)"
            browser.until(warned, "the driver is warned", seconds=60)
            time.sleep(0.2)  # it ends soon after the eyes are open
            _shoot(browser, ROOT / "docs" / "page.png")
            for name, (width, height, theme) in MORE.items() if asked.more else ():
                asked.more.mkdir(parents=True, exist_ok=True)
                browser.open(f"http://{address}/", width, height, prefers_color_scheme=theme)
                browser.until("document.querySelectorAll('#stages tr').length >= 5", "latencies are shown")
                time.sleep(1.0)
                _shoot(browser, asked.more / name)
        finally:
            driver.quit()
            run.terminate()
            run.wait()


def draw(video: Path, uri: str, seconds: float) -> None:
    """The film of a simulated driver as a file of motion JPEG."""
    settings = parse(uri)
    film, writer = make_film(settings), None
    for number in range(round(seconds * settings.fps)):
        image = film.image(number / settings.fps)
        if writer is None:
            size = (image.shape[1], image.shape[0])
            writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), settings.fps, size)
        writer.write(image)
    if writer is not None:
        writer.release()


def _wait(address: str) -> None:
    """Until somebody listens there."""
    host, port = address.split(":")
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the page is not served")


def _shoot(browser: Browser, path: Path) -> None:
    picture = browser.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=False)
    path.write_bytes(base64.b64decode(picture["data"]))
    print(path)


if __name__ == "__main__":
    main()
