"""Turn by turn: short answers, being interrupted, reading what is said."""

from typing import Any

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, ask, browser_tests, head_steps, speak

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests

LONG = "This sentence takes about three seconds, all in all. " * 5


def session_of(page: Page) -> Any:
    return ask(page.port, "GET", f"/session?session_id={page.session}")


def test_short_answers_are_heard_after_every_silence(page: Page) -> None:
    """Chromium demands more film in store each time that it ran dry, more than a short clip has."""
    for turn in range(6):
        end_s = speak(page.port, page.session, "Yes.")["session"]["duration_s"]
        page.wait(lambda end_s=end_s: page.film("currentTime") > end_s - 0.3)
        page.wait(lambda: not page.is_speaking())
        assert len(page.appended()) > turn


def test_escape_stops_the_speech_at_once_and_the_next_one_goes_on_behind(page: Page) -> None:
    assert not page.browser.find_element(By.ID, "stop").is_enabled()
    page.say(LONG)
    page.wait(lambda: page.is_speaking() and page.film("currentTime") > 0.5)
    page.browser.find_element(By.ID, "text").send_keys(Keys.ESCAPE)
    page.wait(lambda: not page.is_speaking())
    page.wait(lambda: page.film("paused"))
    stopped_s = page.film("currentTime")
    assert stopped_s < 6
    page.wait(lambda: session_of(page)["state"] == "idle")
    end_s = session_of(page)["duration_s"]
    assert end_s < 8
    page.say("And now something else")
    page.wait(page.is_speaking)
    assert page.film("currentTime") >= end_s - 0.1
    assert page.film("volume") == 1
    page.wait(lambda: page.text("error-text") == "" and not page.is_speaking())


def test_a_stopped_film_is_left_without_a_jump(page: Page) -> None:
    page.say(LONG)
    page.wait(lambda: page.is_speaking() and page.film("currentTime") > 1.5)
    page.watch()
    page.click("stop")
    page.wait(lambda: not page.is_speaking() and page.looks()[-1]["seen"] == "idle")
    assert max(head_steps(page.looks())) < 2


def test_the_text_that_is_being_said_is_marked_and_not_the_one_before(page: Page) -> None:
    """Its clip is not known before its end: would miss a mark that stays where it was."""
    marked = "return document.querySelector('#transcript .heard p')?.textContent"
    speak(page.port, page.session, "Before.")
    page.hear_out()
    page.say(LONG)
    page.wait(lambda: page.is_speaking() and page.film("currentTime") > 3)
    assert session_of(page)["state"] == "speaking"
    assert page.run(marked).startswith("This sentence")
    page.click("stop")


def test_captions_show_the_sentence_that_is_heard(page: Page) -> None:
    page.click("captions")
    page.say("This is the first sentence. And here is the second one.")
    caption = "document.getElementById('caption').textContent"
    page.wait(lambda: "first" in page.run(f"return {caption}"))
    page.wait(lambda: "second" in page.run(f"return {caption}"))
    page.wait(lambda: not page.is_speaking())
    cues = page.run(
        "return [...document.getElementById('film').textTracks[0].cues]"
        ".map(({ startTime, endTime, text }) => [startTime, endTime, text])"
    )
    told = session_of(page)
    assert [text for _, _, text in cues] == [
        "This is the first sentence.",
        "And here is the second one.",
    ]
    assert cues[0][0] == 0
    assert abs(cues[0][1] - cues[1][0]) < 0.5
    assert told["duration_s"] - 0.6 < cues[1][1] <= told["duration_s"]
    page.wait(lambda: page.run(f"return {caption}") == "")
    page.click("captions")


def test_a_new_session_has_the_face_and_voice_that_were_chosen(browser: Chrome, port: int) -> None:
    page = Page(browser, port, "old")
    page.click("other")
    name = page.browser.find_element(By.ID, "new-name")
    page.wait(name.is_displayed)
    name.send_keys("of-my-own")
    page.run("document.getElementById('new-voice').selectedIndex = 2")
    voice = page.run("return document.getElementById('new-voice').value")
    page.browser.find_element(By.CSS_SELECTOR, "#new-form [type=submit]").click()
    page.wait(lambda: "session=of-my-own" in page.browser.current_url)
    page.wait(lambda: page.text("session") == "of-my-own")
    page.wait(lambda: page.run("return document.getElementById('voice').value") == voice)
    assert ask(port, "GET", "/sessions/of-my-own")["chosen"]["voice"] == voice
