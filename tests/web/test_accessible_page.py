"""The page for those who do not use a mouse, see colours weakly, or want less motion."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, browser_tests

pytest_plugins = ["page_fixtures"]
pytestmark = browser_tests

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3."""

FAINT_TEXTS = """
// Every text that is shown, with too little contrast to what is behind it.
const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const paint = (colors) => {
  brush.clearRect(0, 0, 1, 1);
  for (const color of colors) {
    brush.fillStyle = color;
    brush.fillRect(0, 0, 1, 1);
  }
  return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const linear = (one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
const lightOf = (colors) => {
  const [r, g, b] = paint(colors).map((one) => linear(one / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  if (element === null) return [];
  return [...behind(element.parentElement), getComputedStyle(element).backgroundColor];
};
const wordsOf = (element) =>
  [...element.childNodes].map((node) => (node.nodeType === 3 ? node.data.trim() : "")).join("");
const isRead = (element) =>
  wordsOf(element) && element.checkVisibility() && !element.disabled && !element.closest("#stage");
return [...document.querySelectorAll("body *")].filter(isRead).flatMap((element) => {
  const under = behind(element);
  const lights = [lightOf(under), lightOf([...under, getComputedStyle(element).color])];
  const contrast = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
  return contrast < arguments[0] ? [[wordsOf(element), contrast]] : [];
});
"""


@pytest.fixture
def media(browser: Chrome) -> Iterator[None]:
    yield
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def prefer(page: Page, name: str, value: str) -> None:
    wanted = {"features": [{"name": name, "value": value}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)


def press(page: Page, *keys: str) -> None:
    ActionChains(page.browser).send_keys(*keys).perform()


def focused(page: Page) -> str:
    name: str = page.run("return document.activeElement.id || document.activeElement.textContent")
    return name


def test_everything_can_be_reached_by_the_keyboard_and_shows_that_it_is(page: Page) -> None:
    page.run("document.getElementById('other').focus()")
    wanted = ["other", "captions", "reset", "transcript", "text", "Speak", "voice", "speed"]
    for name in wanted:
        assert focused(page) == name
        assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
        press(page, Keys.TAB)


def test_a_conversation_needs_no_mouse(page: Page) -> None:
    assert focused(page) == "text"
    press(page, "One,", Keys.SHIFT, Keys.ENTER)
    press(page, Keys.NULL, "two and three", Keys.ENTER)
    page.wait(page.is_speaking)
    press(page, Keys.ESCAPE)
    page.wait(lambda: not page.is_speaking())
    assert focused(page) == "text"
    page.run("document.getElementById('other').focus()")
    press(page, Keys.ENTER)
    page.wait(lambda: page.run("return document.getElementById('sessions').open"))
    press(page, Keys.ESCAPE)
    page.wait(lambda: not page.run("return document.getElementById('sessions').open"))
    assert focused(page) == "other"


def test_an_empty_text_is_not_sent(page: Page) -> None:
    page.say("   ")
    page.say("Something")
    page.wait(lambda: page.clips() != [])
    assert page.clips() == ["Something"]
    assert page.text("error-text") == ""


def test_every_control_has_a_name(page: Page) -> None:
    def names(place: str) -> list[str]:
        controls = page.browser.find_elements(By.CSS_SELECTOR, place)
        return [control.accessible_name for control in controls if control.is_displayed()]

    outside = names(":is(header, main) :is(button, select, input, textarea)")
    page.click("other")
    page.wait(lambda: page.run("return document.getElementById('sessions').open"))
    inside = names("dialog :is(button, select, input)")
    assert (len(outside), len(inside)) == (8, 5)
    assert all(outside + inside)


def test_what_is_said_and_what_fails_is_told_to_screen_readers(page: Page) -> None:
    role = "return document.getElementById('{}').{}"
    assert page.run(role.format("transcript", "ariaLive")) == "polite"
    assert page.run(role.format("caption", "ariaLive")) == "polite"
    assert page.run(role.format("error", "role")) == "alert"
    assert page.run(role.format("status", "role")) == "status"


@pytest.mark.usefixtures("media")
def test_every_text_can_be_told_from_what_is_behind_it(page: Page) -> None:
    page.say("Something that is said")
    page.wait(lambda: page.clips() != [])
    page.say("?!")
    page.wait(lambda: page.text("error-text") != "")
    for scheme in ("light", "dark"):
        prefer(page, "prefers-color-scheme", scheme)
        faint = page.browser.execute_script(FAINT_TEXTS, LEAST_CONTRAST)  # type: ignore[no-untyped-call]
        assert faint == [], scheme


@pytest.mark.usefixtures("media")
def test_who_wants_less_motion_sees_a_still_face_that_speaks(page: Page) -> None:
    prefer(page, "prefers-reduced-motion", "reduce")
    page.wait(lambda: page.idle("paused"))
    page.watch()
    page.say("Good morning to you")
    page.hear_out()
    page.wait(lambda: page.looks()[-1]["seen"] == "idle")
    assert "change" not in {look["seen"] for look in page.looks()}
    assert page.idle("paused")
    prefer(page, "prefers-reduced-motion", "no-preference")
    page.wait(lambda: not page.idle("paused"))
