"""The page on telephones: the face, the field and its buttons are in view, whatever is shown."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.web.browsing import Page, browser_tests

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests

SCREENS = {
    "small": (360, 640),
    "tall": (390, 844),
    "lying": (844, 390),
    "small with keyboard": (360, 340),
    "tall with keyboard": (390, 480),
    "lying with keyboard": (844, 190),
    "tablet": (820, 1180),
    "desktop": (1280, 720),
}
LEAST_FACE_PX = 80

IN_VIEW = """
const box = (id) => document.getElementById(id).getBoundingClientRect();
const speak = document.querySelector("#form [type=submit]").getBoundingClientRect();
const seen = { stage: box("stage"), text: box("text"), stop: box("stop"), speak };
const out = Object.keys(seen).filter((name) => {
  const { left, top, right, bottom } = seen[name];
  return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
});
const wide = document.documentElement.scrollWidth > innerWidth;
return { out, wide, face: seen.stage.height, field: seen.text.width };
"""
COMPLAIN = """
document.getElementById("error-text").textContent =
  "text must hold at least one letter or digit to say, received '?!'. Emoji alone make no speech.";
document.getElementById("error").hidden = false;
"""


@pytest.fixture
def resizable(browser: Chrome) -> Iterator[None]:
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def show_on(page: Page, size: tuple[int, int]) -> None:
    """The page is as large as it would be on a telephone, whatever windows can be."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.wait(lambda: page.run("return innerWidth") == width)


def assert_in_view(page: Page) -> None:
    for name, size in SCREENS.items():
        show_on(page, size)
        found = page.run(IN_VIEW)
        assert found["out"] == [], name
        assert not found["wide"], name
        assert found["face"] >= LEAST_FACE_PX, name
        assert found["field"] >= 180, name


@pytest.mark.usefixtures("resizable")
def test_the_face_and_the_field_are_in_view_on_every_screen(page: Page) -> None:
    page.say("Something that was said before, so that there are lines and links")
    page.wait(lambda: page.clips() != [])
    assert_in_view(page)


@pytest.mark.usefixtures("resizable")
def test_an_error_hides_neither_face_nor_field(page: Page) -> None:
    page.run(COMPLAIN)
    assert_in_view(page)


@pytest.mark.usefixtures("resizable")
def test_what_does_not_fit_beside_a_keyboard_can_be_scrolled_to(page: Page) -> None:
    show_on(page, SCREENS["small with keyboard"])
    for name in ("voice", "reset", "other", "captions"):
        page.run(f"document.getElementById('{name}').scrollIntoView()")
        box = page.browser.find_element("id", name).rect
        top = page.run("return scrollY")
        assert top <= box["y"] + 1 and box["y"] + box["height"] <= top + 341, name
