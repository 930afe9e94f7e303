"""Lost connections and killed servers: the page reconnects, and plays every fragment once."""

from pathlib import Path

from selenium.webdriver import Chrome

from tests.web.browsing import Page, ask, browser_tests, free_port, kill, serving, speak, starting
from tests.web.flaky_network import flaky_network

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

LONG = "This sentence takes about three seconds, all in all. " * 4
UNREACHABLE = "The server is not responding."


def is_complete(page: Page, port: int) -> bool:
    """Return True if the player has received the whole film."""
    session = ask(port, "GET", f"/session?session_id={page.session}")
    missing_s = session["duration_s"] - page.film("buffered.end(0)")
    return bool(missing_s < 0.1)  # the audio ends a little before the video


def test_a_cut_network_costs_no_fragment(browser: Chrome, port: int) -> None:
    with flaky_network(port) as network:
        page = Page(browser, network.port, "cut")
        speak(port, "cut", "Before the network broke")
        page.wait(page.is_speaking)
        network.cut()
        speak(port, "cut", LONG)
        page.wait(lambda: page.text("status-text") == UNREACHABLE)
        network.restore()
        page.wait(lambda: page.text("status-text").startswith("ready"))
        page.wait(lambda: is_complete(page, port))
        page.assert_each_fragment_came_once()
        page.wait(lambda: page.clips() == ["Before the network broke", LONG.strip()])


def test_a_connection_that_stalls_without_an_error_is_replaced(browser: Chrome, port: int) -> None:
    with flaky_network(port) as network:
        page = Page(browser, network.port, "stalled")
        speak(port, "stalled", "Before the network stalled")
        page.wait_for_speech()
        network.stall()
        speak(port, "stalled", "The open connections do not deliver this")
        page.wait(page.is_speaking)
        page.wait(lambda: is_complete(page, port))
        page.assert_each_fragment_came_once()


def test_the_page_reconnects_to_a_server_that_was_killed(browser: Chrome, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as server:
        page = Page(browser, port, "killed")
        page.say("Before the server died")
        page.wait_for_speech()
        page.say(LONG * 4)
        page.wait(lambda: len(page.appended()) > 8)
        kill(server)
        page.wait(lambda: page.text("status-text") == UNREACHABLE)
        assert page.text("error-text") == UNREACHABLE
        assert page.element("text", "value") == LONG * 4
    with serving(tmp_path, port):
        page.wait(lambda: is_complete(page, port))
        page.wait(lambda: page.text("error-text") == "")
        page.wait(lambda: page.notes()[1:2] != ["connection lost"])
        assert page.clips() == ["Before the server died", (LONG * 4).strip()]
        before, cut = page.notes()
        assert before.endswith(" s")
        assert cut.startswith("interrupted after")
        page.run("document.getElementById('text').value = ''")
        page.say("After it came back")
        page.wait(page.is_speaking)
        page.wait(lambda: page.clips()[-1:] == ["After it came back"])
        page.wait(lambda: is_complete(page, port))
        page.assert_each_fragment_came_once()


def test_a_page_opened_during_warm_up_shows_the_face_and_joins_the_film_later(
    browser: Chrome, tmp_path: Path
) -> None:
    """Films are not opened during warm-up: catches a page that takes the film for a new one."""
    port, hold = free_port(), tmp_path / "hold"
    with serving(tmp_path, port):
        end_s = speak(port, "early", "This was said before the restart")["session"]["duration_s"]
    hold.touch()
    with starting(tmp_path, port):
        page = Page(browser, port, "early", status="starting")
        page.wait(lambda: page.idle("currentTime") > 0.2)
        assert page.text("error-text") == ""
        hold.unlink()
        page.wait(lambda: page.text("player") == "MSE")
        page.say("And this after it")
        page.wait(page.is_speaking)
        assert page.film("currentTime") >= end_s - 0.1
        page.wait(lambda: page.clips() == ["This was said before the restart", "And this after it"])
        browser.get("about:blank")
