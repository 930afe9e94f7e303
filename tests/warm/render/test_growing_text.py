"""Clips whose text is still being written while they are spoken."""

import time

import pytest

from tests.polling import wait_until
from tests.sessions import session_of
from tts.text.plain_text import PlainText
from tts.voice import VoiceChoice
from warm.render.growing_text import GrowingClosed, GrowingText
from warm.render.jobs import FragmentCommitted, SpeakJob
from warm.runtime import Runtime


@pytest.fixture
def choice(runtime: Runtime) -> VoiceChoice:
    return runtime.choose()


def grown(*units: str) -> GrowingText:
    """A text with these units, which may grow."""
    text = GrowingText()
    for unit in units:
        text.add(PlainText.of(unit))
    return text


def has_fragment(job: SpeakJob) -> bool:
    return any(isinstance(event, FragmentCommitted) for event in job._events)


def test_the_first_unit_is_spoken_before_the_second_one_is_written(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    text = grown()
    job = runtime.speak_growing(session_of(runtime), text, choice)
    assert not job.is_over
    text.add(PlainText.of("The first sentence of this answer takes a while."))
    wait_until(lambda: has_fragment(job), "the first fragment")
    text.add(PlainText.of("And here is the second one."))
    text.end()
    result = job.result()
    assert result.clip.text == (
        "The first sentence of this answer takes a while. And here is the second one."
    )
    assert result.clip.is_whole
    assert not result.interrupted


def test_a_text_without_a_next_unit_is_closed_before_its_viewer_has_seen_everything(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    text = grown("One sentence, and then nothing.")
    job = runtime.speak_growing(session_of(runtime), text, choice)
    started_s = time.monotonic()
    result = job.result()
    assert time.monotonic() - started_s < 5 + result.clip.frames / 25
    assert text.is_closed
    with pytest.raises(GrowingClosed):
        text.add(PlainText.of("Too late."))
    assert result.clip.is_whole
