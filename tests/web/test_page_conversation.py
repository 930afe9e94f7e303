"""Turns of a conversation: short answers, interruptions, transcript and captions."""

from typing import Any

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, ask, browser_tests, on_every_page, speak

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

LONG = "This sentence takes about three seconds, all in all. " * 10


def press_escape(page: Page, *more: str) -> None:
    page.browser.find_element(By.ID, "text").send_keys(Keys.ESCAPE, *more)


def caption(page: Page) -> Any:
    """The caption, even while it is not visible."""
    return page.element("caption", "textContent")


def test_short_answers_are_played_after_every_silence(page: Page) -> None:
    """After every underrun Chromium demands more buffered film, finally more than a short clip."""
    for turn in range(6):
        end_s = speak(page.port, page.session, "Yes.")["session"]["duration_s"]
        page.wait(lambda end_s=end_s: page.film("currentTime") > end_s - 0.3)
        page.wait_until_silent()
        assert len(page.appended()) > turn


def test_escape_stops_the_speech_at_once_and_the_next_one_follows(page: Page) -> None:
    assert not page.browser.find_element(By.ID, "stop").is_enabled()
    page.say(LONG)
    page.wait_until_speaking(after_s=0.5)
    press_escape(page)
    page.wait_until_silent()
    page.wait(lambda: page.film("paused"))
    assert page.film("currentTime") < 20  # the whole text takes half a minute
    page.wait(lambda: page.session_info()["state"] == "idle")
    end_s = page.session_info()["duration_s"]
    assert end_s < 20
    page.say("And now something else")
    page.wait(page.is_speaking)
    assert page.film("currentTime") >= end_s - 0.1
    assert page.film("volume") == 1
    page.wait(lambda: page.text("error-text") == "" and not page.is_speaking())


def test_a_text_sent_right_after_an_interruption_is_not_interrupted(page: Page) -> None:
    page.say(LONG)
    page.wait_until_speaking(after_s=0.5)
    press_escape(page, "Something else instead", Keys.ENTER)
    page.wait(lambda: len(page.clips()) == 2)
    assert page.clips() == [LONG.strip(), "Something else instead"]
    first, second = page.notes()
    assert first.startswith("interrupted after")
    assert "interrupted" not in second
    end_s = page.session_info()["duration_s"]
    page.wait(lambda: page.film("currentTime") > end_s - 0.5)
    page.wait_until_silent()


def test_a_text_that_was_waiting_when_the_speech_was_stopped_is_cancelled(page: Page) -> None:
    page.say(LONG)
    page.wait_until_speaking(after_s=0.5)
    page.say("This one waits.")
    page.wait(lambda: ask(page.port, "GET", "/stats")["requests"]["queued"] > 0)
    page.click("stop")
    page.wait(lambda: page.notes()[-1] == "cancelled before it was spoken")
    assert page.text("error-text") == ""


def test_the_text_that_is_being_spoken_is_highlighted(page: Page) -> None:
    """Its clip is known only at its end: catches a highlight that stays at the previous clip."""
    speak(page.port, page.session, "Before.")
    page.wait_for_speech()
    page.say(LONG)
    page.wait_until_speaking(after_s=3)
    assert page.session_info()["state"] == "speaking"
    highlighted = page.run("return document.querySelector('#transcript .current p')?.textContent")
    assert highlighted.startswith("This sentence")
    page.click("stop")


def test_captions_show_the_sentence_that_is_heard(page: Page) -> None:
    page.set_captions(True)
    page.say("This is the first sentence. And here is the second one.")
    page.wait(lambda: "first" in caption(page))
    page.wait(lambda: "second" in caption(page))
    page.wait_until_silent()
    cues = page.run(
        "return [...document.getElementById('film').textTracks[0].cues]"
        ".map(({ startTime, endTime, text }) => [startTime, endTime, text])"
    )
    (start_s, first_end_s, first), (second_start_s, end_s, second) = cues
    assert (first, second) == ("This is the first sentence.", "And here is the second one.")
    assert start_s == 0
    assert abs(first_end_s - second_start_s) < 0.5
    duration_s = page.session_info()["duration_s"]
    assert duration_s - 0.6 < end_s <= duration_s
    page.wait(lambda: caption(page) == "")


BREAK_CAPTIONS = """
// The connection is lost in the middle of the first captions.
const plain = window.fetch;
window.lostCaptions = 0;
window.fetch = async (address, ...others) => {
  const response = await plain(address, ...others);
  if (!String(address).endsWith(".vtt") || !response.ok || (window.lostCaptions += 1) > 1) {
    return response;
  }
  const body = new ReadableStream({ pull: (stream) => stream.error(new TypeError("network")) });
  return new Response(body, { status: 200 });
};
"""


def test_captions_go_on_after_a_connection_that_was_lost(browser: Chrome, port: int) -> None:
    with on_every_page(browser, BREAK_CAPTIONS):
        page = Page(browser, port, "lost-captions")
        page.set_captions(True)
        page.say("This is the first sentence. And here is the second one.")
        page.wait(lambda: "second" in caption(page))
        assert page.run("return window.lostCaptions") > 1
        page.wait_until_silent()
        page.set_captions(False)
        assert page.console_errors() == []


def test_captions_stay_off_or_on_when_the_page_is_opened_again(page: Page) -> None:
    for on in (True, False):
        page.set_captions(on)
        page.browser.refresh()
        page.wait(lambda: page.text("player") == "MSE")
        assert page.element("captions", "ariaPressed") == str(on).lower()
