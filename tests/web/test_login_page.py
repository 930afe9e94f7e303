"""The login of the page in a real browser: everything that it loads works by the cookie."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.web.browsing import TIMEOUT_S, browser_tests, free_port, serving

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = [*browser_tests, pytest.mark.slow]

KEY = "wt_0123456789abcdefghijklmnop"
LOAD_FILM = """
const done = arguments[arguments.length - 1];
const video = document.createElement("video");
video.onloadedmetadata = () => done(video.videoWidth);
video.onerror = () => done(video.error.message);
video.src = document.getElementById("download").href;
"""
FETCH = "return fetch(arguments[0], { method: arguments[1] }).then((answer) => answer.status);"


@pytest.fixture(scope="module")
def keyed_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    with serving(tmp_path_factory.mktemp("keyed"), port, api_keys=f"anna:watch+speak:{KEY}"):
        yield port


def wait(browser: Chrome, condition: Callable[[], Any]) -> Any:
    return WebDriverWait(browser, TIMEOUT_S, 0.05).until(lambda _: condition())


def enter(browser: Chrome, key: str) -> None:
    field = browser.find_element(By.ID, "key")
    field.clear()
    field.send_keys(key)
    browser.find_element(By.CSS_SELECTOR, "#login button").click()


def test_a_person_logs_in_with_a_key_and_the_whole_page_works(
    browser: Chrome, keyed_port: int
) -> None:
    address = f"http://127.0.0.1:{keyed_port}/"
    browser.get(f"{address}?session=hall")
    assert browser.current_url == f"{address}login?session=hall"
    enter(browser, "wt_wrong")
    problem = browser.find_element(By.ID, "problem")
    wait(browser, lambda: problem.text == "This key is not valid.")
    browser.get_log("browser")
    enter(browser, KEY)
    wait(browser, lambda: browser.current_url == f"{address}?session=hall")
    wait(browser, lambda: browser.find_elements(By.ID, "text"))
    browser.find_element(By.ID, "text").send_keys("Hello there.")
    browser.find_element(By.CSS_SELECTOR, "#composer button[type=submit]").click()
    wait(browser, lambda: browser.find_element(By.ID, "download").is_displayed())
    assert browser.execute_async_script(LOAD_FILM) == 96
    assert browser.execute_script("return document.cookie") == ""
    assert browser.execute_script(FETCH, "avatars", "GET") == 200
    faults = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert faults == []
    button = browser.find_element(By.ID, "log-out")
    assert button.get_attribute("title") == "Logged in with the key anna"
    button.click()
    wait(browser, lambda: "/login" in browser.current_url)
    assert browser.execute_script(FETCH, "avatars", "GET") == 401
    browser.get(address)
    assert browser.current_url == f"{address}login"
    browser.get("about:blank")
