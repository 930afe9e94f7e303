"""A page of another origin that the settings admit uses the API from a real browser."""

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.web.browsing import TIMEOUT_S, ask, browser_tests, free_port, serving
from tests.web.foreign_page import other_site

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = [*browser_tests, pytest.mark.slow]

USE = """
// Speaks, follows events, plays the film and reads a range of it, then starts over.
const [target, done] = arguments;
const json = { "content-type": "application/json" };
const used = async () => {
  const events = new EventSource(`${target}/session/events?from=0`);
  const fragment = new Promise((resolve) => events.addEventListener("fragment", resolve));
  const body = JSON.stringify({ text: "From another page." });
  const spoken = await fetch(`${target}/speak`, { method: "POST", headers: json, body });
  const { data } = await fragment;
  events.close();
  const video = Object.assign(document.createElement("video"), { crossOrigin: "anonymous" });
  const loaded = new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", () => resolve(video.videoWidth));
    video.addEventListener("error", () => reject(video.error));
  });
  video.src = `${target}/session/full_session.mp4`;
  const width = await loaded;
  const headers = { range: "bytes=4-7" };
  const part = await fetch(`${target}/session/full_session.mp4`, { headers });
  const created = await fetch(`${target}/sessions`, { method: "POST", headers: json, body: "{}" });
  const location = created.headers.get("location");
  const removed = await fetch(target + location, { method: "DELETE" });
  const refused = await fetch(`${target}/speak`, { method: "POST", headers: json, body: "{}" });
  const reset = await fetch(`${target}/reset`, { method: "POST" });
  return {
    spoken: (await spoken.json()).status,
    fragment: JSON.parse(data).first_frame,
    width,
    range: part.headers.get("content-range").split("/")[0],
    box: await part.text(),
    removed: removed.status,
    refused: (await refused.json()).kind,
    reset: (await reset.json()).status,
  };
};
used().then(done, (error) => done(String(error)));
"""
EXPECTED = {
    "spoken": "success",
    "fragment": 0,
    "width": 96,
    "range": "bytes 4-7",
    "box": "ftyp",
    "removed": 200,
    "refused": "ValidationError",
    "reset": "success",
}


def use(browser: Chrome, page: str, port: int) -> Any:
    browser.set_script_timeout(TIMEOUT_S)
    browser.get(page)
    return browser.execute_async_script(USE, f"http://127.0.0.1:{port}")  # type: ignore[no-untyped-call]


def test_an_admitted_page_uses_the_whole_api_and_its_neighbour_nothing(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    with other_site() as site, other_site() as neighbour:
        admitted = f"http://localhost:{site}"
        with serving(tmp_path, port, allowed_origins=admitted):
            assert use(browser, f"{admitted}/", port) == EXPECTED
            assert "Failed to fetch" in use(browser, f"http://localhost:{neighbour}/", port)
            assert ask(port, "GET", "/session")["clips"] == []
            browser.get("about:blank")
