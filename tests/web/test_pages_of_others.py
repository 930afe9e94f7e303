"""A page of another site, in the same browser: it reaches the server, and changes nothing there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.support.wait import WebDriverWait

from tests.web.browsing import CHROMIUM, DRIVER, TIMEOUT_S, Page, ask, chromium, speak
from tests.web.flaky_network import flaky_network
from tests.web.foreign_page import ATTEMPTS, NAVIGATIONS, READING, other_site
from tests.web.other_browsers import FIREFOX, XVFB, firefox

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLACES = [("127.0.0.1", "localhost"), ("127.0.0.1", "127.0.0.1"), ("talk.test", "other.test")]
"""Hosts of the server and of the other page. Browsers send `Sec-Fetch-Site` to the first two, which
are this machine; the third is a machine elsewhere, reached over plain HTTP."""
each_place = pytest.mark.parametrize(
    ("host", "other"), PLACES, ids=["other host", "other port", "plain HTTP"]
)
SECRET = "This stays"


@contextmanager
def a_chromium(folder: Path) -> Iterator[Any]:
    with chromium(folder, "--host-resolver-rules=MAP *.test 127.0.0.1") as browser:
        yield browser


BROWSERS = {
    "chromium": (a_chromium, CHROMIUM and DRIVER, "chromium and chromium-driver"),
    "firefox": (firefox, FIREFOX and XVFB, "firefox-esr and xvfb"),
}
"""For each browser a context manager, whether it is installed, and Debian's packages of it. Both
find every host `….test` on this machine."""


@pytest.fixture(scope="module")
def other_port() -> Iterator[int]:
    with other_site() as port:
        yield port


@pytest.fixture(scope="module", params=BROWSERS)
def visitor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    start, is_installed, packages = BROWSERS[request.param]
    if not is_installed:
        pytest.skip(f"needs Debian's packages {packages}")
    with start(tmp_path_factory.mktemp(request.param)) as browser:
        browser.set_script_timeout(4 * TIMEOUT_S)
        yield browser


def session_of(request: pytest.FixtureRequest) -> str:
    """A session for this test in this browser."""
    return "".join(each if each.isalnum() else "-" for each in request.node.name)[-60:]


def state(port: int, session: str) -> Any:
    return ask(port, "GET", f"/session?session_id={session}")


@each_place
def test_a_page_of_another_site_cannot_change_a_film(
    visitor: Any, port: int, other_port: int, host: str, other: str, request: pytest.FixtureRequest
) -> None:
    session, site = session_of(request), f"http://{other}:{other_port}"
    speak(port, session, SECRET)
    before = state(port, session), ask(port, "GET", "/sessions")
    visitor.get(f"{site}/")
    target = f"http://{host}:{port}"
    assert visitor.execute_async_script(ATTEMPTS, target, session, f"{site}/to") is True
    visitor.get("about:blank")  # ends what is still under way
    assert (state(port, session), ask(port, "GET", "/sessions")) == before


@each_place
def test_leaving_another_site_for_this_one_leads_to_an_explanation(
    visitor: Any, port: int, other_port: int, host: str, other: str, request: pytest.FixtureRequest
) -> None:
    session, site = session_of(request), f"http://{other}:{other_port}"
    speak(port, session, SECRET)
    before = state(port, session)
    reset = f"http://{host}:{port}/reset?session_id={session}"
    hop = f"{site}/to?url={quote(reset, safe='')}"
    for how in NAVIGATIONS:
        visitor.get(f"{site}/leave?{urlencode({'how': how, 'reset': reset, 'redirected': hop})}")
        require_explanation(visitor)
    for address in (hop, f"{site}/to?status=307&url={quote(hop, safe='')}", reset):  # typed in
        visitor.get(address)
        require_explanation(visitor)
    visitor.get(f"{site}/refresh?url={quote(reset, safe='')}")
    require_explanation(visitor)
    assert state(port, session) == before


def require_explanation(browser: Any) -> None:
    wait = WebDriverWait(browser, TIMEOUT_S, 0.05, [WebDriverException])  # raised while it loads
    wait.until(lambda _: "ForbiddenError" in browser.page_source, "no explanation is shown")
    assert "use the page of this server" in browser.page_source


@each_place
def test_our_own_page_starts_over(
    visitor: Any, port: int, host: str, other: str, request: pytest.FixtureRequest
) -> None:
    page = Page(visitor, port, session_of(request), host=host)
    page.say("The first film")
    page.wait(lambda: page.clips() == ["The first film"])
    page.wait_until_silent()
    page.click("reset")
    page.click("reset")
    page.wait(lambda: page.clips() == [])
    assert state(port, page.session)["clips"] == []
    assert page.text("error-text") == ""
    assert page.console_errors() == []


def test_a_name_that_resolves_to_this_server_later_reads_and_changes_nothing(
    visitor: Any, port: int, other_port: int, request: pytest.FixtureRequest
) -> None:
    """DNS rebinding: the page's own origin, name and port, is finally served by this server."""
    session = session_of(request)
    speak(port, session, SECRET)
    before = state(port, session), ask(port, "GET", "/sessions")
    with flaky_network(other_port) as network:
        visitor.get(f"http://rebound.test:{network.port}/")
        network.redirect(port)
        answers = visitor.execute_async_script(READING, session)
        visitor.get(f"http://rebound.test:{network.port}/session?session_id={session}")
        answers.append(visitor.page_source)
        visitor.get("about:blank")
    assert [answer for answer in answers[:-1] if not answer.startswith("421 ")] == []
    assert [answer for answer in answers if SECRET in answer] == []
    assert "allowed_hosts" in answers[-1]
    assert (state(port, session), ask(port, "GET", "/sessions")) == before


def test_another_site_cannot_show_the_page_in_a_frame(
    visitor: Any, port: int, other_port: int
) -> None:
    visitor.get(f"http://127.0.0.1:{other_port}/")
    script = """
      const [source, done] = arguments;
      const frame = Object.assign(document.createElement("iframe"), { src: source });
      frame.addEventListener("load", () => setTimeout(() => done(frame.contentDocument === null)));
      document.body.append(frame);
    """
    assert visitor.execute_async_script(script, f"http://127.0.0.1:{port}/") is True
    frame = visitor.find_element("tag name", "iframe")
    visitor.switch_to.frame(frame)
    assert "composer" not in visitor.page_source
    visitor.switch_to.default_content()
