"""Accessibility of the page: keyboard, screen readers, contrast, reduced motion."""

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, browser_tests
from tests.web.senses import focused, low_contrast_texts, prefer, press

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests


def test_every_control_can_be_focused_with_the_keyboard_and_shows_its_focus(page: Page) -> None:
    page.run("document.getElementById('faces-open').focus()")
    dialogs = ["faces-open", "jobs-open", "sessions-open"]
    first = [*dialogs, "captions", "Chat is off", "reset", "transcript"]
    menu = ["voice-sample", "voice-favourite"]
    for name in [*first, "text", "send", "voice", *menu, "speed", "record", "choose-recording"]:
        assert focused(page) == name
        assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
        press(page, Keys.TAB)


def test_a_conversation_can_be_held_with_the_keyboard(page: Page) -> None:
    assert focused(page) == "text"
    press(page, "One,", Keys.SHIFT, Keys.ENTER)
    press(page, Keys.NULL, "two and three", Keys.ENTER)
    page.wait(page.is_speaking)
    press(page, Keys.ESCAPE)
    page.wait_until_silent()
    assert focused(page) == "text"
    page.run("document.getElementById('sessions-open').focus()")
    press(page, Keys.ENTER)
    page.wait(lambda: page.element("sessions", "open"))
    press(page, Keys.ESCAPE)
    page.wait(lambda: not page.element("sessions", "open"))
    assert focused(page) == "sessions-open"


def test_an_empty_text_is_not_sent(page: Page) -> None:
    page.say("   ")
    page.say("Something")
    page.wait(lambda: page.clips() != [])
    assert page.clips() == ["Something"]
    assert page.text("error-text") == ""


def test_every_control_has_a_name(page: Page) -> None:
    def names(selector: str) -> list[str]:
        controls = page.browser.find_elements(By.CSS_SELECTOR, selector)
        return [control.accessible_name for control in controls if control.is_displayed()]

    outside = names(":is(header, main) :is(button, select, input, textarea)")
    page.click("sessions-open")
    page.wait(lambda: page.element("sessions", "open"))
    inside = names("dialog :is(button, select, input)")
    assert (len(outside), len(inside)) == (14, 7)
    assert all(outside + inside)


def test_speech_status_and_errors_are_announced_to_screen_readers(page: Page) -> None:
    assert page.element("transcript", "ariaLive") == "polite"
    assert page.element("caption", "ariaLive") == "polite"
    assert page.element("error", "role") == "alert"
    assert page.element("status", "role") == "status"


@pytest.mark.usefixtures("media")
def test_every_text_has_enough_contrast(page: Page) -> None:
    page.say("Something that is said")
    page.wait(lambda: page.clips() != [])
    page.say("?!")
    page.wait(lambda: page.text("error-text") != "")
    for scheme in ("light", "dark"):
        prefer(page, "prefers-color-scheme", scheme)
        assert low_contrast_texts(page) == [], scheme


@pytest.mark.usefixtures("media")
def test_with_reduced_motion_the_idle_face_is_still_and_the_film_fades_in(page: Page) -> None:
    prefer(page, "prefers-reduced-motion", "reduce")
    page.wait(lambda: page.idle("paused"))
    page.record()
    page.say("Good morning to you")
    page.wait_for_speech()
    page.wait(lambda: page.samples()[-1]["visible"] == "idle")
    assert "morph" not in page.visible()
    assert page.idle("paused")
    prefer(page, "prefers-reduced-motion", "no-preference")
    page.wait(lambda: not page.idle("paused"))
