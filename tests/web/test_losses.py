"""Connections break and servers die: the page goes on by itself, every fragment comes once."""

from pathlib import Path

from selenium.webdriver import Chrome

from tests.web.browsing import Page, ask, browser_tests, free_port, kill, serving, speak, starting
from tests.web.flaky_network import flaky_network

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests

WHAT_IS_IN_THE_BOX = "return document.getElementById('text').value"
NOTES = "return [...document.querySelectorAll('li small')].map((small) => small.textContent)"
LONG = "This sentence takes about three seconds, all in all. " * 4


def is_whole(page: Page, port: int) -> bool:
    """Whether all that was said has been given to the player."""
    session = ask(port, "GET", f"/session?session_id={page.session}")
    missing_s = session["duration_s"] - page.film("buffered.end(0)")
    return bool(missing_s < 0.1)  # sound ends a little before the picture


def assert_each_came_once(page: Page) -> None:
    first, *numbers = page.appended()
    assert (first, numbers) == ("init", list(range(1, len(numbers) + 1)))


def test_a_cut_network_costs_no_fragment(browser: Chrome, port: int) -> None:
    with flaky_network(port) as network:
        page = Page(browser, network.port, "cut")
        speak(port, "cut", "Before the network broke")
        page.wait(page.is_speaking)
        network.cut()
        speak(port, "cut", LONG)
        page.wait(lambda: "does not answer" in page.text("status-text"))
        network.mend()
        page.wait(lambda: page.text("status-text").startswith("ready"))
        page.wait(lambda: is_whole(page, port))
        assert_each_came_once(page)
        page.wait(lambda: page.clips() == ["Before the network broke", LONG.strip()])


def test_a_connection_that_dies_without_a_word_is_noticed(browser: Chrome, port: int) -> None:
    with flaky_network(port) as network:
        page = Page(browser, network.port, "silent")
        speak(port, "silent", "Before the network fell silent")
        page.hear_out()
        network.go_silent()
        speak(port, "silent", "Nobody told the page of this")
        page.wait(page.is_speaking)
        page.wait(lambda: is_whole(page, port))
        assert_each_came_once(page)


def test_a_killed_server_that_comes_back_is_found_again(browser: Chrome, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as server:
        page = Page(browser, port, "killed")
        page.say("Before the server died")
        page.hear_out()
        page.say(LONG * 4)
        page.wait(lambda: len(page.appended()) > 8)
        kill(server)
        page.wait(lambda: "does not answer" in page.text("status-text"))
        assert page.text("error-text") == "The server does not answer."
        assert page.run(WHAT_IS_IN_THE_BOX) == LONG * 4
    with serving(tmp_path, port):
        page.wait(lambda: is_whole(page, port))
        page.wait(lambda: page.text("error-text") == "")
        page.wait(lambda: page.run(NOTES)[1:2] != ["the connection was lost"])
        assert page.clips() == ["Before the server died", (LONG * 4).strip()]
        before, cut = page.run(NOTES)
        assert before.endswith(" s")
        assert cut.startswith("broken off after")
        page.run("document.getElementById('text').value = ''")
        page.say("After it came back")
        page.wait(lambda: page.clips()[-1:] == ["After it came back"])
        page.wait(lambda: is_whole(page, port))
        assert_each_came_once(page)
        assert page.is_speaking()


def test_who_comes_while_the_server_starts_sees_the_face_and_nothing_of_before(
    browser: Chrome, tmp_path: Path
) -> None:
    """Films are not opened yet then: would miss a page that takes a film for a new one."""
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
