"""The page in engines that Chromium is not built on: Firefox and WebKit, which is Safari's."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, ask, free_port, kill, serving, speak
from tests.web.engines import ENGINES, Engine

HLS_JS = Path(__file__).resolve().parents[2] / "web" / "vendor" / "hls.light.min.js"
SENTENCE = "This sentence takes about three seconds, all in all. "
LONG = 20 * SENTENCE
TRIES = 5
"""A busy machine may draw no more than one picture of a film."""
SOUND_LAGS_S = 0.1
"""Sound ends a little before the pictures, and players with it."""

pytest_plugins = ["page_fixtures"]
pytestmark = pytest.mark.browser

NOTE_WHAT_IS_SEEN = """
// The greys that a video showed while it was seen; numbers of the fragments given to the player.
const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
window.film = document.getElementById("film");
window.greys = { film: new Set(), idle: new Set() };
window.appended = [];
const look = (id) => {
  const video = document.getElementById(id);
  const isSpeaking = document.getElementById("stage").classList.contains("speaking");
  if (isSpeaking === (id === "film") && video.readyState >= 2) {
    brush.drawImage(video, 0, 0, 8, 8); // a corner is as grey as the frame's number
    window.greys[id].add(brush.getImageData(0, 7, 1, 1).data[0]);
  }
};
const watch = () => {
  look("film");
  look("idle");
  requestAnimationFrame(watch);
};
requestAnimationFrame(watch);
const appendBuffer = SourceBuffer.prototype.appendBuffer;
SourceBuffer.prototype.appendBuffer = function (segment) {
  const at = String.fromCharCode(...segment.subarray(0, 2000)).indexOf("mfhd");
  const number = () => new DataView(segment.buffer, segment.byteOffset).getUint32(at + 8);
  window.appended.push(at < 0 ? "init" : number());
  appendBuffer.call(this, segment);
};
"""


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.name)
def elsewhere(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    engine: Engine = request.param
    if not engine.is_here:
        pytest.skip(f"needs Debian's packages {engine.packages}")
    with engine.opened(tmp_path_factory.mktemp(engine.name)) as browser:
        yield browser


class ElsewherePage(Page):
    """The page in another engine."""

    def __init__(self, browser: Any, port: int, session: str, query: str = "") -> None:
        super().__init__(browser, port, session, query)
        self.run(NOTE_WHAT_IS_SEEN)

    def text(self, element: str) -> str:
        """What stands there; WebKit's driver takes a text that could be cut off for unseen."""
        return str(self.run(f"return document.getElementById('{element}').innerText"))

    def has_seen(self, video: str) -> bool:
        """Whether a video was seen moving since `look_anew`."""
        return bool(self.run(f"return window.greys.{video}.size > 1"))

    def look_anew(self) -> None:
        self.run("window.greys.idle.clear(); window.greys.film.clear()")

    def hears(self, text: str) -> None:
        """Somebody says something, which is played to its end and seen; then there is silence."""
        self.look_anew()
        for _ in range(TRIES):
            end_s = speak(self.port, self.session, text)["session"]["duration_s"]
            self.wait(partial(self.is_played_to, end_s))
            self.rests()
            if self.has_seen("film"):
                return
        raise AssertionError(f"{TRIES} times the film was played, and its picture never moved")

    def is_played_to(self, end_s: float) -> bool:
        return bool(self.film("currentTime") > end_s - SOUND_LAGS_S)

    def rests(self) -> None:
        """The idle face is seen again, and moves."""
        self.wait(lambda: not self.is_speaking())
        self.run("window.greys.idle.clear()")
        self.wait(lambda: self.has_seen("idle"))


@pytest.fixture
def there(elsewhere: Any, port: int, request: pytest.FixtureRequest) -> Iterator[ElsewherePage]:
    session = f"{elsewhere.name}-{request.node.originalname[-30:]}"
    page = ElsewherePage(elsewhere, port, session)
    yield page
    assert page.complaints() == []
    assert page.text("error-text") == ""


def test_what_is_said_is_seen_and_heard_after_every_silence(there: ElsewherePage) -> None:
    there.wait(lambda: there.has_seen("idle"))
    there.say("The first words")  # at the keyboard: who has touched the page is allowed sound
    there.wait(lambda: there.clips() == ["The first words"])
    there.hears("And then some more")
    there.hears(SENTENCE)
    assert there.text("player") == "MSE"
    assert there.clips()[:2] == ["The first words", "And then some more"]
    assert there.film("mozHasAudio ?? film.audioTracks.length === 1")
    assert there.film("muted") is False
    assert_each_came_once(there)


def test_escape_stops_the_speech_and_the_next_one_goes_on_behind(there: ElsewherePage) -> None:
    there.say(LONG)
    there.wait(lambda: there.is_speaking() and there.film("currentTime") > 0.3)
    there.browser.find_element(By.ID, "text").send_keys(Keys.ESCAPE)
    there.wait(lambda: there.film("paused") and not there.is_speaking())
    there.wait(lambda: session_of(there)["state"] == "idle")
    stopped_s = session_of(there)["duration_s"]
    assert stopped_s < 40  # of a minute
    there.hears("And now something else")
    assert there.film("currentTime") > stopped_s
    assert there.film("volume") == 1


def test_starting_over_begins_a_new_film(there: ElsewherePage) -> None:
    there.hears("The first film, which is a little longer")
    there.click("reset")
    there.click("reset")
    there.wait(lambda: there.clips() == [])
    there.hears("The second film")
    numbers = there.appended()
    second = numbers[numbers.index("init", 1) :]
    assert second == ["init", *range(1, len(second))]


def test_a_killed_server_that_comes_back_is_found_again(elsewhere: Any, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as server:
        page = ElsewherePage(elsewhere, port, "killed")
        page.hears("Before the server died")
        page.say(LONG)
        page.wait(lambda: len(page.appended()) > 8)
        kill(server)
    with serving(tmp_path, port):
        page.wait(lambda: "ready" in page.text("status-text"))
        page.hears("After it came back")
        assert_each_came_once(page)
        elsewhere.get("about:blank")


@pytest.mark.skipif(not HLS_JS.exists(), reason="`make setup` fetches hls.js where npm is")
def test_hls_js_plays_the_film_as_it_grows(elsewhere: Any, port: int) -> None:
    page = ElsewherePage(elsewhere, port, f"{elsewhere.name}-hls", "&player=hls")
    page.hears("The first words")
    page.hears(SENTENCE)
    assert page.text("player") == "HLS"
    assert page.complaints() == []


def test_who_cannot_play_playlists_is_told_so(elsewhere: Any, port: int) -> None:
    page = ElsewherePage(elsewhere, port, f"{elsewhere.name}-native", "&player=native")
    page.wait(lambda: "player=hls" in page.text("error-text"))
    page.complaints()


def session_of(page: Page) -> Any:
    return ask(page.port, "GET", f"/session?session_id={page.session}")


def assert_each_came_once(page: Page) -> None:
    first, *numbers = page.appended()
    assert (first, numbers) == ("init", list(range(1, len(numbers) + 1)))
