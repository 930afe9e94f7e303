"""A real Chromium for measurements: what it shows, and when, on the clock of this machine."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

PATIENCE_S = 60.0
LOOK_S = 0.1

NOTE_PICTURES = """
// Every picture of the film that is seen: since when (Unix time, ms), and its place in the film.
const REPAINT_MS = 1000 / 60;
window.pictures = [];
addEventListener("DOMContentLoaded", () => {
  const film = document.getElementById("film");
  const stage = document.getElementById("stage");
  const isSeen = () => stage.classList.contains("speaking");
  let last = 0;
  const note = (now, { mediaTime, expectedDisplayTime }) => {
    const shown = performance.timeOrigin + Math.max(now, expectedDisplayTime);
    last = mediaTime;
    if (isSeen()) window.pictures.push([shown, mediaTime]);
    window.onPicture?.(film, shown, mediaTime);
    film.requestVideoFrameCallback(note);
  };
  film.requestVideoFrameCallback(note);
  // The picture that is there already when the film comes into view, with the next repaint.
  const come = (now, at) => window.pictures.push([performance.timeOrigin + now + REPAINT_MS, at]);
  new MutationObserver(() => {
    const at = last;
    if (isSeen()) requestAnimationFrame((now) => come(now, at));
  }).observe(stage, { attributeFilter: ["class"] });
});
"""


class NoChromium(RuntimeError):
    """The browser is not installed."""

    def __init__(self) -> None:
        super().__init__("Chromium is missing; install Debian's chromium and chromium-driver.")


HEADLESS = ("--headless", "--mute-audio", "--window-size=1280,860")
IN_A_ROOM = ("--kiosk", "--window-position=0,0", "--window-size=1280,900")


@contextmanager
def chromium(profile: Path, room: Mapping[str, str] | None = None) -> Iterator[Chrome]:
    """A browser with a clean profile; raises NoChromium.

    It is headless and silent, or shows and sounds where the environment `room` says.
    """
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        raise NoChromium
    options = ChromeOptions()
    options.binary_location = binary
    for flag in (
        *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--autoplay-policy=no-user-gesture-required", "--enable-precise-memory-info"),
        *("--enable-unsafe-swiftshader", f"--user-data-dir={profile}"),
        *(HEADLESS if room is None else IN_A_ROOM),
    ):
        options.add_argument(flag)
    browser = Chrome(options=options, service=Service(driver, env=room))
    try:
        source = {"source": NOTE_PICTURES}
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
        browser.set_script_timeout(PATIENCE_S)
        yield browser
    finally:
        browser.quit()


class Viewer:
    """The page of a session, open in the browser."""

    def __init__(self, browser: Chrome, address: str) -> None:
        self._browser = browser
        browser.get(address)
        self.wait(lambda: self.run("return document.getElementById('idle').readyState") >= 2)

    def run(self, script: str) -> Any:
        """What a script returns."""
        return self._browser.execute_script(script)

    def is_speaking(self) -> bool:
        """Whether the film is seen."""
        return bool(self.run("return document.querySelector('#stage.speaking') !== null"))

    def film_time_s(self) -> float:
        """How far the film has been played."""
        return float(self.run("return document.getElementById('film').currentTime"))

    def shown_at(self, media_s: float) -> float | None:
        """When (Unix time) the first picture at or behind a place of the film was on the screen."""
        later = (
            f"window.pictures.filter(([, at]) => at > {media_s - 0.001}).map(([shown]) => shown)"
        )
        found = self.run(f"const found = {later}; return found.length ? Math.min(...found) : null")
        return None if found is None else float(found) / 1000

    def heap_mb(self) -> float:
        """What the page's scripts keep, after a collection."""
        self._browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        return float(self.run("return performance.memory.usedJSHeapSize")) / 1e6

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until something is true of the page; raises TimeoutError."""
        return wait_until(condition)


def wait_until(condition: Callable[[], Any]) -> Any:
    """Wait until something is true; raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (found := condition()) not in (None, False):
            return found
        time.sleep(LOOK_S)
    raise TimeoutError("the page did not come to the expected state")
