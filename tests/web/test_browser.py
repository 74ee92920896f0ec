"""The pages in a browser: no error on the console, nothing serious for axe, nothing too wide.

Debian's Chromium is used where it is installed (packages chromium, chromium-driver).
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from starlette.testclient import TestClient

from dante.store.home import Home
from dante.store.publish import publish
from dante.web import create_app
from tests.report.conftest import Story

from .conftest import story_with_senders

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
PAGES = (
    "/", "/?day=2025-03-03", "/timeline", "/tracks/1", "/tracks/2", "/sender?q=203.0.113.0/24",
    "/map?day=2025-03-03", "/quality", "/search?q=23", "/docs", "/nowhere",
)  # fmt: skip
LOOKS = {"light": (1280, 860, False), "dark": (390, 844, True)}

pytestmark = pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()),
    reason="Debian's chromium and chromium-driver are not installed",
)


class _Running:
    """An application that is listened to on a free port, in a thread."""

    def __init__(self, app: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


@pytest.fixture(scope="module")
def base(home: Home) -> Iterator[str]:
    """Where the ten days are served."""
    running = _Running(create_app(home))
    yield running.base
    running.stop()


@pytest.fixture(scope="module")
def hostile_base(hostile: TestClient) -> Iterator[str]:
    """Where the hostile home is served."""
    running = _Running(hostile.app)
    yield running.base
    running.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Chromium without a window, and with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(str(DRIVER)))
    yield driver
    driver.quit()


def _look(browser: webdriver.Chrome, scheme: str) -> None:
    wide, high, phone = LOOKS[scheme]
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": phone},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )


def _complaints(browser: webdriver.Chrome, path: str) -> list[str]:
    """What the console says; that a page which is not there was not found is no fault."""
    said = [entry["message"] for entry in browser.get_log("browser")]
    return [line for line in said if not (path == "/nowhere" and "404" in line)]


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core, as the package has it."""
    return (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", LOOKS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_sound(
    browser: webdriver.Chrome, base: str, axe: str, path: str, scheme: str
) -> None:
    """On a light laptop and a dark phone: a quiet console, axe content, no scrolling sideways."""
    _look(browser, scheme)
    browser.get(base + path)
    assert _complaints(browser, path) == []
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= LOOKS[scheme][0]
    assert _serious(browser, axe) == []


def _serious(browser: webdriver.Chrome, axe: str) -> list[tuple[str, list[str]]]:
    """What axe finds serious or critical, each with some of the elements."""
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run({resultTypes: ['violations']})"
        ".then(found => done(found.violations), error => done([{id: String(error)}]));"
    )
    return [
        (one["id"], [node["html"] for node in one.get("nodes", [])][:3])
        for one in found
        if one.get("impact", "critical") in ("serious", "critical")
    ]


@pytest.mark.parametrize("path", ["/", "/timeline", "/tracks/2", "/map?day=2025-03-03", "/quality"])
def test_hostile_names_do_nothing_in_a_browser(
    browser: webdriver.Chrome, hostile_base: str, path: str
) -> None:
    """No dialog opens, nothing is fetched, the policy has nothing to complain of."""
    _look(browser, "light")
    browser.get(hostile_base + path)
    assert _complaints(browser, path) == []
    assert browser.execute_script("return document.images.length") == 0
    assert browser.execute_script("return document.scripts.length") == 1


def test_the_keyboard_leads_everywhere(browser: webdriver.Chrome, base: str) -> None:
    """Tab first skips to the content; `/` goes to the search, and Enter searches."""
    _look(browser, "light")
    browser.get(base + "/timeline")
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("href").endswith("#main")
    browser.find_element(By.TAG_NAME, "h1").click()
    body.send_keys("/")
    browser.switch_to.active_element.send_keys("telnet", Keys.ENTER)
    assert "/search?q=telnet" in browser.current_url
    link = browser.find_element(By.CSS_SELECTOR, "tbody a")
    link.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("/tracks/1")


def test_dragging_across_the_lanes_zooms(browser: webdriver.Chrome, base: str) -> None:
    """The days between press and release are asked for, and the filters stay."""
    _look(browser, "light")
    browser.get(base + "/timeline?order=senders")
    plot = browser.find_element(By.CSS_SELECTOR, ".plot")
    actions = webdriver.ActionChains(browser)
    third = plot.size["width"] // 3
    actions.move_to_element_with_offset(plot, -third // 2, 0).click_and_hold()
    actions.move_by_offset(third, 0).release().perform()
    WebDriverWait(browser, 10).until(lambda b: "first=" in b.current_url)
    assert "order=senders" in browser.current_url
    assert "2025-03-04" in browser.current_url and "2025-03-07" in browser.current_url


def test_an_open_page_tells_of_a_new_publication(
    browser: webdriver.Chrome, tmp_path: Path, build: Callable[[Story, Path], Home]
) -> None:
    """When the database is published anew a notice appears; without that, none does."""
    home = build(story_with_senders(), tmp_path / "home")
    running = _Running(create_app(home))
    look = "document.dispatchEvent(new Event('visibilitychange'))"
    try:
        _look(browser, "light")
        browser.get(running.base + "/")
        notice = browser.find_element(By.ID, "news")
        browser.execute_script(look)
        time.sleep(0.3)
        assert not notice.is_displayed()
        publish(home)
        browser.execute_script(look)
        WebDriverWait(browser, 10).until(lambda _: notice.is_displayed())
    finally:
        running.stop()


def test_axe_would_tell(browser: webdriver.Chrome, base: str, axe: str) -> None:
    """The judge is awake: a page with a field that has no name does not pass."""
    browser.get(base + "/")
    browser.execute_script("document.querySelector('label[for=find]').remove()")
    browser.execute_script("document.getElementById('find').removeAttribute('placeholder')")
    assert [one for one, _ in _serious(browser, axe)] == ["label"]
