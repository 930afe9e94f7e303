"""A real browser and a real server, for the tests of the page.

The tests are left out where Chromium is not installed (Debian: chromium and chromium-driver).
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
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SERVER = Path(__file__).with_name("page_server.py")
PATIENCE_S = 40
HICCUP_MS = 100
"""Of two pictures farther apart than this the browser did not draw what lies between."""
GLIDE_PX_PER_MS = 0.05
"""Faster than the page lets a head glide: 20 pixels in a second, slow at both ends."""

browser_tests = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="the tests of the page need Debian's packages chromium and chromium-driver",
    ),
]

SPIES = """
// What is drawn can be read later; every fragment's number is kept as it is given to the player.
const getContext = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  return getContext.call(this, kind, { ...options, preserveDrawingBuffer: true });
};
// With ?memory=S a player refuses more than so many seconds, as a telephone does.
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

WATCH = """
// Notes at every repaint what is seen: the frame by the grey of a corner, and where the head is.
// A change is as old as its drawing, which may be the one before this repaint's.
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 96;
const brush = canvas.getContext("2d", { willReadFrequently: true });
const film = document.getElementById("film"), idle = document.getElementById("idle");
const drawn = document.getElementById("handover");
const look = (picture) => {
  brush.drawImage(picture, 0, 0, 96, 96);
  const { data } = brush.getImageData(0, 0, 96, 40);
  let [sum, weight] = [0, 0];
  const grey = data[4 * (96 * 4 + 4)];
  for (let at = 0; at < 96 * 40; at += 1) {
    const dark = Math.max(0, grey / 2 - data[4 * at]);
    sum += dark * (at % 96);
    weight += dark;
  }
  return { grey, head: sum / weight };
};
window.looks = [];
let drawnAt = 0;
const { drawArrays } = WebGLRenderingContext.prototype;
WebGLRenderingContext.prototype.drawArrays = function (...range) {
  drawnAt = performance.now();
  drawArrays.apply(this, range);
};
const watch = () => {
  const shown = Number(getComputedStyle(film).opacity);
  const isSeen = !drawn.hidden && !drawn.classList.contains("faint");
  const seen = isSeen ? "change" : shown === 1 ? "film" : shown === 0 ? "idle" : "fade";
  const picture = { change: drawn, film, idle, fade: idle }[seen];
  const ready = picture === drawn || picture.readyState >= 2;
  const at = picture === drawn ? drawnAt : performance.now();
  const { buffered, currentTime } = film;
  const left = buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
  if (ready) window.looks.push({ at, seen, left, ...look(picture) });
  requestAnimationFrame(watch);
};
requestAnimationFrame(watch);
"""


@contextmanager
def serving(results: Path, port: int, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """The server, ready, until the block ends; it is stopped as an operator would."""
    with starting(results, port, **settings) as process:
        assert process.stdout is not None
        assert "ready at" in process.stdout.readline()
        yield process


@contextmanager
def starting(results: Path, port: int, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """The server, which listens and is not ready yet; it waits while there is `RESULTS/hold`."""
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
            process.wait(PATIENCE_S)


def kill(process: subprocess.Popen[str]) -> None:
    """The server's processes are gone at once, as in a power cut."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Chrome]:
    """A browser of its own, that talks to nobody but our server."""
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
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SPIES})
        yield browser
    finally:
        browser.quit()


def wait_for_port(port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Page:
    """The page as a person sees it, in a session of its own."""

    def __init__(
        self,
        browser: Chrome,
        port: int,
        session: str,
        query: str = "",
        status: str = "ready",
        host: str = "127.0.0.1",
    ) -> None:
        self.browser, self.port, self.session = browser, port, session
        browser.get_log("browser")
        browser.get(f"http://{host}:{port}/?session={session}{query}")
        self.wait(lambda: self.text("status-text").startswith(status))
        if status == "ready":
            self.wait(lambda: self.text("player") or self.text("error-text"))  # it has looked

    def text(self, element: str) -> str:
        return self.browser.find_element(By.ID, element).text

    def click(self, element: str) -> None:
        self.browser.find_element(By.ID, element).click()

    def run(self, script: str) -> Any:
        return self.browser.execute_script(script)  # type: ignore[no-untyped-call]

    def film(self, what: str) -> Any:
        return self.run(f"return document.getElementById('film').{what}")

    def idle(self, what: str) -> Any:
        return self.run(f"return document.getElementById('idle').{what}")

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

    def watch(self) -> None:
        """Note from now on what is seen."""
        self.run(WATCH)

    def looks(self) -> Any:
        """What has been seen, in order: `{at, seen: idle|change|film|fade, left, grey, head}`.

        `left`: seconds of film that the player had yet to show.
        """
        return self.run("return window.looks")

    def appended(self) -> Any:
        """The numbers of the fragments that were given to the player, "init" between films."""
        return self.run("return window.appended")

    def complaints(self) -> list[str]:
        """What the browser's console says of scripts that failed."""
        log = self.browser.get_log("browser")
        return [entry["message"] for entry in log if entry["source"] == "javascript"]


def ask(port: int, method: str, path: str, body: object = None) -> Any:
    """Somebody else's request to the server."""
    head = {"Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), head)
        answer = connection.getresponse()
        read = answer.read()
    assert answer.status == 200, read
    return json.loads(read)


def speak(port: int, session: str, text: str) -> Any:
    """Somebody else says something."""
    return ask(port, "POST", "/speak", {"session_id": session, "text": text})


def head_steps(looks: list[dict[str, Any]]) -> list[float]:
    """How far the head moved from one picture seen to the next."""
    return [
        abs(after["head"] - before["head"])
        for before, after in pairwise(looks)
        if after["at"] - before["at"] < HICCUP_MS
    ]


def head_jumps(looks: list[dict[str, Any]]) -> list[float]:
    """How much farther the head moved from one picture seen to the next than a glide takes it."""
    return [
        abs(after["head"] - before["head"]) - GLIDE_PX_PER_MS * (after["at"] - before["at"])
        for before, after in pairwise(looks)
    ]
