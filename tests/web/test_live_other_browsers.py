"""The live stream in Firefox: with H.264 by WebRTC, and without it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import free_port, kill, serving, speak
from tests.web.live_page import NO_PATH, LivePage
from tests.web.other_browsers import FIREFOX, XVFB, Firefox, firefox

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        FIREFOX is None or XVFB is None,
        reason="needs Debian's packages: apt-get install firefox-esr xvfb",
    ),
]

SENTENCE = "This sentence takes about three seconds, all in all."
SET_H264 = """
// Decodes by the system's FFmpeg; by itself, Firefox fetches a decoder from Mozilla first.
Services.prefs.setBoolPref("media.navigator.mediadatadecoder_h264_enabled", arguments[0]);
Services.prefs.setBoolPref("media.webrtc.hw.h264.enabled", arguments[0]);
"""
SET_AUTOPLAY = """
const ALLOWED = 0, BLOCKED = 1;
Services.prefs.setIntPref("media.autoplay.default", arguments[0] ? ALLOWED : BLOCKED);
"""
HAS_H264 = """
const { codecs } = RTCRtpReceiver.getCapabilities("video");
return codecs.some(({ mimeType }) => mimeType === "video/H264");
"""


@pytest.fixture(scope="module")
def fox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


@pytest.fixture
def quiet_fox(fox: Firefox) -> Iterator[Firefox]:
    """Firefox as users have it: without sound before a click."""
    run_as_browser(fox, SET_AUTOPLAY, False)
    yield fox
    run_as_browser(fox, SET_AUTOPLAY, True)


def run_as_browser(browser: Any, script: str, *arguments: object) -> None:
    """Run a script with the rights of the browser itself."""
    browser.execute("setContext", {"value": "chrome"})
    browser.execute_script(script, *arguments)
    browser.execute("setContext", {"value": "content"})


def live_page(browser: Any, port: int, session: str) -> LivePage:
    """Open a page in a Firefox that plays H.264; wait until it is live."""
    run_as_browser(browser, SET_H264, True)
    page = LivePage(browser, port, session)
    page.wait_until_live()
    return page


@pytest.mark.parametrize("with_codec", [False, True], ids=["without H.264", "with H.264"])
def test_firefox_plays_the_stream_if_it_can_and_the_film_otherwise(
    fox: Any, port: int, with_codec: bool
) -> None:
    run_as_browser(fox, SET_H264, with_codec)
    page = LivePage(fox, port, f"fox-{with_codec}")
    if page.run(HAS_H264):
        page.wait_until_live()
        assert page.reason() == ""
    else:
        page.wait(lambda: page.player() == "mse")
        assert "plays no H.264 by WebRTC" in page.reason()
    end_s = speak(port, page.session, "Hello from here.")["session"]["duration_s"]
    page.wait(page.is_speaking)
    page.wait_until_silent()
    assert end_s > 0
    assert page.console_errors() == []
    assert page.element("error-text", "textContent") == ""


def test_the_first_click_turns_on_the_sound_in_firefox(quiet_fox: Any, port: int) -> None:
    page = live_page(quiet_fox, port, "fox-click")
    page.wait(lambda: page.live("muted") and not page.element("unmute", "hidden"))
    page.click("stage")
    page.wait(lambda: not page.live("muted"))
    assert page.live("paused") is False
    assert page.element("unmute", "hidden") is True
    assert page.console_errors() == []


def test_firefox_shows_the_delay_and_captions_and_stops_at_once(fox: Any, port: int) -> None:
    page = live_page(fox, port, "fox-stop")
    page.wait(lambda: page.text("delay").endswith("ms delay"))
    page.set_captions(True)
    page.say(f"{SENTENCE} And here comes a second one. {5 * SENTENCE}")
    page.wait(lambda: page.text("caption") == SENTENCE)
    page.wait(lambda: page.text("caption") == "And here comes a second one.")
    page.browser.find_element(By.ID, "text").send_keys(Keys.ESCAPE)
    page.wait(lambda: page.live("volume") == 0)
    page.wait(lambda: page.live("volume") == 1 and not page.is_speaking())
    page.wait(lambda: page.session_info()["state"] == "idle")
    assert page.text("caption") == ""
    page.say("Again")
    page.wait(page.is_speaking)
    page.wait_until_silent()
    page.set_captions(False)
    assert page.console_errors() == []


def test_firefox_plays_the_film_when_the_path_is_blocked(fox: Any, port: int) -> None:
    page = live_page(fox, port, "fox-blocked")
    page.run(NO_PATH)
    os.kill(page.live_process()["pid"], signal.SIGKILL)
    page.wait(lambda: page.player() == "mse" and "UDP may be blocked" in page.reason())
    speak(port, page.session, SENTENCE)
    page.wait(lambda: "speaking" in page.stage_classes())
    page.wait_until_silent()
    assert page.console_errors() == []


def test_the_stream_is_back_in_firefox_after_the_server_was_killed(
    fox: Any, tmp_path: Path
) -> None:
    port = free_port()
    with serving(tmp_path, port) as server:
        page = live_page(fox, port, "fox-killed")
        kill(server)
        page.wait(lambda: "live" not in page.stage_classes())
    with serving(tmp_path, port):
        page.wait_until_live()
        speak(port, page.session, "After it came back")
        page.wait(page.is_speaking)
        page.wait_until_silent()
        fox.get("about:blank")
