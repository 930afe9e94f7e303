"""The menu of voices: groups by language, a sample of each voice, favourites."""

from selenium.webdriver import Chrome

from tests.web.browsing import Page, ask, browser_tests, on_every_page

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

GROUPS = "return [...document.querySelectorAll('#voice optgroup')].map(({ label }) => label)"
CHOOSE = """
const select = document.getElementById("voice");
select.value = arguments[0];
select.dispatchEvent(new Event("change", { bubbles: true }));
"""
LOCALE_C = """
// What WebKitGTK reports in the locale C, which is not a language.
Object.defineProperty(Navigator.prototype, "languages", { get: () => ["C"] });
"""
RECORD_SAMPLES = """
window.played = [];
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  if (this.src.includes("/voices/sample")) {
    this.addEventListener("timeupdate", () => window.played.push([this.src, this.currentTime]));
  }
  return play.call(this);
};
"""


def choose(page: Page, voice: str) -> None:
    page.run(CHOOSE, voice)


def test_the_voices_are_listed_by_language_the_users_own_first(page: Page) -> None:
    page.wait(lambda: page.element("voice", "value") == "espeak:en-us")
    groups = page.run(GROUPS)
    assert groups[0].startswith("English")
    assert groups[1:] == sorted(groups[1:], key=str.casefold) or "German" in groups
    german = page.run(
        "return [...document.querySelectorAll('#voice optgroup[label=\"German\"] option')]"
        ".map(({ text }) => text)"
    )
    assert german == ["German, female", "German, male"]


def test_a_user_whose_language_is_unknown_gets_the_names_in_english(
    browser: Chrome, port: int
) -> None:
    """Catches a page that does not start."""
    with on_every_page(browser, LOCALE_C):
        page = Page(browser, port, "locale")
        page.wait(lambda: page.element("voice", "value") != "")
        assert "German" in page.run(GROUPS)
    assert page.console_errors() == []


def test_a_sample_of_a_voice_is_played_and_can_be_stopped(page: Page) -> None:
    page.wait(lambda: page.element("voice", "value") != "")
    page.run(RECORD_SAMPLES)
    choose(page, "espeak:de+male")
    page.click("voice-sample")
    page.wait(lambda: page.run("return window.played.some(([, at]) => at > 0.3)"))
    assert page.run("return window.played[0][0]").endswith(
        "/voices/sample?voice=espeak%3Ade%2Bmale"
    )
    assert page.text("voice-sample") == "■"
    page.click("voice-sample")
    page.wait(lambda: page.text("voice-sample") == "▶")
    heard = len(page.run("return window.played"))
    choose(page, "espeak:de")
    assert len(page.run("return window.played")) <= heard + 1


def test_a_favourite_is_kept_and_selected_when_the_page_opens_again(
    browser: Chrome, port: int
) -> None:
    page = Page(browser, port, "favourites")
    page.wait(lambda: page.element("voice", "value") == "espeak:en-us")
    try:
        choose(page, "espeak:fr-fr+male")
        page.click("voice-favourite")
        assert page.element("voice-favourite", "ariaPressed") == "true"
        assert page.run(GROUPS)[0] == "★ Favourites"
        page = Page(browser, port, "favourites")
        page.wait(lambda: page.element("voice", "value") == "espeak:fr-fr+male")
        page.say("Bonjour.")
        page.wait(lambda: page.clips() == ["Bonjour."])
        page.click("voice-favourite")
        assert "★ Favourites" not in page.run(GROUPS)
    finally:
        page.run("localStorage.clear()")


def test_the_voice_that_a_session_chose_comes_before_a_favourite(
    browser: Chrome, port: int
) -> None:
    page = Page(browser, port, "of-its-own")
    ask(port, "POST", "/sessions", {"session_id": "chosen", "voice": "espeak:it"})
    page.run("localStorage.setItem('favourite-voices', '[\"espeak:de\"]')")
    try:
        page = Page(browser, port, "chosen")
        page.wait(lambda: page.element("voice", "value") == "espeak:it")
    finally:
        page.run("localStorage.clear()")
