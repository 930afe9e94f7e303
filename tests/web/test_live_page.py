"""The page with a live stream over WebRTC, in Chromium with a real server."""

import os
import signal
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from tests.chat.scripted_server import Script, ScriptedServer
from tests.web.browsing import (
    ask,
    browser_tests,
    chromium,
    free_port,
    kill,
    on_every_page,
    serving,
    speak,
)
from tests.web.chat_page import ChatPage
from tests.web.live_page import BLOCK, HOLD, NO_PATH, SPEECH, LivePage
from tests.web.screens import SCREENS, resize
from tests.web.senses import prefer

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

SENTENCE = "This sentence takes about three seconds, all in all. "
QUIET = 0.01
"""Amplitude below which the live stream is silent."""
RECORD_VOLUMES = """
window.volumes = [];
const video = document.getElementById("live");
video.addEventListener("volumechange", () => window.volumes.push(video.volume));
"""
STOPPABLE_POLLS = """
// What is done at regular intervals of some seconds is left out while `isPolling` is false.
window.isPolling = true;
const repeat = window.setInterval;
window.setInterval = (action, delayMs) =>
  repeat(() => (delayMs < 2000 || window.isPolling) && action(), delayMs);
"""
NO_CODEC = "RTCRtpReceiver.getCapabilities = () => ({ codecs: [{ mimeType: 'video/VP8' }] });"


@pytest.fixture(scope="module")
def live(browser: Chrome, port: int) -> LivePage:
    """A page with a live stream, open for the tests that follow one another."""
    page = LivePage(browser, port, "live")
    page.wait_until_live()
    page.watch()
    return page


def test_the_idle_face_lives_in_the_stream_and_its_delay_is_shown(live: LivePage) -> None:
    live.wait(lambda: len({each["corner"] for each in live.pictures()}) > 3)
    live.wait(lambda: live.text("delay").endswith("ms delay"))
    assert live.reason() == ""
    live.wait(lambda: live.idle("paused"))
    assert live.appended() == []


def test_a_text_is_heard_seen_and_captioned_in_the_stream(live: LivePage) -> None:
    live.set_captions(True)
    text = SENTENCE + "And a second sentence."
    live.say(text)
    live.wait(lambda: live.text("caption") == SENTENCE.strip())
    live.wait(lambda: live.loudness() > 0.1)
    live.wait(lambda: live.text("caption") == "And a second sentence.")
    live.wait_until_silent()
    contrasts = [abs(each["mouth"] - each["corner"]) for each in live.pictures()]
    assert max(contrasts) > 20  # as loud as the sound, not as bright as the face
    assert "first frame after" in live.text("latency")
    assert live.text("caption") == ""
    assert live.live("muted") is False
    live.wait(lambda: live.clips() == [text])
    live.set_captions(False)


def test_stop_silences_at_once_and_the_next_text_is_heard(live: LivePage) -> None:
    live.say(5 * SENTENCE)
    live.wait(live.is_speaking)
    live.wait(lambda: live.loudness() > 0.1)
    live.run(RECORD_VOLUMES)
    live.browser.find_element(By.ID, "text").send_keys(Keys.ESCAPE)
    live.wait(lambda: 0 in live.run("return window.volumes"))
    live.wait(lambda: live.live("volume") == 1)
    assert live.loudness() < QUIET
    assert not live.is_speaking()
    live.wait(lambda: live.session_info()["state"] == "idle")
    live.wait(lambda: len(live.clips()) == 2)
    assert live.notes()[1].startswith("interrupted after")
    live.say("Again, " + SENTENCE)
    live.wait(lambda: live.loudness() > 0.1)
    assert live.live("volume") == 1
    live.wait_until_silent()


def test_an_interruption_by_another_client_is_not_heard_out_and_the_next_text_is_heard(
    live: LivePage,
) -> None:
    """The sound that the browser has buffered would go on for a tenth of a second."""
    live.say(5 * SENTENCE)
    live.wait(live.is_speaking)
    live.wait(lambda: live.loudness() > 0.1)
    live.run(RECORD_VOLUMES)
    ask(live.port, "POST", "/interrupt", {"session_id": live.session})
    live.wait(lambda: 0 in live.run("return window.volumes"))
    live.wait(lambda: live.live("volume") == 1)
    live.say("Again, " + SENTENCE)
    live.wait(lambda: live.loudness() > 0.1)
    assert live.live("volume") == 1
    live.wait_until_silent()


def test_starting_over_keeps_the_stream_and_begins_a_new_film(live: LivePage) -> None:
    live.wait(lambda: live.clips() != [])
    live.say(5 * SENTENCE)
    live.wait(live.is_speaking)
    live.click("reset")
    live.click("reset")
    live.wait(lambda: live.clips() == [])
    live.wait_until_live()
    live.wait_until_silent()
    live.say("A new film")
    live.wait(live.is_speaking)
    live.wait(lambda: live.clips() == ["A new film"])
    live.wait_until_silent()


def test_a_crash_of_the_live_process_is_survived(live: LivePage) -> None:
    live.wait_until_live()
    starts = live.live_process()["starts"]
    live.watch_for_loss()
    os.kill(live.live_process()["pid"], signal.SIGKILL)
    live.wait(lambda: live.live_process()["starts"] > starts)
    live.wait_for_loss()
    live.wait_until_live()
    live.say("I am back")
    live.wait(live.is_speaking)
    live.wait(lambda: live.clips()[-1] == "I am back")


@pytest.mark.usefixtures("media")
def test_with_reduced_motion_the_stream_is_seen_only_while_it_speaks(live: LivePage) -> None:
    live.wait_until_silent()
    prefer(live, "prefers-reduced-motion", "reduce")
    live.wait(lambda: "live" not in live.stage_classes())
    live.say("Now I move. " + SENTENCE)
    live.wait(lambda: {"live", "talking"} <= set(live.stage_classes()))
    live.wait(lambda: not {"live", "talking"} & set(live.stage_classes()))


def test_without_an_answer_the_film_is_played_until_the_stream_is_back(
    browser: Chrome, live: LivePage
) -> None:
    with on_every_page(browser, BLOCK):
        browser.refresh()
        live.wait(lambda: live.player() == "mse")
        assert "the server cannot be reached" in live.reason()
        speak(live.port, live.session, "By the film. " + SENTENCE)
        live.wait(lambda: "speaking" in live.stage_classes())
        live.run("window.isBlocked = false")
        live.wait_until_live()
        assert live.reason() == ""
        assert "speaking" not in live.stage_classes()


def open_before_the_stream(browser: Chrome, port: int, session: str) -> LivePage:
    """Open a page whose live stream does not arrive until its script `release()` is run."""
    page = LivePage(browser, port, session, status="")
    page.wait(lambda: "listening" in page.text("length"))
    page.run(SPEECH)
    return page


def assert_all_was_seen(page: LivePage) -> None:
    """Assert that the whole of the only clip was seen, and that the next one is seen live."""
    page.wait(lambda: page.run("return window.speech.length"))
    page.wait_until_live()
    page.wait_until_silent()
    times = page.run("return window.speech")
    assert times[-1] - times[0] > page.session_info()["duration_s"] - 1
    page.say("Now live")
    page.wait(lambda: "talking" in page.stage_classes())
    assert page.console_errors() == []


def test_what_was_said_before_the_stream_arrives_is_seen_all_the_same(
    browser: Chrome, port: int
) -> None:
    with on_every_page(browser, HOLD):
        page = open_before_the_stream(browser, port, "early")
        page.say("This one is short, is it not?")
        page.wait(lambda: len(page.clips()) == 1)
        page.wait(lambda: page.player() == "mse")
        page.run("window.release()")
        assert_all_was_seen(page)


def test_a_stream_that_arrives_in_the_middle_of_a_sentence_hides_nothing_of_it(
    browser: Chrome, port: int
) -> None:
    with on_every_page(browser, HOLD):
        page = open_before_the_stream(browser, port, "middle")
        page.say(2 * SENTENCE)
        page.wait(lambda: page.session_info()["duration_s"] > 1)
        page.run("window.release()")
        assert_all_was_seen(page)


def test_what_another_client_says_is_listed_while_it_is_heard(browser: Chrome, port: int) -> None:
    with on_every_page(browser, STOPPABLE_POLLS):
        page = LivePage(browser, port, "others")
        page.wait_until_live()
        page.run("window.isPolling = false")
        speak(port, "others", "Somebody else said this.")
        page.wait(lambda: page.clips() == ["Somebody else said this."])


@pytest.mark.usefixtures("resizable")
def test_without_a_path_the_film_is_played_and_the_reason_fits_a_telephone(
    browser: Chrome, port: int
) -> None:
    with on_every_page(browser, NO_PATH):
        page = LivePage(browser, port, "blocked")
        page.wait(lambda: page.player() == "mse")
        speak(port, "blocked", "By the film. " + SENTENCE)
        page.wait(page.is_speaking)
        page.wait(lambda: "UDP may be blocked" in page.reason())
        resize(page, SCREENS["small"])
        assert page.run("return document.documentElement.scrollWidth") <= 360
        assert page.element("reason", "clientWidth") > 40


def test_without_h264_the_film_is_played_with_the_reason(browser: Chrome, port: int) -> None:
    with on_every_page(browser, NO_CODEC):
        page = LivePage(browser, port, "codec")
        page.wait(lambda: page.player() == "mse")
        assert "plays no H.264" in page.reason()
    page = LivePage(browser, port, "codec", "&player=hls")
    assert (page.player(), page.reason()) == ("hls", "")


class LiveChatPage(LivePage, ChatPage):
    """The chat with a live stream."""


def test_the_sentence_that_is_heard_is_marked_and_what_was_heard_is_remembered(
    browser: Chrome, chat_port: int, chat_server: ScriptedServer
) -> None:
    chat_server.script = Script(text=SENTENCE + "This is the second one. " + 4 * SENTENCE)
    page = LiveChatPage(browser, chat_port, "live-chat")
    page.wait_until_live()
    page.send("Talk")
    page.wait(lambda: page.marked("spoken").startswith("This sentence"))
    page.wait(lambda: page.marked("spoken").startswith("This is the second"))
    page.type(Keys.ESCAPE)
    page.wait(lambda: page.history()[0]["interrupted"])
    page.wait(lambda: not page.is_speaking())
    heard = page.history()[0]["heard_text"]
    assert heard.startswith(SENTENCE.strip())
    assert len(heard) < len(SENTENCE) + 60
    assert page.marked("spoken") == ""
    page.run("localStorage.removeItem('mode')")


def test_the_first_click_turns_on_the_sound(port: int, tmp_path: Path) -> None:
    with chromium(tmp_path, "--autoplay-policy=document-user-activation-required") as browser:
        page = LivePage(browser, port, "click")
        page.wait_until_live()
        page.wait(browser.find_element(By.ID, "unmute").is_displayed)
        assert page.live("muted") is True
        page.click("stage")
        page.wait(lambda: page.live("muted") is False)
        assert page.live("paused") is False
        assert not browser.find_element(By.ID, "unmute").is_displayed()
        assert page.console_errors() == []


def test_the_stream_is_back_after_the_server_was_killed(browser: Chrome, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as server:
        page = LivePage(browser, port, "killed")
        page.wait_until_live()
        page.watch_for_loss()
        kill(server)
        page.wait_for_loss()
    with serving(tmp_path, port):
        page.wait_until_live()
        page.say("After it came back")
        page.wait(page.is_speaking)
        page.wait(lambda: page.clips() == ["After it came back"])
        browser.get("about:blank")
        page.console_errors()
