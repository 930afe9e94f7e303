"""Recordings in the page: a sound file, and the microphone."""

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.web.browsing import Page, ask, browser_tests, chromium

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

RATE_HZ = 16_000
SECONDS = 2


def write_tone(path: Path) -> Path:
    """A tone that swells and fades four times a second, as syllables do."""
    times_s = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    loudness = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * times_s)
    samples = 0.4 * loudness * np.sin(2 * np.pi * 180 * times_s)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((32767 * samples).astype("<i2").tobytes())
    return path


def labels(page: Page) -> list[str]:
    """Texts or names of all items of the transcript."""
    script = "return [...document.querySelectorAll('#transcript p')].map((p) => p.textContent)"
    return list(page.run(script))


def choose(page: Page, path: Path) -> None:
    page.browser.find_element(By.ID, "recording-file").send_keys(str(path))


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser whose microphone hears the tone."""
    sound = write_tone(tmp_path_factory.mktemp("sound") / "tone.wav")
    flags = ("use-fake-device-for-media-stream", "use-fake-ui-for-media-stream")
    heard = f"--use-file-for-fake-audio-capture={sound}"
    profile = tmp_path_factory.mktemp("profile")
    with chromium(profile, *(f"--{flag}" for flag in flags), heard) as browser:
        yield browser


def test_a_sound_file_is_said_and_listed_by_its_name(page: Page, tmp_path: Path) -> None:
    path = write_tone(tmp_path / "greeting.wav")
    choose(page, path)
    page.wait(page.is_speaking)
    page.wait(lambda: labels(page) == ["greeting.wav"])
    page.wait_until_silent()
    (clip,) = ask(page.port, "GET", f"/session?session_id={page.session}")["clips"]
    assert clip["duration_s"] == pytest.approx(SECONDS, abs=0.3)
    assert page.text("error-text") == ""


def test_a_file_that_is_not_a_sound_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "greeting.wav"
    path.write_bytes(b"This is not a sound at all. " * 50)
    choose(page, path)
    page.wait(lambda: page.text("error-text") != "")
    assert labels(page) == ["greeting.wav"]
    assert page.notes() == ["not spoken"]
    assert ask(page.port, "GET", f"/session?session_id={page.session}")["clips"] == []


def test_the_microphone_is_recorded_and_said(microphone: Chrome, port: int) -> None:
    page = Page(microphone, port, "microphone")
    page.click("record")
    page.wait(lambda: page.text("record-time") == "2 s")
    assert page.element("record", "ariaPressed") == "true"
    page.click("record")
    page.wait(page.is_speaking)
    page.wait_until_silent()
    (clip,) = ask(port, "GET", "/session?session_id=microphone")["clips"]
    assert 1.5 < clip["duration_s"] < 6
    assert page.element("record", "ariaPressed") == "false"
    assert page.text("error-text") == ""
