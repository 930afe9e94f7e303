"""The jobs dialog: films are ordered, followed, played, downloaded and deleted there."""

import json
from pathlib import Path
from urllib.request import urlopen

from selenium.webdriver.common.by import By

from session.media_file import open_media
from tests.web.browsing import Page, ask, browser_tests

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

ITEMS = "[...document.querySelectorAll('#job-list li')]"


def notes(page: Page) -> list[str]:
    script = f"return {ITEMS}.map((item) => item.querySelector('small').textContent)"
    return list(page.run(script))


def press(page: Page, label: str) -> None:
    """Press a button of the newest job."""
    script = f"{ITEMS}[0].querySelectorAll('button').forEach((button) => {{"
    page.run(f"{script} if (button.textContent === '{label}') button.click() }})")


def open_jobs(page: Page) -> None:
    page.click("jobs-open")
    page.wait(lambda: page.element("jobs", "open"))


def order(page: Page, text: str) -> None:
    field = page.browser.find_element(By.ID, "film-text")
    field.send_keys(text)
    page.submit("film-form")


def test_a_film_is_ordered_played_downloaded_and_deleted(page: Page, tmp_path: Path) -> None:
    before = len(ask(page.port, "GET", "/jobs")["jobs"])
    open_jobs(page)
    order(page, "A film of its own.")
    page.wait(lambda: len(notes(page)) == before + 1)
    page.wait(lambda: "s of film" in notes(page)[0])
    assert page.element("film-text", "value") == ""
    press(page, "Play")
    playing = f"return {ITEMS}[0].querySelector('video').currentTime > 0.2"
    page.wait(lambda: page.run(playing))
    url = page.run(f"return {ITEMS}[0].querySelector('a').href")
    path = tmp_path / "film.mp4"
    with urlopen(url) as answer:
        path.write_bytes(answer.read())
    with open_media(path) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
    press(page, "Delete")
    press(page, "Press again")
    page.wait(lambda: len(notes(page)) == before)
    assert page.text("jobs-error") == ""


def test_a_film_of_nothing_is_refused_in_words(page: Page) -> None:
    open_jobs(page)
    order(page, " ")
    page.wait(lambda: page.text("jobs-error") != "")
    assert "text" in page.text("jobs-error")


def test_a_running_film_can_be_cancelled(page: Page) -> None:
    text = json.dumps({"text": "One more sentence. " * 200})
    open_jobs(page)
    order(page, text)
    page.wait(lambda: notes(page) and "%" in notes(page)[0])
    press(page, "Cancel")
    page.wait(lambda: notes(page)[0] == "cancelled")
    press(page, "Delete")
    press(page, "Press again")
