"""The page on telephones: the face, the text field and its buttons are always in view."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.web.browsing import Page, browser_tests

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

SCREENS = {
    "small": (360, 640),
    "tall": (390, 844),
    "landscape": (844, 390),
    "small with keyboard": (360, 340),
    "tall with keyboard": (390, 480),
    "landscape with keyboard": (844, 190),
    "tablet": (820, 1180),
    "desktop": (1280, 720),
}
MIN_FACE_PX = 80
MIN_FIELD_PX = 180

LAYOUT = """
const box = (id) => document.getElementById(id).getBoundingClientRect();
const speak = document.querySelector("#composer [type=submit]").getBoundingClientRect();
const boxes = { stage: box("stage"), text: box("text"), stop: box("stop"), speak };
const outside = Object.keys(boxes).filter((name) => {
  const { left, top, right, bottom } = boxes[name];
  return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
});
const isTooWide = document.documentElement.scrollWidth > innerWidth;
return { outside, isTooWide, faceHeight: boxes.stage.height, fieldWidth: boxes.text.width };
"""
SHOW_ERROR = """
document.getElementById("error-text").textContent =
  "text must contain at least one letter or digit, received '?!'. Emoji alone cannot be spoken.";
document.getElementById("error").hidden = false;
"""


@pytest.fixture
def resizable(browser: Chrome) -> Iterator[None]:
    """Restore the size of the browser's window after the test."""
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def resize(page: Page, size: tuple[int, int]) -> None:
    """Emulate a screen; windows of a desktop cannot be as small."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.wait(lambda: page.run("return innerWidth") == width)


def assert_in_view(page: Page) -> None:
    for name, size in SCREENS.items():
        resize(page, size)
        layout = page.run(LAYOUT)
        assert layout["outside"] == [], name
        assert not layout["isTooWide"], name
        assert layout["faceHeight"] >= MIN_FACE_PX, name
        assert layout["fieldWidth"] >= MIN_FIELD_PX, name


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
