"""A page of another site, in the same browser: it reaches the server, and changes nothing there."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.web.browsing import TIMEOUT_S, Page, ask, browser_tests, chromium, speak

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

PLACES = [("127.0.0.1", "localhost"), ("127.0.0.1", "127.0.0.1"), ("talk.test", "other.test")]
"""Hosts of the server and of the other page. Browsers send `Sec-Fetch-Site` to the first two, which
are this machine; the third is a machine elsewhere, reached over plain HTTP."""
each_place = pytest.mark.parametrize(
    ("host", "other"), PLACES, ids=["other host", "other port", "plain HTTP"]
)

ATTEMPTS = """
const [target, session, done] = arguments;
const settled = (element) => new Promise((resolve) => {
  for (const event of ["load", "error"]) element.addEventListener(event, resolve);
});
const shown = async (name, more) => {
  const element = Object.assign(document.createElement(name), more);
  const over = settled(element);
  document.body.append(element);
  await over;
};
const field = (name, value) => `<input name="${name}" value="${value}">`;
const sent = async (method, path) => {
  const frame = Object.assign(document.createElement("iframe"), { name: "answers" });
  const form = Object.assign(document.createElement("form"), { method, target: "answers" });
  form.action = target + path;
  if (method === "get") form.innerHTML = field("session_id", session);
  document.body.append(frame, form);
  const over = settled(frame);
  form.submit();
  await over;
  frame.remove();
};
(async () => {
  const query = `?session_id=${session}`;
  const reset = `${target}/reset${query}`;
  for (const referrerPolicy of ["no-referrer", "unsafe-url"]) {
    await shown("img", { src: `${reset}&`, referrerPolicy });
    await shown("iframe", { src: reset, referrerPolicy });
    await shown("script", { src: reset, referrerPolicy });
  }
  await shown("link", { rel: "stylesheet", href: reset });
  await sent("get", "/reset");
  for (const path of ["/reset", "/interrupt", "/sessions"]) await sent("post", path + query);
  const posts = ["/reset", "/interrupt", "/sessions"].map((path) => ["POST", path]);
  for (const [method, path] of [["GET", "/reset"], ...posts]) {
    await fetch(target + path + query, { method, mode: "no-cors" });
    await fetch(target + path + query, { method }).catch(() => {});
  }
  const body = JSON.stringify({ text: "Nobody said this.", session_id: session });
  await fetch(`${target}/speak`, { method: "POST", mode: "no-cors", body });
  await fetch(`${target}/sessions/${session}`, { method: "DELETE" }).catch(() => {});
  return navigator.sendBeacon(reset);
})().then(done, (error) => done(String(error)));
"""


class OtherPage(BaseHTTPRequestHandler):
    """An empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another site</title><body></body>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def other_site() -> Iterator[int]:
    """The port of a server with pages of another site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OtherPage) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def other_port() -> Iterator[int]:
    with other_site() as port:
        yield port


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser that finds every host `….test` on this machine."""
    profile = tmp_path_factory.mktemp("visitor")
    with chromium(profile, "--host-resolver-rules=MAP *.test 127.0.0.1") as browser:
        browser.set_script_timeout(TIMEOUT_S)
        yield browser


def run_async(browser: Chrome, script: str, *more: object) -> Any:
    return browser.execute_async_script(script, *more)  # type: ignore[no-untyped-call]


@each_place
def test_a_page_of_another_site_cannot_change_a_film(
    visitor: Chrome, port: int, other_port: int, host: str, other: str
) -> None:
    session = f"watched-from-{other}".replace(".", "-")
    speak(port, session, "This stays")
    before = ask(port, "GET", f"/session?session_id={session}")
    target = f"http://{host}:{port}"
    visitor.get(f"http://{other}:{other_port}/")
    assert run_async(visitor, ATTEMPTS, target, session) is True
    assert ask(port, "GET", f"/session?session_id={session}") == before


@each_place
def test_a_link_on_another_site_leads_to_an_explanation(
    visitor: Chrome, port: int, other_port: int, host: str, other: str
) -> None:
    session = f"linked-from-{other}".replace(".", "-")
    speak(port, session, "This stays")
    visitor.get(f"http://{other}:{other_port}/")
    link = f"http://{host}:{port}/reset?session_id={session}"
    visitor.execute_script(f"location.href = '{link}'")  # type: ignore[no-untyped-call]
    WebDriverWait(visitor, TIMEOUT_S).until(lambda _: "ForbiddenError" in visitor.page_source)
    assert "use the page of this server" in visitor.page_source
    assert ask(port, "GET", f"/session?session_id={session}")["clips"] != []


@each_place
def test_our_own_page_starts_over(visitor: Chrome, port: int, host: str, other: str) -> None:
    page = Page(visitor, port, f"own-next-to-{other}".replace(".", "-"), host=host)
    page.say("The first film")
    page.wait(lambda: page.clips() == ["The first film"])
    page.wait_until_silent()
    page.click("reset")
    page.click("reset")
    page.wait(lambda: page.clips() == [])
    assert ask(port, "GET", f"/session?session_id={page.session}")["clips"] == []
    assert page.text("error-text") == ""
    assert page.console_errors() == []


def test_an_address_that_is_typed_in_resets(visitor: Chrome, port: int) -> None:
    speak(port, "typed", "This goes")
    visitor.get(f"http://127.0.0.1:{port}/reset?session_id=typed")
    assert ask(port, "GET", "/session?session_id=typed")["clips"] == []
