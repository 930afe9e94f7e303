"""examples/website shows the live face on a page of another origin, in Chromium."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from examples.website.server import ANSWERS
from tests.examples.processes import running
from tests.web.browsing import TIMEOUT_S as PATIENCE_S
from tests.web.browsing import browser_tests, chromium, free_port, serving

pytestmark = browser_tests


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Those of Warmtalk and of the website."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def warmtalk(ports: tuple[int, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, framing = ports
    page = f"http://127.0.0.1:{framing}"
    with serving(tmp_path_factory.mktemp("results"), port, frame_ancestors=page):
        yield port


@pytest.fixture(scope="module")
def website(ports: tuple[int, int], warmtalk: int) -> Iterator[int]:
    flags = ("--port", str(ports[1]), "--warmtalk", f"http://127.0.0.1:{warmtalk}")
    with running("examples/website/server.py", *flags):
        yield ports[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def test_the_face_in_the_frame_moves_and_speaks_the_text_that_the_website_chooses(
    browser: Chrome, warmtalk: int, website: int
) -> None:
    browser.get(f"http://127.0.0.1:{website}/")
    wait = WebDriverWait(browser, PATIENCE_S, 0.05)
    in_frame(browser)
    # The page plays what is said after it has learned the state of its session.
    wait.until(lambda _: "listening" in browser.find_element(By.ID, "length").text)
    browser.switch_to.default_content()
    browser.find_element(By.ID, "topic").send_keys("Opening hours")
    browser.find_element(By.TAG_NAME, "button").click()
    in_frame(browser)
    mouths = list[float]()
    wait.until(lambda _: is_speaking(browser))
    while is_speaking(browser) and len(mouths) < 40:  # a picture takes about 40 ms
        mouths.append(mouth(browser))
    assert np.ptp(mouths) > 40
    clips = json.loads(ask(warmtalk, "GET", "/sessions/website")[1])["clips"]
    assert [clip["text"] for clip in clips] == [ANSWERS["opening hours"]]


def in_frame(browser: Chrome) -> None:
    """Direct the next commands to the page of Warmtalk in the frame."""
    browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))


def is_speaking(browser: Chrome) -> bool:
    """True while the page shows speech: by the live stream, or by the film."""
    classes = browser.find_element(By.ID, "stage").get_attribute("class") or ""
    return bool({"talking", "speaking"} & set(classes.split()))


def mouth(browser: Chrome) -> float:
    """Grey of the mouth as the visitor sees it, less that of the background, which changes, too."""
    png = np.frombuffer(browser.find_element(By.ID, "stage").screenshot_as_png, np.uint8)
    grey = cv2.imdecode(png, cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    cells = cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA).astype(float)
    return float(cells[9:11, 7:9].mean() - np.median(cells))


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
    """Return status and text of the website's answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with closing(connection):
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_the_website_refuses_unknown_paths_and_long_texts(website: int) -> None:
    assert ask(website, "GET", "/other") == (404, "There is only /.")
    assert ask(website, "POST", "/ask", b"x" * 1001)[0] == 400


def test_a_website_without_warmtalk_reports_the_failure(tmp_path: Path) -> None:
    port, nobody = free_port(), free_port()
    flags = ("--port", str(port), "--warmtalk", f"http://127.0.0.1:{nobody}")
    with running("examples/website/server.py", *flags):
        status, text = ask(port, "POST", "/ask", b"address")
    assert status == 502 and text.startswith("The face cannot answer: ")
