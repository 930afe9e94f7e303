"""The page on telephones: the face, the text field and its buttons are always in view."""

import pytest

from tests.web.browsing import Page, browser_tests
from tests.web.screens import LAYOUT, SCREENS, assert_in_view, resize

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

SHOW_ERROR = """
document.getElementById("error-text").textContent =
  "text must contain at least one letter or digit, received '?!'. Emoji alone cannot be spoken.";
document.getElementById("error").hidden = false;
"""


@pytest.mark.usefixtures("resizable")
def test_the_face_and_the_field_are_in_view_on_every_screen(page: Page) -> None:
    page.say("Something that was said before, so that there are lines and links")
    page.wait(lambda: page.clips() != [])
    assert_in_view(page)


@pytest.mark.usefixtures("resizable")
def test_the_face_and_the_field_stay_in_view_when_an_error_is_shown(page: Page) -> None:
    page.run(SHOW_ERROR)
    assert_in_view(page)


@pytest.mark.usefixtures("resizable")
def test_a_button_that_asks_for_confirmation_does_not_widen_the_page(page: Page) -> None:
    page.say("A film, so that the download link is shown")
    page.wait(lambda: page.clips() != [])
    resize(page, SCREENS["small"])
    page.click("reset")
    assert page.text("reset") == "Press again"
    assert not page.run(LAYOUT)["isTooWide"]


@pytest.mark.usefixtures("resizable")
def test_controls_that_do_not_fit_above_the_keyboard_can_be_scrolled_to(page: Page) -> None:
    resize(page, SCREENS["small with keyboard"])
    for name in ("voice", "reset", "sessions-open", "captions"):
        page.run(f"document.getElementById('{name}').scrollIntoView()")
        box = page.browser.find_element("id", name).rect
        top = page.run("return scrollY")
        assert top - 1 <= box["y"], name
        assert box["y"] + box["height"] <= top + 341, name
