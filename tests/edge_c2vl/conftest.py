"""A real browser for the live page and the replay."""

from __future__ import annotations

import pytest

from tests.support.browser import FLAGS, Browser
from tests.support.programs import needs


# For a module, not for the session: it takes some of a core also when it shows nothing.
@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = needs("chromium")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(needs("chromedriver", "chromium-driver")))
    driver.set_script_timeout(20)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium):
    page = Browser(chromium)
    yield page
    # Leaves the page, so that it does not go on asking for a server that has gone.
    chromium.get("about:blank")
