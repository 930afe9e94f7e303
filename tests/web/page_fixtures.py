"""Fixtures: one server and one browser for all tests of the page, a session for each test."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.chat.scripted_server import MODEL, Script, ScriptedServer, scripted_server
from tests.web.browsing import Page, chromium, free_port, serving
from tests.web.chat_page import ChatPage

MAX_SESSIONS = 1000
"""Each test of the page has a session, and all of them come from one client."""


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, results = free_port(), tmp_path_factory.mktemp("results")
    more = {"allowed_hosts": "talk.test", "max_sessions": MAX_SESSIONS}
    with serving(results, port, preparation_niceness=0, **more):
        yield port


@pytest.fixture(scope="session")
def chat_server() -> Iterator[ScriptedServer]:
    """The language model of the server at `chat_port`."""
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="session")
def chat_port(
    tmp_path_factory: pytest.TempPathFactory, chat_server: ScriptedServer
) -> Iterator[int]:
    """A server whose language model is scripted; its page opens in chat mode."""
    port, results = free_port(), tmp_path_factory.mktemp("chats")
    more = {"chat_url": chat_server.url, "chat_model": MODEL, "max_sessions": MAX_SESSIONS}
    with serving(results, port, **more):
        yield port


@pytest.fixture(scope="session")
def running_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def browser(running_browser: Chrome) -> Iterator[Chrome]:
    """The browser; its last page, which would play on beside all later tests, is closed."""
    yield running_browser
    running_browser.get("about:blank")


@pytest.fixture
def page(browser: Chrome, port: int, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = Page(browser, port, request.node.name[-40:])
    yield page
    assert page.console_errors() == []


@pytest.fixture
def chat(
    browser: Chrome, chat_port: int, chat_server: ScriptedServer, request: pytest.FixtureRequest
) -> Iterator[ChatPage]:
    """The page in chat mode, with a session of its own."""
    chat_server.script = Script()
    chat_server.received.clear()
    page = ChatPage(browser, chat_port, request.node.name[-40:])
    yield page
    page.run("localStorage.removeItem('mode')")
    assert page.console_errors() == []


@pytest.fixture
def run(browser: Chrome, port: int) -> Any:
    """A function that runs an asynchronous script and returns its result."""
    browser.get(f"http://127.0.0.1:{port}/health")

    def run(script: str, *arguments: object) -> Any:
        body = f"return (async function () {{ {script} }}).apply(null, arguments)"
        return browser.execute_script(body, *arguments)  # type: ignore[no-untyped-call]

    return run


@pytest.fixture
def resizable(browser: Chrome) -> Iterator[None]:
    """Restore the size of the browser's window after the test."""
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def media(browser: Chrome) -> Iterator[None]:
    """Restore the user's preferences after the test."""
    yield
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
