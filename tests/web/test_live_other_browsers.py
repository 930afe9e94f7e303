"""The live stream in Firefox: with H.264 by WebRTC, and without it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.browsing import speak
from tests.web.live_page import LivePage
from tests.web.other_browsers import FIREFOX, XVFB, Firefox, firefox

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        FIREFOX is None or XVFB is None,
        reason="needs Debian's packages: apt-get install firefox-esr xvfb",
    ),
]

SET_H264 = """
// Decodes by the system's FFmpeg; by itself, Firefox fetches a decoder from Mozilla first.
Services.prefs.setBoolPref("media.navigator.mediadatadecoder_h264_enabled", arguments[0]);
Services.prefs.setBoolPref("media.webrtc.hw.h264.enabled", arguments[0]);
"""
HAS_H264 = """
const { codecs } = RTCRtpReceiver.getCapabilities("video");
return codecs.some(({ mimeType }) => mimeType === "video/H264");
"""


@pytest.fixture(scope="module")
def fox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


def set_h264(browser: Any, is_on: bool) -> None:
    """Let Firefox decode H.264 by WebRTC, or not."""
    browser.execute("setContext", {"value": "chrome"})
    browser.execute_script(SET_H264, is_on)
    browser.execute("setContext", {"value": "content"})


@pytest.mark.parametrize("with_codec", [False, True], ids=["without H.264", "with H.264"])
def test_firefox_plays_the_stream_if_it_can_and_the_film_otherwise(
    fox: Any, port: int, with_codec: bool
) -> None:
    set_h264(fox, with_codec)
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
