"""Chromium for measurements: records each picture that it shows, timed by this machine's clock."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from bench.polling import wait_until

TIMEOUT_S = 60.0

RECORD_PICTURES = """
// Every visible picture of the film: since when (Unix time, ms), and its media time (s).
const REPAINT_MS = 1000 / 60;
window.pictures = [];
addEventListener("DOMContentLoaded", () => {
  const film = document.getElementById("film");
  const stage = document.getElementById("stage");
  const isVisible = () => stage.classList.contains("speaking");
  let lastMediaTime = 0;
  const record = (now, { mediaTime, expectedDisplayTime }) => {
    const shown = performance.timeOrigin + Math.max(now, expectedDisplayTime);
    lastMediaTime = mediaTime;
    if (isVisible()) window.pictures.push([shown, mediaTime]);
    film.requestVideoFrameCallback(record);
  };
  film.requestVideoFrameCallback(record);
  // The current picture when the film becomes visible: it is shown by the next repaint.
  const recordCurrent = (now, mediaTime) =>
    window.pictures.push([performance.timeOrigin + now + REPAINT_MS, mediaTime]);
  new MutationObserver(() => {
    const mediaTime = lastMediaTime;
    if (isVisible()) requestAnimationFrame((now) => recordCurrent(now, mediaTime));
  }).observe(stage, { attributeFilter: ["class"] });
});
"""
"""Script that runs in every page before its own."""

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--autoplay-policy=no-user-gesture-required", "--enable-precise-memory-info"),
    "--enable-unsafe-swiftshader",
)
HEADLESS_FLAGS = ("--headless", "--mute-audio", "--window-size=1280,860")
DESKTOP_FLAGS = ("--kiosk", "--window-position=0,0", "--window-size=1280,900")


class ChromiumMissing(RuntimeError):
    """The browser is not installed."""

    def __init__(self) -> None:
        super().__init__("Chromium is missing; install Debian's chromium and chromium-driver.")


@contextmanager
def chromium(
    profile: Path, desktop: Mapping[str, str] | None = None, *, flags: Sequence[str] = ()
) -> Iterator[Chrome]:
    """Run a browser with a clean profile; raises ChromiumMissing.

    Without `desktop` it is headless and muted; with it, it shows and plays on the display and the
    loudspeaker that this environment names.
    """
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        raise ChromiumMissing
    options = ChromeOptions()
    options.binary_location = binary
    mode = HEADLESS_FLAGS if desktop is None else DESKTOP_FLAGS
    for flag in (*FLAGS, f"--user-data-dir={profile}", *mode, *flags):
        options.add_argument(flag)
    browser = Chrome(options=options, service=Service(driver, env=desktop))
    try:
        script = {"source": RECORD_PICTURES}
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
        browser.set_script_timeout(TIMEOUT_S)
        yield browser
    finally:
        browser.quit()


class SessionPage:
    """The page of a session, open in the browser."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self._browser = browser
        browser.get(url)
        self.wait(lambda: self.run("return document.getElementById('idle').readyState") >= 2)

    def run(self, script: str) -> Any:
        """Run a script and return its result."""
        return self._browser.execute_script(script)

    def is_speaking(self) -> bool:
        """Return True while the film is visible."""
        return bool(self.run("return document.querySelector('#stage.speaking') !== null"))

    def film_time_s(self) -> float:
        """Return the playback position in the film."""
        return float(self.run("return document.getElementById('film').currentTime"))

    def shown_at(self, media_s: float) -> float | None:
        """Return when (Unix time, s) the first picture from `media_s` on was shown, if it was."""
        later = (
            f"window.pictures.filter(([, at]) => at > {media_s - 0.001}).map(([shown]) => shown)"
        )
        found = self.run(f"const found = {later}; return found.length ? Math.min(...found) : null")
        return None if found is None else float(found) / 1000

    def heap_mb(self) -> float:
        """Collect garbage and return the size of the page's JavaScript heap."""
        self._browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        return float(self.run("return performance.memory.usedJSHeapSize")) / 1e6

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait for a condition of the page; raises TimeoutError."""
        return wait_until(condition, "the expected state of the page", timeout_s=TIMEOUT_S)
