"""A film that goes away while it is watched, and several who watch and speak at once."""

from pathlib import Path
from urllib.request import urlopen

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, ask, browser_tests, free_port, head_steps, serving, speak

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests

LONG = "This sentence takes about three seconds, all in all. " * 8


def listen_to(page: Page, text: str) -> None:
    """Somebody else speaks; the page is in the middle of it, with captions."""
    if page.run("return document.getElementById('captions').ariaPressed") == "false":
        page.click("captions")
    speak(page.port, page.session, text)
    page.wait(lambda: page.is_speaking() and page.text("caption") != "")


def assert_at_rest(page: Page) -> None:
    """The idle face moves, and nothing is left of the film."""
    page.wait(lambda: not page.is_speaking())
    page.wait(lambda: page.film("paused"))
    page.wait(lambda: page.clips() == [])
    assert page.text("caption") == ""
    assert "listening" in page.text("length")
    begun_s = page.idle("currentTime")
    page.wait(lambda: page.idle("currentTime") != begun_s)
    assert not page.idle("paused")


def assert_speaks_anew(page: Page) -> None:
    page.say("And now the second film")
    page.wait(page.is_speaking)
    assert page.film("currentTime") < 5
    page.wait(lambda: page.clips() == ["And now the second film"])
    page.wait(lambda: not page.is_speaking())
    assert page.text("error-text") == ""


def test_a_reset_by_somebody_else_brings_the_idle_face_back_without_a_jump(page: Page) -> None:
    listen_to(page, LONG)
    page.watch()
    ask(page.port, "POST", "/reset", {"session_id": page.session})
    assert_at_rest(page)
    assert max(head_steps(page.looks())) < 2
    assert_speaks_anew(page)


def test_starting_over_in_the_middle_of_a_sentence_ends_it(page: Page) -> None:
    page.say(LONG)
    page.wait(lambda: page.is_speaking() and page.film("currentTime") > 0.5)
    page.say("This one waits.")
    page.click("reset")
    page.click("reset")
    assert_at_rest(page)
    page.wait(lambda: page.run("return document.querySelectorAll('#transcript li').length") == 0)
    assert page.text("error-text") == ""
    assert_speaks_anew(page)


def test_a_session_that_somebody_deletes_is_left_and_can_begin_anew(page: Page) -> None:
    listen_to(page, LONG)
    ask(page.port, "DELETE", f"/sessions/{page.session}")
    assert_at_rest(page)
    assert_speaks_anew(page)


def test_what_is_said_right_after_an_interruption_is_not_interrupted(page: Page) -> None:
    page.say(LONG)
    page.wait(lambda: page.is_speaking() and page.film("currentTime") > 0.5)
    field = page.browser.find_element(By.ID, "text")
    field.send_keys(Keys.ESCAPE, "Something else instead", Keys.ENTER)
    page.wait(lambda: len(page.clips()) == 2)
    assert page.clips() == [LONG.strip(), "Something else instead"]
    notes = page.run("return [...document.querySelectorAll('li small')].map((e) => e.textContent)")
    assert notes[0].startswith("broken off after")
    assert "broken" not in notes[1]
    page.wait(lambda: not page.is_speaking())
    end_s = ask(page.port, "GET", f"/session?session_id={page.session}")["duration_s"]
    assert page.film("currentTime") > end_s - 0.5


def test_another_session_can_be_gone_to_in_the_middle_of_a_sentence(page: Page) -> None:
    speak(page.port, "elsewhere", "I was here before.")
    page.say(LONG)
    page.wait(page.is_speaking)
    page.click("other")
    page.wait(lambda: page.browser.find_elements(By.LINK_TEXT, "elsewhere"))
    page.browser.find_element(By.LINK_TEXT, "elsewhere").click()
    page.wait(lambda: page.text("session") == "elsewhere")
    page.wait(lambda: page.clips() == ["I was here before."])
    page.wait(lambda: page.text("player") == "MSE")
    assert not page.is_speaking()
    page.session = "elsewhere"
    page.say("And I am here still.")
    page.hear_out()
    assert len(page.clips()) == 2


def test_films_that_were_kept_are_offered_with_their_captions(
    browser: Chrome, tmp_path: Path
) -> None:
    port = free_port()
    with serving(tmp_path, port, archive_on_reset=True):
        speak(port, "kept", "Do not forget me.")
        ask(port, "POST", "/reset", {"session_id": "kept"})
        page = Page(browser, port, "kept")
        page.click("other")
        page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, "#kept a"))
        links = page.run("return [...document.querySelectorAll('#kept a')].map((a) => a.href)")
        film, captions = (urlopen(link).read() for link in links)
        assert film[4:8] == b"ftyp"
        assert b"\nDo not forget me.\n" in captions
        browser.get("about:blank")


def test_who_looks_away_for_a_while_finds_the_face_as_it_should_be(
    browser: Chrome, port: int
) -> None:
    """Two pages of one session: one speaks, both hear it, one of them in the background."""
    away = Page(browser, port, "shared")
    first = browser.current_window_handle
    away.say("Before I look away")
    away.wait(away.is_speaking)
    away.run("document.addEventListener('visibilitychange', () => (window.wasAway = true))")
    browser.switch_to.new_window("tab")
    try:
        here = Page(browser, port, "shared")
        here.say("This is said while nobody looks at the other page")
        here.hear_out()
        end_s = ask(port, "GET", "/session?session_id=shared")["duration_s"]
    finally:
        browser.close()
        browser.switch_to.window(first)
    assert away.run("return window.wasAway")
    away.wait(lambda: not away.is_speaking())
    assert away.film("currentTime") > end_s - 0.5
    away.wait(lambda: len(away.clips()) == 2)
    away.watch()
    away.say("And now I look again")
    away.hear_out()
    away.wait(lambda: away.looks()[-1]["seen"] == "idle")
    assert {look["seen"] for look in away.looks()} >= {"film", "idle"}
    assert away.complaints() == []
