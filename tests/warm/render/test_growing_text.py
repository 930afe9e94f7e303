"""Clips whose text is still being written while they are spoken."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import warm.render.speech_feed
from session.factory import verify_film
from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.tiny_face import running_runtime
from tts.pauses import CLAUSE_PAUSE_S, LEAD_S, SENTENCE_PAUSE_S
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.plain_text import PlainText
from tts.voice import BadSpeechRequest, VoiceChoice, VoiceUnavailable
from warm.render.growing_text import GrowingClosed, GrowingText
from warm.render.jobs import FragmentCommitted, Interrupted, SpeakJob, SpeakResult, SpeechReady
from warm.runtime import Runtime
from warm.sessions.limits import SessionFull
from warm.settings import Settings

RATE_HZ = 48_000
LONG = "This is a sentence that takes its time, so that a test can do something meanwhile."


@pytest.fixture
def choice(runtime: Runtime) -> VoiceChoice:
    return runtime.choose()


def plain(text: str) -> PlainText:
    return PlainText.of(text)


def grown(*units: str) -> GrowingText:
    """A text with these units, which may grow."""
    text = GrowingText()
    for unit in units:
        text.add(plain(unit))
    return text


def ended(*units: str) -> GrowingText:
    """A text that is complete."""
    text = grown(*units)
    text.end()
    return text


def awaiting(runtime: Runtime, text: GrowingText, session_id: str = "default") -> SpeakJob:
    """A job whose clip has spoken all units and waits for another one."""
    job = runtime.speak_growing(session_of(runtime, session_id), text, runtime.choose())

    def is_awaiting() -> bool:
        clip = runtime._thread.clip_of(session_id)
        return clip is not None and clip.is_playable and clip.timeline.awaits_text

    wait_until(is_awaiting, "the end of the first unit")
    return job


def has_fragment(job: SpeakJob) -> bool:
    return any(isinstance(event, FragmentCommitted) for event in job.live_events)


def spoken(job: SpeakJob) -> list[SpeechReady]:
    return [event for event in job.live_events if isinstance(event, SpeechReady)]


def decoded_sound(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as film:
        return np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])


def test_the_first_unit_is_spoken_before_the_second_one_is_written(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    text = grown()
    job = runtime.speak_growing(session_of(runtime), text, choice)
    assert not job.is_over
    text.add(plain("The first sentence of this answer takes a while."))
    wait_until(lambda: has_fragment(job), "the first fragment")
    text.add(plain("And here is the second one."))
    text.end()
    result = job.result()
    said = "The first sentence of this answer takes a while. And here is the second one."
    assert result.clip.text == said
    assert result.clip.is_whole
    assert not result.interrupted
    assert [said[each.start : each.end] for each in spoken(job)] == [
        each.text for each in spoken(job)
    ]
    assert job.timings.first_fragment_s is not None


def test_a_text_without_a_next_unit_is_closed_before_its_viewer_has_seen_everything(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    text = grown("And then nothing.")
    job = runtime.speak_growing(session_of(runtime), text, choice)
    begun_s = None
    for event in job.events():
        begun_s = begun_s or (time.monotonic() if isinstance(event, FragmentCommitted) else None)
    assert begun_s is not None
    film = film_of(runtime)
    assert text.is_closed
    with pytest.raises(GrowingClosed):
        text.add(plain("Too late."))
    (clip,) = film.committed.clips
    assert clip.is_whole
    assert clip.text == "And then nothing."
    again = runtime.speak_growing(session_of(runtime), ended("The rest."), choice).result()
    assert again.clip.first_frame == clip.frames
    verify_film(film.path)


def test_a_unit_that_comes_while_the_clip_waits_continues_it_without_a_seam(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    text = grown(LONG)
    job = awaiting(runtime, text)
    text.add(plain("Here is more."))
    text.end()
    result = job.result()
    at_once = runtime.speak(session_of(runtime, "whole"), f"{LONG} Here is more.", choice).result()
    assert abs(result.clip.frames - at_once.clip.frames) <= 1  # the voice varies by a sample
    sound = decoded_sound(result.path)
    assert longest_silence_s(sound[RATE_HZ:-RATE_HZ]) < SENTENCE_PAUSE_S + LEAD_S + 0.05


def longest_silence_s(sound: NDArray[np.float32]) -> float:
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return float(np.diff(loud).max()) / RATE_HZ


def test_a_clause_is_followed_by_a_shorter_pause_than_a_sentence(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    ends = {}
    for is_end in (True, False):
        text = GrowingText()
        text.add(plain("Well, maybe"), is_sentence_end=is_end)
        text.add(plain("we should go."))
        text.end()
        job = runtime.speak_growing(session_of(runtime, f"s{is_end}"), text, choice)
        job.result()
        first, second = spoken(job)
        assert first.words[-1].end_s is not None and second.start_s is not None
        ends[is_end] = second.start_s - first.words[-1].end_s
    assert ends[True] == pytest.approx(SENTENCE_PAUSE_S, abs=0.06)
    assert ends[False] == pytest.approx(CLAUSE_PAUSE_S, abs=0.06)


def test_waiting_for_the_text_is_no_fault_of_the_voice_and_no_stalled_step(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = grown(LONG)
    job = awaiting(runtime, text)
    monkeypatch.setattr(warm.render.speech_feed, "SENTENCE_TIMEOUT_S", 0.0)
    runtime._thread.wake()
    time.sleep(0.2)
    monkeypatch.undo()
    health = runtime.health()
    assert (health.state, health.queued, health.stages["speech"].count) == ("ok", 0, 0)
    text.add(plain("More."))
    text.end()
    assert job.result().clip.is_whole


@pytest.fixture
def alone(settings: Settings, voices: VoiceRegistry, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime with one speaking place."""
    with running_runtime(
        settings.model_copy(update={"max_speaking": 1}), voices, tmp_path
    ) as runtime:
        yield runtime


def test_a_clip_that_waits_for_its_text_leaves_the_only_speaking_place_to_others(
    alone: Runtime,
) -> None:
    text = grown(LONG)
    waiting = awaiting(alone, text, "slow")
    other = alone.speak(session_of(alone, "quick"), "Hello.", alone.choose())
    wait_until(lambda: has_fragment(other), "the first fragment of another session")
    assert not waiting.is_over
    text.add(plain("More."))
    text.end()
    assert waiting.result().clip.text.endswith("More.")
    assert other.result().clip.is_whole


def test_a_text_without_a_unit_takes_no_place_in_the_queue(alone: Runtime) -> None:
    texts = [GrowingText() for _ in range(3)]
    jobs = [
        alone.speak_growing(session_of(alone, f"s{number}"), text, alone.choose())
        for number, text in enumerate(texts)
    ]
    assert alone.health().queued == 0
    alone.speak(session_of(alone, "s0"), "Before the text begins.", alone.choose()).result()
    for text in texts:
        text.add(plain("Hi."))
        text.end()
    assert all(job.result().clip.is_whole for job in jobs)


@pytest.mark.parametrize("error", [None, RuntimeError("the writer failed")])
def test_a_text_that_ends_without_a_unit_fails_its_job(
    runtime: Runtime, choice: VoiceChoice, error: Exception | None
) -> None:
    text = GrowingText()
    job = runtime.speak_growing(session_of(runtime), text, choice)
    if error is None:
        text.end()
    else:
        text.fail(error)
    with pytest.raises(RuntimeError if error else BadSpeechRequest):
        job.result()


def test_units_from_before_a_failure_of_the_writer_are_spoken_whole(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    text = grown("This is said.")
    job = runtime.speak_growing(session_of(runtime), text, choice)
    text.add(plain("This too."))
    text.fail(RuntimeError("the writer failed"))
    with pytest.raises(RuntimeError, match="the writer failed"):
        job.result()
    (clip,) = film_of(runtime).committed.clips
    assert (clip.text, clip.is_whole) == ("This is said. This too.", True)


class FailingVoices:
    """The voices of a registry; a text that contains "fail" has none."""

    def __init__(self, voices: VoiceRegistry) -> None:
        self._voices = voices
        self.infos, self.choose = voices.infos, voices.choose

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        if "fail" in text:
            raise VoiceUnavailable("no voice today")
        return self._voices.speak(text, choice)


def test_a_failure_of_the_voice_at_a_later_unit_leaves_the_earlier_ones_whole(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    with running_runtime(settings, FailingVoices(voices), tmp_path) as runtime:
        text = grown("The first unit is said to its end.", "This will fail.", "Not said.")
        job = runtime.speak_growing(session_of(runtime), text, runtime.choose())
        with pytest.raises(VoiceUnavailable):
            job.result()
        assert text.is_closed
        (clip,) = film_of(runtime).committed.clips
        assert (clip.text, clip.is_whole) == ("The first unit is said to its end.", True)
        (said,) = spoken(job)
        assert said.duration_s is not None
        assert clip.frames > said.duration_s * 25


@pytest.mark.parametrize(
    "stop",
    [
        lambda runtime, session: runtime.interrupt(session),
        lambda runtime, session: runtime.reset(session, {}),
        lambda runtime, session: runtime.remove(session),
        lambda runtime, _: runtime.stop(),
    ],
    ids=["interrupt", "reset", "remove", "stop"],
)
def test_a_clip_that_waits_for_its_text_ends_when_it_is_stopped(
    runtime: Runtime, stop: Callable[..., object]
) -> None:
    text = grown(LONG)
    job = awaiting(runtime, text)
    stop(runtime, session_of(runtime))
    with suppress(Interrupted):
        assert job.result().interrupted
    with pytest.raises(GrowingClosed):
        text.add(plain("More."))


def test_a_clip_whose_client_leaves_while_it_waits_ends_with_a_closed_mouth(
    runtime: Runtime,
) -> None:
    text = grown(LONG)
    job = awaiting(runtime, text)
    job.cancel("the client left")
    runtime._thread.wake()
    assert job.result().interrupted
    assert text.is_closed
    verify_film(film_of(runtime).path)


def test_every_unit_is_checked_against_the_limits_of_text_and_film(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    small = settings.model_copy(update={"max_text_chars": 60})
    with running_runtime(small, voices, tmp_path) as runtime:
        text = grown("The first unit.")
        job = runtime.speak_growing(session_of(runtime), text, runtime.choose())
        with pytest.raises(BadSpeechRequest, match="max_text_chars"):
            text.add(plain("x" * 50))
        with pytest.raises(BadSpeechRequest, match="letter or digit"):
            text.add(plain("!?"))
        text.end()
        result = job.result()
        assert result.clip.text == "The first unit."
        again = GrowingText(chars_before=text.chars)
        again.add(plain("x" * 50))
        with pytest.raises(BadSpeechRequest, match="max_text_chars"):
            runtime.speak_growing(session_of(runtime), again, runtime.choose())


def test_a_film_without_capacity_refuses_a_unit_and_keeps_what_was_said(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    short = settings.model_copy(update={"max_session_s": 4.0})
    with running_runtime(short, voices, tmp_path) as runtime:
        text = grown("Hello there.")
        job = runtime.speak_growing(session_of(runtime), text, runtime.choose())
        with pytest.raises(SessionFull):
            text.add(plain("word " * 100))
        text.add(plain("And this is a longer sentence, for which there is no room at all."))
        text.end()
        result = job.result()
        assert (result.truncated_by, result.clip.text) == ("max_session_s", "Hello there.")


def test_units_are_added_by_one_thread_while_another_one_speaks_them_in_order(
    runtime: Runtime, choice: VoiceChoice
) -> None:
    text = GrowingText()
    numbers = ("one", "two", "three", "four", "five", "six")

    def write() -> None:
        for number in numbers:
            text.add(plain(f"Number {number}."))
        text.end()

    writer = Thread(target=write)
    job = runtime.speak_growing(session_of(runtime), text, choice)
    writer.start()
    *_, result = job.events()
    writer.join()
    assert isinstance(result, SpeakResult)
    assert result.clip.text == " ".join(f"Number {number}." for number in numbers)
