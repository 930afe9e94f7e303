"""The page in a real browser, with a real server behind it.

Left out where Chromium is not installed (Debian: packages chromium and chromium-driver).
"""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SERVER = Path(__file__).with_name("page_server.py")
PATIENCE_S = 30

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="the tests of the page need Debian's packages chromium and chromium-driver",
    ),
]

WATCH_GREYS = """
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 8;
const brush = canvas.getContext("2d", { willReadFrequently: true });
const film = document.getElementById("film"), idle = document.getElementById("idle");
// The upper left corner: the mouth is elsewhere. Faded as the page fades it.
const grey = (video) => {
  brush.drawImage(video, 0, 0, 24, 24, 0, 0, 8, 8);
  return brush.getImageData(4, 4, 1, 1).data[0];
};
window.greys = [];
const look = () => {
  const shown = Number(getComputedStyle(film).opacity);
  const of = (video) => (video.readyState >= 2 ? grey(video) : 0);
  window.greys.push({
    at: performance.now(), shown, film: of(film), idle: of(idle), moving: !idle.paused,
  });
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
"""Notes at every repaint what film and idle face show, and how much of the film is seen."""


@contextmanager
def serving(results: Path, port: int) -> Iterator[None]:
    """The server, until the block ends; it is stopped as an operator would."""
    command = [sys.executable, "-u", str(SERVER), str(results), str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert "ready at" in process.stdout.readline()
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Chrome]:
    """A browser of its own, that talks to nobody but our server."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--mute-audio", "--window-size=1280,860", f"--user-data-dir={profile}", *flags),
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield browser
    finally:
        browser.quit()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Page:
    """The page as a person sees it, in a session of its own."""

    def __init__(self, browser: Chrome, port: int, session: str) -> None:
        self.browser, self.port, self.session = browser, port, session
        browser.get_log("browser")
        browser.get(f"http://127.0.0.1:{port}/?session={session}")
        self.wait(lambda: self.text("status-text").startswith("ready"))

    def text(self, element: str) -> str:
        return self.browser.find_element(By.ID, element).text

    def run(self, script: str) -> Any:
        return self.browser.execute_script(script)  # type: ignore[no-untyped-call]

    def film(self, what: str) -> Any:
        return self.run(f"return document.getElementById('film').{what}")

    def wait(self, condition: Callable[[], Any]) -> Any:
        return WebDriverWait(self.browser, PATIENCE_S, 0.05).until(lambda _: condition())

    def say(self, text: str) -> None:
        self.browser.find_element(By.ID, "text").send_keys(text, Keys.ENTER)

    def is_speaking(self) -> bool:
        return "speaking" in self.run("return document.getElementById('stage').className")

    def hear_out(self) -> None:
        """Wait until the film has begun and has ended."""
        self.wait(self.is_speaking)
        self.wait(lambda: not self.is_speaking())

    def clips(self) -> Any:
        lines = "document.querySelectorAll('li.said p')"
        return self.run(f"return [...{lines}].map((line) => line.textContent)")

    def complaints(self) -> list[str]:
        """What the browser's console says of scripts that failed."""
        log = self.browser.get_log("browser")
        return [entry["message"] for entry in log if entry["source"] == "javascript"]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, results = free_port(), tmp_path_factory.mktemp("results")
    with serving(results, port):
        yield port


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser: Chrome, port: int, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = Page(browser, port, request.node.name[-40:])
    yield page
    assert page.complaints() == []


def speak(port: int, session: str, text: str) -> None:
    """Somebody else says something."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    body = json.dumps({"session_id": session, "text": text})
    connection.request("POST", "/speak", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200


def test_the_idle_face_moves_while_nobody_speaks(page: Page) -> None:
    idle = "return document.getElementById('idle').currentTime"
    page.wait(lambda: page.run(idle) > 0.3)
    assert not page.is_speaking()
    assert page.run("return document.getElementById('idle').loop")


def test_what_is_typed_is_spoken_shown_and_written_down(page: Page) -> None:
    page.run(WATCH_GREYS)
    page.say("Hello world")
    page.hear_out()
    greys = [look["film"] for look in page.run("return window.greys") if look["shown"] == 1]
    assert len(set(greys)) > 10
    assert page.clips() == ["Hello world"]
    assert page.film("muted") is False
    assert "first picture after" in page.text("timing")


def test_the_film_ends_on_the_picture_with_which_the_idle_face_goes_on(page: Page) -> None:
    page.run(WATCH_GREYS)
    page.say("One two three four")
    page.hear_out()
    page.wait(lambda: page.run("return window.greys.at(-1).shown") == 0)
    looks = page.run("return window.greys")
    last_of_film = [look for look in looks if look["shown"] == 1][-1]
    after = [look for look in looks if look["at"] > last_of_film["at"]][:20]
    steps = [abs(look["idle"] - last_of_film["film"]) for look in after]
    assert max(steps) <= 12  # eight frames; the idle loop as a whole spans 150


def test_the_film_fades_in_over_the_idle_face(page: Page) -> None:
    page.run(WATCH_GREYS)
    page.say("Good morning to you")
    page.hear_out()
    looks = page.run("return window.greys")
    first = next(at for at, look in enumerate(looks) if look["shown"] > 0)
    assert looks[first]["shown"] < 0.8
    faded = next(look for look in looks[first:] if look["shown"] == 1)
    assert faded["at"] - looks[first]["at"] < 1000


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


def test_old_film_is_dropped_from_memory(page: Page) -> None:
    page.say("This sentence takes about three seconds, all in all. " * 18)
    page.wait(page.is_speaking)
    page.run("document.getElementById('film').playbackRate = 8")
    page.wait(lambda: page.film("currentTime") > 35)
    page.say("One more.")  # what is old is dropped when something comes
    page.wait(lambda: page.film("buffered.start(0)") > 10)


def test_the_page_finds_the_server_again_after_a_restart(browser: Chrome, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port):
        page = Page(browser, port, "again")
        page.say("Before the restart")
        page.hear_out()
    page.wait(lambda: "does not answer" in page.text("status-text"))
    with serving(tmp_path, port):
        page.wait(lambda: page.text("status-text").startswith("ready"))
        played_s = page.film("currentTime")
        page.say("After the restart")
        page.hear_out()
        assert page.clips() == ["Before the restart", "After the restart"]
        assert page.film("currentTime") > played_s + 0.5


def test_the_page_fits_a_telephone(page: Page) -> None:
    page.browser.set_window_size(390, 844)
    try:
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
        assert page.browser.find_element(By.CSS_SELECTOR, "[type=submit]").is_displayed()
    finally:
        page.browser.set_window_size(1280, 860)
