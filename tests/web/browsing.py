"""A real browser and a real server for the tests of the page.

The tests are skipped if Chromium is not installed (Debian: chromium and chromium-driver).
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SERVER = Path(__file__).with_name("page_server.py")
TIMEOUT_S = 60
MAX_FRAME_INTERVAL_MS = 100
"""If two samples are farther apart than this, the browser has skipped repaints."""
MAX_HEAD_SPEED_PX_PER_MS = 0.05
"""Above the speed of any transition: 20 pixels in a second, with ease-in and ease-out."""

browser_tests = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="the tests of the page need Debian's packages chromium and chromium-driver",
    ),
]

INSTRUMENTATION = """
// Lets tests read the canvas, and records the number of every fragment given to the player.
const getContext = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  return getContext.call(this, kind, { ...options, preserveDrawingBuffer: true });
};
// With ?memory=S the buffer refuses to hold more than S seconds, as on a telephone.
window.appended = [];
window.refused = 0;
const memoryS = Number(new URLSearchParams(location.search).get("memory") ?? Infinity);
const appendBuffer = SourceBuffer.prototype.appendBuffer;
SourceBuffer.prototype.appendBuffer = function (segment) {
  const bytes = new Uint8Array(segment);
  const at = String.fromCharCode(...bytes.subarray(0, 2000)).indexOf("mfhd");
  const ranges = this.buffered;
  if (ranges.length > 0 && ranges.end(ranges.length - 1) - ranges.start(0) > memoryS) {
    window.refused += 1;
    throw new DOMException("full", "QuotaExceededError");
  }
  appendBuffer.call(this, segment);
  window.appended.push(at < 0 ? "init" : new DataView(bytes.buffer).getUint32(at + 8));
};
"""

RECORDER = """
// Samples the visible image at every repaint: its frame, as the grey of a corner, and the head's
// position. A transition is dated by its last drawing, which may belong to the previous repaint.
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 96;
const context = canvas.getContext("2d", { willReadFrequently: true });
const film = document.getElementById("film"), idle = document.getElementById("idle");
const morph = document.getElementById("morph");
const measure = (image) => {
  context.drawImage(image, 0, 0, 96, 96);
  const { data } = context.getImageData(0, 0, 96, 40);
  let [sum, weight] = [0, 0];
  const grey = data[4 * (96 * 4 + 4)];
  for (let at = 0; at < 96 * 40; at += 1) {
    const dark = Math.max(0, grey / 2 - data[4 * at]);
    sum += dark * (at % 96);
    weight += dark;
  }
  return { grey, head: sum / weight };
};
window.samples = [];
let drawnAt = 0;
const { drawArrays } = WebGLRenderingContext.prototype;
WebGLRenderingContext.prototype.drawArrays = function (...range) {
  drawnAt = performance.now();
  drawArrays.apply(this, range);
};
const sample = () => {
  const opacity = Number(getComputedStyle(film).opacity);
  const isMorphing = !morph.hidden && !morph.classList.contains("warming-up");
  const visible = isMorphing ? "morph" : opacity === 1 ? "film" : opacity === 0 ? "idle" : "fade";
  const image = { morph, film, idle, fade: idle }[visible];
  const isReady = image === morph || image.readyState >= 2;
  const at = image === morph ? drawnAt : performance.now();
  const { buffered, currentTime } = film;
  const left = buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
  if (isReady) window.samples.push({ at, visible, left, ...measure(image) });
  requestAnimationFrame(sample);
};
requestAnimationFrame(sample);
"""


@contextmanager
def serving(results: Path, port: int, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """Run a server; the block begins when it is ready, and ends with SIGTERM."""
    with starting(results, port, **settings) as process:
        assert process.stdout is not None
        assert "ready at" in process.stdout.readline()
        yield process


@contextmanager
def starting(results: Path, port: int, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """As `serving`, but begin when the port is open; warm-up waits while `RESULTS/hold` exists."""
    command = [sys.executable, "-u", str(SERVER), str(results), str(port), json.dumps(settings)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            wait_for_port(port)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_S)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill all processes of the server, as a power cut does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(TIMEOUT_S)


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Chrome]:
    """A browser with its own profile, which connects only to the test's server."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--enable-unsafe-swiftshader", "--mute-audio", "--window-size=1280,860"),
        *(f"--user-data-dir={profile}", *flags),
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=Service(str(DRIVER)))
    try:
        with on_every_page(browser, INSTRUMENTATION):
            yield browser
    finally:
        browser.quit()


@contextmanager
def on_every_page(browser: Chrome, script: str) -> Iterator[None]:
    """Run a script at the start of every page that the block opens."""
    source = {"source": script}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def wait_for_port(port: int) -> None:
    """Wait until a server accepts connections."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.05)
    raise TimeoutError(f"no server listens on port {port}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Page:
    """The page of one session, open in the browser. It plays by MSE unless told otherwise."""

    default_query = "&player=mse"
    """Query of a page whose query names no player."""

    def __init__(
        self,
        browser: Chrome,
        port: int,
        session: str,
        query: str = "",
        status: str = "ready",
        host: str = "127.0.0.1",
        *,
        path: str = "/",
        scheme: str = "http",
    ) -> None:
        self.browser, self.port, self.session = browser, port, session
        browser.get_log("browser")
        player = "" if "player=" in query else self.default_query
        browser.get(f"{scheme}://{host}:{port}{path}?session={session}{query}{player}")
        self.wait(lambda: self.text("status-text").startswith(status))
        if status == "ready":  # then wait until the page has chosen a player
            self.wait(lambda: self.text("player") or self.text("error-text"))

    def text(self, element: str) -> str:
        return self.browser.find_element(By.ID, element).text

    def click(self, element: str) -> None:
        self.browser.find_element(By.ID, element).click()

    def submit(self, form: str = "composer") -> None:
        """Press the button that submits a form."""
        self.browser.find_element(By.CSS_SELECTOR, f"#{form} [type=submit]").click()

    def run(self, script: str, *arguments: object) -> Any:
        return self.browser.execute_script(script, *arguments)  # type: ignore[no-untyped-call]

    def element(self, element: str, what: str) -> Any:
        """A property of an element."""
        return self.run(f"return document.getElementById('{element}').{what}")

    def film(self, what: str) -> Any:
        return self.element("film", what)

    def idle(self, what: str) -> Any:
        return self.element("idle", what)

    def session_info(self) -> Any:
        """The server's answer about the session of this page."""
        return ask(self.port, "GET", f"/session?session_id={self.session}")

    def wait(self, condition: Callable[[], Any]) -> Any:
        ignored = [StaleElementReferenceException]  # of the page that is just being left
        wait = WebDriverWait(self.browser, TIMEOUT_S, 0.05, ignored)
        return wait.until(lambda _: condition())

    def say(self, text: str) -> None:
        self.browser.find_element(By.ID, "text").send_keys(text, Keys.ENTER)

    def set_captions(self, on: bool) -> None:
        """Turn captions on or off; the browser remembers it from page to page."""
        if self.element("captions", "ariaPressed") != str(on).lower():
            self.click("captions")

    def is_speaking(self) -> bool:
        return "speaking" in self.element("stage", "className")

    def wait_until_speaking(self, after_s: float = 0) -> None:
        """Wait until the film is visible and has been played past `after_s`."""
        self.wait(lambda: self.is_speaking() and self.film("currentTime") > after_s)

    def wait_until_silent(self) -> None:
        self.wait(lambda: not self.is_speaking())

    def wait_for_speech(self) -> None:
        """Wait until the film has become visible and has ended."""
        self.wait(self.is_speaking)
        self.wait_until_silent()

    def clips(self) -> Any:
        """The texts in the transcript that were spoken."""
        return self.run(
            "return [...document.querySelectorAll('li.spoken p')].map((p) => p.textContent)"
        )

    def notes(self) -> Any:
        """The notes next to the texts in the transcript."""
        script = (
            "return [...document.querySelectorAll('#transcript small')].map((s) => s.textContent)"
        )
        return self.run(script)

    def record(self) -> None:
        """Record from now on what is visible."""
        self.run(RECORDER)

    def samples(self) -> Any:
        """The recording, in order: `{at, visible: idle|morph|film|fade, left, grey, head}`.

        `left`: seconds of film that were buffered and not played.
        """
        return self.run("return window.samples")

    def visible(self) -> set[str]:
        """All that the recording has seen."""
        return {sample["visible"] for sample in self.samples()}

    def appended(self) -> Any:
        """The numbers of the fragments that were given to the player, "init" between films."""
        return self.run("return window.appended")

    def assert_each_fragment_came_once(self) -> None:
        first, *numbers = self.appended()
        assert (first, numbers) == ("init", list(range(1, len(numbers) + 1)))

    def console_errors(self) -> list[str]:
        """The script errors in the browser's console since the last call."""
        log = self.browser.get_log("browser")
        return [entry["message"] for entry in log if entry["source"] == "javascript"]


def ask(port: int, method: str, path: str, body: object = None) -> Any:
    """Send a request that does not come from the page; return the JSON of the answer."""
    head = {"Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    with closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), head)
        answer = connection.getresponse()
        read = answer.read()
    assert answer.status in (200, 201, 202), read
    return json.loads(read)


def speak(port: int, session: str, text: str) -> Any:
    """Speak a text with a request that does not come from the page."""
    return ask(port, "POST", "/speak", {"session_id": session, "text": text})


def head_steps(samples: list[dict[str, Any]]) -> list[float]:
    """Distances that the head moved between successive repaints, pixels."""
    return [
        abs(after["head"] - before["head"])
        for before, after in pairwise(samples)
        if after["at"] - before["at"] < MAX_FRAME_INTERVAL_MS
    ]


def head_jumps(samples: list[dict[str, Any]]) -> list[float]:
    """Distances that the head moved between samples beyond the speed of a transition, pixels."""
    return [
        abs(after["head"] - before["head"])
        - MAX_HEAD_SPEED_PX_PER_MS * (after["at"] - before["at"])
        for before, after in pairwise(samples)
    ]
