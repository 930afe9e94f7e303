"""The page in a real browser, with a real server behind it: what everybody sees of it."""

from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, browser_tests, chromium, speak

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests


def test_the_idle_face_moves_while_nobody_speaks(page: Page) -> None:
    page.wait(lambda: page.idle("currentTime") > 0.3)
    assert not page.is_speaking()
    assert page.idle("loop")


def test_what_is_typed_is_spoken_shown_and_written_down(page: Page) -> None:
    page.watch()
    page.say("Hello world")
    page.hear_out()
    assert len({look["grey"] for look in page.looks() if look["seen"] == "film"}) > 3
    assert page.clips() == ["Hello world"]
    assert page.film("muted") is False
    assert "first picture after" in page.text("timing")


def test_a_text_that_cannot_be_said_is_explained_and_given_back(page: Page) -> None:
    page.run("document.getElementById('text').value = '\\u{1F600}\\u{1F600}'")
    page.browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
    page.wait(lambda: page.text("error-text") != "")
    assert "text" in page.text("error-text")
    assert page.run("return document.getElementById('text').value") == "😀😀"
    assert page.clips() == []
    page.browser.find_element(By.ID, "error-close").click()
    assert not page.browser.find_element(By.ID, "error").is_displayed()


def test_starting_over_asks_once_and_begins_a_new_film(page: Page) -> None:
    page.say("The first film")
    page.hear_out()
    button = page.browser.find_element(By.ID, "reset")
    button.click()
    assert "Really" in button.text
    assert page.clips() == ["The first film"]
    button.click()
    page.wait(lambda: page.clips() == [])
    page.say("The second film")
    page.hear_out()
    assert page.clips() == ["The second film"]
    assert page.film("currentTime") < 2.5


def test_who_comes_late_sees_what_is_said_from_then_on(browser: Chrome, port: int) -> None:
    speak(port, "late", "This was said before anybody looked")
    page = Page(browser, port, "late")
    page.wait(lambda: page.clips() != [])
    before_s = page.run("return fetch('/session?session_id=late').then((r) => r.json())")
    assert not page.is_speaking()
    speak(port, "late", "And this was said after")
    page.wait(page.is_speaking)
    assert page.film("currentTime") >= before_s["duration_s"] - 0.1


def test_without_a_gesture_the_film_plays_silently_and_offers_its_sound(
    port: int, tmp_path: Path
) -> None:
    policy = "--autoplay-policy=document-user-activation-required"
    with chromium(tmp_path, policy) as browser:
        page = Page(browser, port, "shy")
        speak(port, "shy", "Can you hear me? I have been talking for a while now.")
        page.wait(page.is_speaking)
        assert page.film("muted") is True
        button = browser.find_element(By.ID, "sound")
        page.wait(button.is_displayed)
        button.click()
        assert page.film("muted") is False
        assert not button.is_displayed()


def test_of_a_long_film_little_is_kept_in_memory(page: Page) -> None:
    speak(page.port, page.session, "This sentence takes about three seconds, all in all. " * 60)
    page.wait(page.is_speaking)
    page.run("document.getElementById('film').playbackRate = 12")
    kept_s = []

    def is_far_on() -> bool:
        kept_s.append(page.film("buffered.end(0)") - page.film("buffered.start(0)"))
        return bool(page.film("currentTime") > 90)

    page.wait(is_far_on)
    assert max(kept_s) < 60 + 10 + 15 + 15  # ahead, behind, dropped at once; one look at 12 x
    assert page.film("buffered.start(0)") > 50
    _, *numbers = page.appended()
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_full_memory_is_waited_for(browser: Chrome, port: int) -> None:
    page = Page(browser, port, "full", "&memory=5")
    speak(port, "full", "This sentence takes about three seconds, all in all. " * 6)
    page.wait(page.is_speaking)
    page.run("document.getElementById('film').playbackRate = 4")
    page.wait(lambda: page.film("currentTime") > 15)
    assert page.run("return window.refused") > 0
    assert page.film("buffered.end(0)") - page.film("buffered.start(0)") < 7
    _, *numbers = page.appended()
    assert numbers == list(range(1, len(numbers) + 1))
    assert page.text("error-text") == ""


def test_the_page_fits_a_telephone(page: Page) -> None:
    page.browser.set_window_size(390, 844)
    try:
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
        assert page.browser.find_element(By.CSS_SELECTOR, "[type=submit]").is_displayed()
    finally:
        page.browser.set_window_size(1280, 860)
