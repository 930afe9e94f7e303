"""Talking to the face: a real Chromium whose microphone plays a file."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from tests.chat.scripted_server import Script, ScriptedServer, scripted_server
from tests.web.browsing import Page, ask, browser_tests, chromium, free_port, serving
from tests.web.live_page import LivePage
from tests.web.spoken_samples import RATE_HZ, Samples, joined, silence, spoken, write_wav
from tests.web.test_microphone_modules import needs_network
from tests.web.transcription_server import TranscriptionServer, transcription_server

pytest_plugins = ["tests.web.page_fixtures"]
pytestmark = browser_tests

HEARD = "Please wait a moment."
ANSWER = "The sun is shining and it will be warm. " * 12
LOUD = 0.5
"""Place on the level meter that only speech reaches."""


@pytest.fixture(scope="module")
def sentence() -> Samples:
    return spoken(HEARD, "espeak:en-gb")


@pytest.fixture(scope="module")
def recogniser() -> Iterator[TranscriptionServer]:
    with transcription_server(HEARD) as server:
        yield server


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedServer]:
    with scripted_server(Script(text=ANSWER)) as server:
        yield server


@pytest.fixture(scope="module")
def chat_port(
    tmp_path_factory: pytest.TempPathFactory,
    recogniser: TranscriptionServer,
    model: ScriptedServer,
) -> Iterator[int]:
    """A server whose model and recogniser are scripted."""
    port, results = free_port(), tmp_path_factory.mktemp("results")
    chosen = {"chat_url": model.url, "chat_model": "scripted-1", "transcriber": recogniser.url}
    with serving(results, port, stt_model="scripted", **chosen):
        yield port


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory, sentence: Samples) -> Iterator[Chrome]:
    """A browser whose microphone hears a sentence after a second and a half."""
    sound = joined([silence(1.5), sentence, silence(10)])
    path = write_wav(tmp_path_factory.mktemp("sound") / "sentence.wav", sound)
    flags = ("use-fake-device-for-media-stream", "use-fake-ui-for-media-stream")
    heard = f"--use-file-for-fake-audio-capture={path}"
    profile = tmp_path_factory.mktemp("profile")
    with chromium(profile, *(f"--{flag}" for flag in flags), heard) as browser:
        yield browser


@pytest.fixture
def page(
    talker: Chrome, chat_port: int, recogniser: TranscriptionServer, request: pytest.FixtureRequest
) -> Iterator[Page]:
    recogniser.received.clear()
    page = Page(talker, chat_port, request.node.name[-40:], "&mode=chat")
    page.wait(lambda: page.run("return document.querySelector('[data-mode=chat]') !== null"))
    yield page
    ask(chat_port, "POST", "/interrupt", {"session_id": page.session})
    assert page.console_errors() == []


def state(page: Page) -> Any:
    return page.element("talk", "dataset.state")


def wait_for_the_sentence(page: Page) -> None:
    """Wait until the level meter has shown a sentence and its end."""
    page.wait(lambda: page.element("talk-level", "value") > LOUD)
    quiet = iter(range(10))  # quiet readings that are needed in succession
    page.wait(lambda: page.element("talk-level", "value") < LOUD / 2 and next(quiet) == 9)


def turns(page: Page) -> Any:
    return ask(page.port, "GET", f"/chat/history?session_id={page.session}")["turns"]


def assert_contains(recording: Samples, sentence: Samples) -> None:
    """Assert that a recording has as much speech as the sentence; codecs change its samples."""
    loud = np.nonzero(np.abs(recording) > 0.05)[0]
    length_s = (loud[-1] - loud[0]) / RATE_HZ
    assert length_s == pytest.approx(len(sentence) / RATE_HZ, abs=0.25)


def test_what_is_said_while_the_button_is_held_is_answered(
    page: Page, recogniser: TranscriptionServer, sentence: Samples
) -> None:
    button = page.browser.find_element(By.ID, "talk")
    ActionChains(page.browser).click_and_hold(button).perform()
    page.wait(lambda: state(page) == "hearing")
    wait_for_the_sentence(page)
    ActionChains(page.browser).release().perform()
    page.wait(page.is_speaking)
    (recording,) = recogniser.received
    assert_contains(recording, sentence)
    assert [turn["user_text"] for turn in turns(page)] == [HEARD]
    assert state(page) == "off"


def test_the_key_records_while_it_is_held_and_escape_discards(
    page: Page, recogniser: TranscriptionServer
) -> None:
    field = page.browser.find_element(By.ID, "text")
    ActionChains(page.browser).click(field).send_keys("draft").key_down(Keys.F2).perform()
    page.wait(lambda: state(page) == "hearing")
    ActionChains(page.browser).send_keys(Keys.ESCAPE).key_up(Keys.F2).perform()
    page.wait(lambda: state(page) == "off")
    assert recogniser.received == []
    assert page.element("text", "value") == "draft"
    assert turns(page) == []


@needs_network
def test_a_person_interrupts_the_face_by_talking_and_the_model_knows_what_was_heard(
    page: Page, recogniser: TranscriptionServer, model: ScriptedServer, sentence: Samples
) -> None:
    page.say("What is the weather like?")
    page.wait(page.is_speaking)
    page.click("hands-free")
    page.wait(lambda: len(turns(page)) == 2)
    page.wait(page.is_speaking)
    page.click("hands-free")
    first, second = turns(page)
    assert first["interrupted"]
    assert ANSWER.startswith(first["heard_text"])
    assert 0 < len(first["heard_text"]) < len(ANSWER)
    assert second["user_text"] == HEARD
    assert_contains(recogniser.received[-1], sentence)
    remembered = [each["content"] for each in model.received[-1].body["messages"]]
    assert not any(first["heard_text"] + " The sun is" in text for text in remembered)
    assert any(first["heard_text"].strip() in text for text in remembered)
    page.wait(lambda: state(page) == "off")


@needs_network
def test_a_person_interrupts_the_live_stream_whose_sound_is_compared_with_the_microphone(
    talker: Chrome, chat_port: int
) -> None:
    page = LivePage(talker, chat_port, "live-talk", "&mode=chat")
    page.wait_until_live()
    page.wait(lambda: page.run("return document.querySelector('[data-mode=chat]') !== null"))
    page.say("What is the weather like?")
    page.wait(page.is_speaking)
    assert page.live("muted") is False
    page.click("hands-free")
    page.wait(lambda: page.live("muted"))  # it is heard through the graph
    page.wait(lambda: len(turns(page)) == 2)
    page.wait(page.is_speaking)
    page.click("hands-free")
    first, second = turns(page)
    assert first["interrupted"]
    assert 0 < len(first["heard_text"]) < len(ANSWER)
    assert second["user_text"] == HEARD
    ask(chat_port, "POST", "/interrupt", {"session_id": page.session})
    assert page.console_errors() == []


MESSAGES = """
const { explained } = await import("/web/microphone/microphone_error.js");
return arguments[0].map((name) => {
  const { message, state } = explained(new DOMException("", name));
  return [state, message];
});
"""


def test_each_reason_why_there_is_no_microphone_has_a_remedy(browser: Chrome, port: int) -> None:
    browser.get(f"http://127.0.0.1:{port}/health")
    names = ["NotAllowedError", "NotFoundError", "NotReadableError", "StrangeError"]
    body = f"return (async function () {{ {MESSAGES} }}).apply(null, arguments)"
    answers = browser.execute_script(body, names)  # type: ignore[no-untyped-call]
    assert [state for state, _ in answers] == ["refused", *["unavailable"] * 3]
    remedies = ("Allow it in the browser's settings", "Connect one", "Close that program", "again")
    for (_, message), remedy in zip(answers, remedies, strict=True):
        assert remedy in message
