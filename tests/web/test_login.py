"""The page of a server that requires keys."""

from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.api.keys.conftest import make_key
from tests.web.browsing import TIMEOUT_S, browser_tests, free_port, serving

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests


def test_the_page_asks_for_a_key_keeps_its_session_and_logs_out(
    browser: Chrome, tmp_path: Path
) -> None:
    keys, port = tmp_path / "keys.json", free_port()
    secret = make_key(keys, "kiosk", "speak", "watch")
    wait = WebDriverWait(browser, TIMEOUT_S, 0.05)
    with serving(tmp_path / "results", port, api_keys=str(keys)):
        browser.get(f"http://127.0.0.1:{port}/?session=hall")
        wait.until(lambda _: "/login?session=hall" in browser.current_url)
        field = browser.find_element(By.ID, "key")
        field.send_keys("wt_wrong")
        browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
        wait.until(lambda _: "not valid" in browser.find_element(By.ID, "problem").text)
        field.clear()
        field.send_keys(secret)
        browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
        wait.until(lambda _: browser.current_url.endswith("/?session=hall"))
        button = browser.find_element(By.ID, "log-out")
        wait.until(lambda _: button.is_displayed())
        assert button.get_attribute("title") == "Logged in with the key kiosk"
        text = browser.find_element(By.ID, "text")
        text.send_keys("Let me in")
        browser.find_element(By.CSS_SELECTOR, "#composer [type=submit]").click()
        said = "return document.querySelector('li.spoken p')?.textContent"
        wait.until(lambda _: browser.execute_script(said) == "Let me in")  # type: ignore[no-untyped-call]
        button.click()
        wait.until(lambda _: "/login" in browser.current_url)
