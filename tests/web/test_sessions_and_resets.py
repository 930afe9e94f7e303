"""Sessions of the page: the sessions dialog, several pages of one session, films that end."""

from pathlib import Path
from urllib.request import urlopen

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, ask, browser_tests, free_port, head_steps, serving, speak

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

LONG = "This sentence takes about three seconds, all in all. " * 8


def speak_with_captions(page: Page, text: str) -> None:
    """Speak as another client; wait until the page is in the middle of it, with captions."""
    page.set_captions(True)
    speak(page.port, page.session, text)
    page.wait(lambda: page.is_speaking() and page.text("caption") != "")


def assert_at_rest(page: Page) -> None:
    """Assert that the idle face moves, and that nothing of the film is left."""
    page.wait_until_silent()
    page.wait(lambda: page.film("paused"))
    page.wait(lambda: page.clips() == [])
    assert page.text("caption") == ""
    assert "listening" in page.text("length")
    before_s = page.idle("currentTime")
    page.wait(lambda: page.idle("currentTime") != before_s)
    assert not page.idle("paused")


def assert_plays_a_new_film(page: Page) -> None:
    page.say("And now the second film")
    page.wait(page.is_speaking)
    assert page.film("currentTime") < 5
    page.wait(lambda: page.clips() == ["And now the second film"])
    page.wait_until_silent()
    assert page.text("error-text") == ""


def test_a_reset_by_another_client_restores_the_idle_face_without_a_jump(page: Page) -> None:
    speak_with_captions(page, LONG)
    page.record()
    ask(page.port, "POST", "/reset", {"session_id": page.session})
    assert_at_rest(page)
    assert max(head_steps(page.samples())) < 2
    assert_plays_a_new_film(page)


def test_a_session_deleted_by_another_client_can_be_started_again(page: Page) -> None:
    speak_with_captions(page, LONG)
    ask(page.port, "DELETE", f"/sessions/{page.session}")
    assert_at_rest(page)
    assert_plays_a_new_film(page)


def test_starting_over_needs_confirmation_and_ends_the_speech(page: Page) -> None:
    page.say("Before.")
    page.wait_for_speech()
    page.say(LONG)
    page.wait_until_speaking(after_s=1)
    page.say("This one waits.")
    page.click("reset")
    assert page.text("reset") == "Press again"
    assert page.clips() == ["Before."]
    page.click("reset")
    assert page.text("reset") == "Start over"
    assert_at_rest(page)
    page.wait(lambda: page.notes() == [])
    assert page.text("error-text") == ""
    assert_plays_a_new_film(page)


def test_another_session_can_be_opened_in_the_middle_of_a_sentence(page: Page) -> None:
    session = page.session
    speak(page.port, "elsewhere", "I was here before.")
    page.say(LONG)
    page.wait(page.is_speaking)
    page.click("sessions-open")
    page.wait(lambda: page.browser.find_elements(By.LINK_TEXT, "elsewhere"))
    page.browser.find_element(By.LINK_TEXT, "elsewhere").click()
    page.wait(lambda: page.text("session") == "elsewhere")
    page.wait(lambda: page.clips() == ["I was here before."])
    page.wait(lambda: page.text("player") == "MSE")
    assert not page.is_speaking()
    ask(page.port, "POST", "/interrupt", {"session_id": session})  # it is still speaking there
    page.session = "elsewhere"
    page.say("And I am here still.")
    page.wait_for_speech()
    assert len(page.clips()) == 2


def test_a_new_session_has_the_chosen_name_and_voice(browser: Chrome, port: int) -> None:
    page = Page(browser, port, "old")
    page.click("sessions-open")
    name = browser.find_element(By.ID, "new-name")
    page.wait(name.is_displayed)
    name.send_keys("of-my-own")
    page.run("document.getElementById('new-voice').selectedIndex = 2")
    voice = page.element("new-voice", "value")
    page.submit("new-form")
    page.wait(lambda: "session=of-my-own" in browser.current_url)
    page.wait(lambda: page.text("session") == "of-my-own")
    page.wait(lambda: page.element("voice", "value") == voice)
    assert ask(port, "GET", "/sessions/of-my-own")["chosen"]["voice"] == voice


def test_archived_films_are_offered_with_their_captions(browser: Chrome, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port, archive_on_reset=True):
        speak(port, "kept", "Do not forget me.")
        ask(port, "POST", "/reset", {"session_id": "kept"})
        page = Page(browser, port, "kept")
        page.click("sessions-open")
        page.wait(lambda: browser.find_elements(By.CSS_SELECTOR, "#archives a"))
        links = page.run("return [...document.querySelectorAll('#archives a')].map((a) => a.href)")
        film, captions = (urlopen(link).read() for link in links)
        assert film[4:8] == b"ftyp"
        assert b"\nDo not forget me.\n" in captions
        browser.get("about:blank")


def test_a_page_in_a_background_tab_keeps_up_with_the_film(browser: Chrome, port: int) -> None:
    """Two pages of one session: one speaks, both play it, one of them in the background."""
    hidden = Page(browser, port, "shared")
    first_tab = browser.current_window_handle
    hidden.say("Before I look away")
    hidden.wait(hidden.is_speaking)
    hidden.run("document.addEventListener('visibilitychange', () => (window.wasHidden = true))")
    browser.switch_to.new_window("tab")
    try:
        visible = Page(browser, port, "shared")
        visible.say("This is said while nobody looks at the other page")
        visible.wait_for_speech()
        end_s = visible.session_info()["duration_s"]
    finally:
        browser.close()
        browser.switch_to.window(first_tab)
    assert hidden.run("return window.wasHidden")
    hidden.wait(lambda: hidden.film("currentTime") > end_s - 0.5)
    hidden.wait_until_silent()
    hidden.wait(lambda: len(hidden.clips()) == 2)
    hidden.record()
    hidden.say("And now I look again")
    hidden.wait_for_speech()
    hidden.wait(lambda: hidden.samples()[-1]["visible"] == "idle")
    assert hidden.visible() >= {"film", "idle"}
    assert hidden.console_errors() == []
