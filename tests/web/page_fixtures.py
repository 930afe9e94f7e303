"""Fixtures: one server and one browser for all tests of the page, a session for each test."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.web.browsing import Page, chromium, free_port, serving


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, results = free_port(), tmp_path_factory.mktemp("results")
    with serving(results, port, allowed_hosts="talk.test", preparation_niceness=0):
        yield port


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser: Chrome, port: int, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = Page(browser, port, request.node.name[-40:])
    yield page
    assert page.console_errors() == []
