"""The page /docs: it shows the OpenAPI document and sends requests, and loads only local files."""

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.web.browsing import TIMEOUT_S, browser_tests, free_port, serving
from tests.web.reverse_proxy import reverse_proxy

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = [*browser_tests, pytest.mark.slow]

VIEWER = Path(__file__).resolve().parents[2] / "web" / "vendor" / "swagger-ui"
PREFIX = "/apps/talk"
needs_viewer = pytest.mark.skipif(
    not (VIEWER / "swagger-ui-bundle.js").is_file(),
    reason="the viewer is not installed: `make setup` with npm fetches it",
)


def wait(browser: Chrome, condition: Callable[[], Any]) -> Any:
    return WebDriverWait(browser, TIMEOUT_S, 0.05).until(lambda _: condition())


def find(browser: Chrome, selector: str) -> Any:
    """The first element, once there is one."""
    return wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, selector))[0]


@pytest.fixture(scope="module")
def docs_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    with serving(tmp_path_factory.mktemp("docs"), port, trusted_proxies="127.0.0.1"):
        yield port


@pytest.fixture
def quiet(browser: Chrome) -> Iterator[None]:
    """The console of the browser, in which the page must report nothing."""
    browser.get_log("browser")
    yield
    faults = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    browser.get("about:blank")
    assert faults == []


def operations_at(port: int, path: str) -> int:
    """The number of operations in the document."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", path)
    document = json.loads(connection.getresponse().read())
    connection.close()
    return sum(len(methods) for methods in document["paths"].values())


def require_whole_page(browser: Chrome, port: int, prefix: str) -> None:
    """All operations are shown, and one of them is carried out."""
    browser.get(f"http://127.0.0.1:{port}{prefix}/docs")
    count = operations_at(port, f"{prefix}/openapi.json")
    wait(browser, lambda: len(browser.find_elements(By.CLASS_NAME, "opblock")) == count)
    alive = "#operations-server-health_show_alive"
    find(browser, f"{alive} .opblock-summary-control").click()
    find(browser, f"{alive} .try-out__btn").click()
    find(browser, f"{alive} .execute").click()
    shown = find(browser, f"{alive} .live-responses-table .response-col_description pre").text
    assert '"status": "alive"' in shown
    requested = browser.execute_script(  # type: ignore[no-untyped-call]
        "return performance.getEntriesByType('resource').map((e) => e.name)"
    )
    origin = f"http://127.0.0.1:{port}{prefix}/"
    assert [url for url in requested if not url.startswith((origin, "data:"))] == []
    assert f"{origin}livez" in requested


@needs_viewer
@pytest.mark.usefixtures("quiet")
def test_it_shows_every_operation_and_carries_one_out(browser: Chrome, docs_port: int) -> None:
    require_whole_page(browser, docs_port, "")


@needs_viewer
@pytest.mark.usefixtures("quiet")
def test_it_works_below_a_path_of_a_proxy(browser: Chrome, docs_port: int) -> None:
    reported = {"X-Forwarded-Prefix": PREFIX}
    with reverse_proxy(docs_port, PREFIX, strips=False, headers=reported) as proxy_port:
        require_whole_page(browser, proxy_port, PREFIX)


def test_without_the_viewer_it_says_how_to_get_it(browser: Chrome, docs_port: int) -> None:
    block = {"urlPatterns": [{"urlPattern": "*://*:*/*swagger-ui*", "block": True}]}
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBlockedURLs", block)
    try:
        browser.get(f"http://127.0.0.1:{docs_port}/docs")
        note = find(browser, "#docs [role=alert]")
        assert "make setup" in note.text
        assert note.find_element(By.TAG_NAME, "a").get_attribute("href").endswith("/openapi.json")
    finally:
        browser.execute_cdp_cmd("Network.setBlockedURLs", {"urlPatterns": []})
        browser.get("about:blank")
        browser.get_log("browser")
