"""The page below a path of a reverse proxy: all of it works."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, browser_tests, free_port, serving
from tests.web.reverse_proxy import reverse_proxy

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = [*browser_tests, pytest.mark.slow]

HLS_JS = Path(__file__).resolve().parents[2] / "web" / "vendor" / "hls.light.min.js"
PREFIX = "/apps/talk"
REPORTED = {"X-Forwarded-Prefix": PREFIX}
WAYS = {
    "the prefix is removed, and reported": (True, REPORTED),
    "the prefix is removed, and nobody reports it": (True, {}),
    "the prefix is kept, and reported": (False, REPORTED),
}
"""Whether the proxy removes the prefix from its requests, and the headers that it adds."""


@pytest.fixture(scope="module")
def prefixed_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, results = free_port(), tmp_path_factory.mktemp("prefixed")
    more = {"trusted_proxies": "127.0.0.1", "archive_on_reset": True}
    with serving(results, port, **more):
        yield port


def require_whole_page(browser: Chrome, server_port: int, proxy_port: int, session: str) -> None:
    """Speak, download, reset and list archives through the proxy."""
    page = Page(browser, proxy_port, session, path=f"{PREFIX}/")
    page.port = server_port  # of the requests that do not come from the page
    page.wait(lambda: page.idle("readyState") >= 2)
    page.say("Below a path")
    page.wait_for_speech()
    page.wait(lambda: page.clips() == ["Below a path"])
    page.assert_each_fragment_came_once()
    status_of = "return fetch(document.getElementById('download').href).then((r) => r.status)"
    assert page.run(status_of) == 200
    page.click("reset")
    page.click("reset")
    page.wait(lambda: page.clips() == [])
    page.click("sessions-open")
    page.wait(lambda: browser.find_elements(By.CSS_SELECTOR, "#archives a"))
    links = "return Promise.all([...document.querySelectorAll('#archives a')]"
    statuses = f"{links}.map((a) => fetch(a.href).then((r) => r.status)))"
    assert page.run(statuses) == [200, 200]
    requested = "return performance.getEntriesByType('resource').map((e) => e.name)"
    origin = f"http://127.0.0.1:{proxy_port}{PREFIX}/"
    outside = [u for u in page.run(requested) if not u.startswith((origin, "blob:"))]
    assert outside == []
    assert page.text("error-text") == ""
    assert page.console_errors() == []


@pytest.mark.parametrize("way", WAYS)
def test_the_page_works_below_a_path(browser: Chrome, prefixed_port: int, way: str) -> None:
    strips, headers = WAYS[way]
    with reverse_proxy(prefixed_port, PREFIX, strips=strips, headers=headers) as proxy_port:
        session = "".join(each if each.isalpha() else "-" for each in way)
        require_whole_page(browser, prefixed_port, proxy_port, session)
        browser.get("about:blank")


def test_the_page_works_below_a_path_that_the_settings_name(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    more = {"path_prefix": PREFIX, "archive_on_reset": True}
    with (
        serving(tmp_path, port, **more),
        reverse_proxy(port, PREFIX, strips=False, headers={}) as proxy_port,
    ):
        require_whole_page(browser, port, proxy_port, "settings")
        browser.get("about:blank")


@pytest.mark.skipif(not HLS_JS.exists(), reason="needs hls.js; see `make setup`")
def test_hls_js_plays_below_a_path(browser: Chrome, prefixed_port: int) -> None:
    with reverse_proxy(prefixed_port, PREFIX, strips=True, headers={}) as proxy_port:
        page = Page(browser, proxy_port, "hls", "&player=hls", path=f"{PREFIX}/")
        page.say("Below a path")
        page.wait_for_speech()
        assert page.text("player") == "HLS"
        assert page.console_errors() == []
        browser.get("about:blank")
