"""The page in a real browser with a real server: the idle face, speaking, and the film's buffer."""

from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, browser_tests, chromium, speak

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

SENTENCE = "This sentence takes about three seconds, all in all. "


def test_the_idle_face_moves_while_nobody_speaks(page: Page) -> None:
    page.wait(lambda: page.idle("currentTime") > 0.3)
    assert not page.is_speaking()
    assert page.idle("loop")


def test_a_typed_text_is_spoken_shown_and_added_to_the_transcript(page: Page) -> None:
    page.record()
    page.say(SENTENCE)
    page.wait_for_speech()
    greys = {sample["grey"] for sample in page.samples() if sample["visible"] == "film"}
    assert len(greys) > 3
    assert page.clips() == [SENTENCE.strip()]
    assert page.film("muted") is False
    assert "first frame after" in page.text("latency")
    assert page.text("player") == "MSE"
    assert "Media Source" in page.element("player", "title")


def test_the_speed_is_shown_and_applied(page: Page) -> None:
    page.say("One two three four five six seven eight nine ten.")
    page.wait(lambda: len(page.clips()) == 1)
    normal_s = page.session_info()["duration_s"]
    page.run(
        "const speed = document.getElementById('speed'); speed.value = 2;"
        "speed.dispatchEvent(new Event('input', { bubbles: true }))"
    )
    assert page.text("speed-label") == "2×"
    assert page.element("speed", "ariaValueText") == "2×"
    page.say("One two three four five six seven eight nine ten.")
    page.wait(lambda: len(page.clips()) == 2)
    assert page.session_info()["duration_s"] - normal_s < 0.75 * normal_s
    page.wait_until_silent()


def test_a_refused_text_is_explained_and_restored(page: Page) -> None:
    page.run("document.getElementById('text').value = '\\u{1F600}\\u{1F600}'")
    page.submit()
    page.wait(lambda: page.text("error-text") != "")
    assert "text" in page.text("error-text")
    assert page.element("text", "value") == "😀😀"
    assert page.clips() == []
    page.click("error-close")
    assert not page.browser.find_element(By.ID, "error").is_displayed()


def test_an_error_about_the_text_disappears_when_the_text_is_changed(page: Page) -> None:
    page.say("?!")
    page.wait(lambda: page.text("error-text") != "")
    page.browser.find_element(By.ID, "text").send_keys("Really")
    page.wait(lambda: page.text("error-text") == "")


def test_a_page_opened_later_plays_only_what_follows(browser: Chrome, port: int) -> None:
    speak(port, "late", "This was said before the page was opened")
    page = Page(browser, port, "late")
    page.wait(lambda: page.clips() != [])
    before_s = page.session_info()["duration_s"]
    assert not page.is_speaking()
    speak(port, "late", "And this was said after")
    page.wait(page.is_speaking)
    assert page.film("currentTime") >= before_s - 0.1


def test_a_page_opened_later_can_play_the_film_from_its_start(browser: Chrome, port: int) -> None:
    speak(port, "replayed", "This was said before the page was opened")
    page = Page(browser, port, "replayed", "&from=start")
    page.wait(page.is_speaking)
    assert page.film("played.start(0)") < 1
    page.wait_until_silent()
    page.assert_each_fragment_came_once()


def test_without_a_gesture_the_film_plays_muted_and_can_be_unmuted(
    port: int, tmp_path: Path
) -> None:
    policy = "--autoplay-policy=document-user-activation-required"
    with chromium(tmp_path, policy) as browser:
        page = Page(browser, port, "muted")
        speak(port, "muted", "Can you hear me? I have been talking for a while now.")
        page.wait(page.is_speaking)
        assert page.film("muted") is True
        button = browser.find_element(By.ID, "unmute")
        page.wait(button.is_displayed)
        button.click()
        assert page.film("muted") is False
        assert not button.is_displayed()


def test_only_a_part_of_a_long_film_is_buffered(page: Page) -> None:
    speak(page.port, page.session, SENTENCE * 60)
    page.wait(page.is_speaking)
    page.run("document.getElementById('film').playbackRate = 12")
    buffered_s = []

    def is_past_90_s() -> bool:
        buffered_s.append(page.film("buffered.end(0)") - page.film("buffered.start(0)"))
        return bool(page.film("currentTime") > 90)

    page.wait(is_past_90_s)
    assert max(buffered_s) < 60 + 10 + 15 + 15  # ahead, behind, one removal, one check at 12 x
    page.wait(lambda: page.film("buffered.start(0)") > 50)
    page.assert_each_fragment_came_once()


def test_a_full_buffer_delays_the_film_and_loses_nothing(browser: Chrome, port: int) -> None:
    page = Page(browser, port, "full", "&memory=5")
    speak(port, "full", SENTENCE * 6)
    page.wait(page.is_speaking)
    page.run("document.getElementById('film').playbackRate = 4")
    page.wait(lambda: page.film("currentTime") > 15)
    assert page.run("return window.refused") > 0
    assert page.film("buffered.end(0)") - page.film("buffered.start(0)") < 7
    page.assert_each_fragment_came_once()
    assert page.text("error-text") == ""
