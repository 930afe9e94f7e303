"""The page in a browser that reaches the server only through a TURN server."""

from pathlib import Path

from selenium.webdriver import Chrome

from tests.warm.live.webrtc.turn_server import SECRET, missing, turn_server
from tests.web.browsing import browser_tests, free_port, on_every_page, serving
from tests.web.live_page import LivePage

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = [*browser_tests, missing]

ONLY_RELAYS = """
window.peers = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(options) {
    super({ ...options, iceTransportPolicy: "relay" });
    window.peers.push(this);
  }
};
"""
USED_PATH = """
const done = arguments[0];
window.peers.at(-1).getStats().then((stats) => {
  const pairs = [...stats.values()].filter(({ type }) => type === "candidate-pair");
  const pair = pairs.find(({ nominated, state }) => nominated && state === "succeeded");
  done(pair ? stats.get(pair.localCandidateId).candidateType : null);
});
"""


def test_the_page_is_live_by_the_turn_server_that_the_answer_names(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "turn").mkdir()
    with turn_server(tmp_path / "turn") as turn_port, on_every_page(browser, ONLY_RELAYS):
        url = f"turn:127.0.0.1:{turn_port}?transport=udp"
        with serving(tmp_path / "results", port, ice_servers=url, turn_secret=SECRET):
            page = LivePage(browser, port, "relayed")
            page.wait_until_live()
            used = browser.execute_async_script(USED_PATH)
            assert used == "relay"
            page.say("Hello from afar.")
            page.wait(page.is_speaking)
            page.wait_until_silent()
            assert page.console_errors() == []
            browser.get("about:blank")


def test_the_refusal_of_a_turn_server_is_the_reason_why_the_film_is_played(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "turn").mkdir()
    with turn_server(tmp_path / "turn") as turn_port, on_every_page(browser, ONLY_RELAYS):
        url = f"turn:127.0.0.1:{turn_port}?transport=udp"
        with serving(tmp_path / "results", port, ice_servers=url, turn_secret="another"):
            page = LivePage(browser, port, "refused")
            page.wait(lambda: f"{url} answered 401" in page.reason())
            assert page.player() == "mse"
            browser.get("about:blank")
