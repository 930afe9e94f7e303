"""The faces dialog: preparation of a photo with its progress, trying a face, deletion."""

from pathlib import Path

import cv2
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.web.browsing import Page, ask, browser_tests
from warm.prepare.demo import demo_portrait

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

PREPARATION_S = 180
"""Longest wait for a preparation; it takes 10 s of processor time."""
ITEMS = "[...document.querySelectorAll('#face-list li')]"


def small_portrait(folder: Path) -> Path:
    """A photo that is prepared quickly."""
    picture = cv2.imread(str(demo_portrait()))
    assert picture is not None
    path = folder / "Grace H..jpg"
    cv2.imwrite(str(path), cv2.resize(picture, (212, 248), interpolation=cv2.INTER_AREA))
    return path


def faces(page: Page) -> list[str]:
    return list(page.run(f"return {ITEMS}.map((item) => item.querySelector('strong').textContent)"))


def press(page: Page, face: str, label: str) -> None:
    """Press a button of a face in the list."""
    item = f"{ITEMS}.find((one) => one.querySelector('strong').textContent === '{face}')"
    page.run(
        f"[...{item}.querySelectorAll('button')].find((b) => b.textContent === '{label}').click()"
    )


def choose(page: Page, path: Path) -> None:
    page.click("faces-open")
    page.wait(lambda: page.element("faces", "open"))
    page.browser.find_element(By.ID, "face-file").send_keys(str(path))


def test_a_face_is_made_from_a_photo_seen_meanwhile_tried_and_deleted(
    page: Page, tmp_path: Path
) -> None:
    choose(page, small_portrait(tmp_path))
    assert page.element("face-name", "value") == "Grace-H-"
    page.submit("face-form")
    wait = WebDriverWait(page.browser, PREPARATION_S, 0.05)
    seen = "return document.getElementById('face-seen').naturalWidth"
    wait.until(lambda _: page.run(seen) > 0, "the face that was found")
    wait.until(lambda _: faces(page) == ["Grace-H-", "grey"], "the new face")
    assert page.text("face-error") == ""
    assert not page.browser.find_element(By.ID, "face-progress").is_displayed()
    press(page, "Grace-H-", "Try it")
    page.wait(lambda: page.text("session") not in ("", page.session))
    page.wait(lambda: "Grace-H- is listening" in page.text("length"))
    session = page.text("session")
    page.click("faces-open")
    page.wait(lambda: faces(page) != [])
    press(page, "Grace-H-", "Delete")
    press(page, "Grace-H-", "Press again")
    page.wait(lambda: session in page.text("face-error"))
    ask(page.port, "DELETE", f"/sessions/{session}")
    press(page, "Grace-H-", "Delete")
    press(page, "Grace-H-", "Press again")
    page.wait(lambda: faces(page) == ["grey"])


def test_a_picture_without_a_face_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(demo_portrait()))[:40, :40], (300, 300)))
    choose(page, path)
    page.submit("face-form")
    wait = WebDriverWait(page.browser, PREPARATION_S, 0.05)
    wait.until(lambda _: "face" in page.text("face-error"), "the refusal")
    assert faces(page) == ["grey"]
