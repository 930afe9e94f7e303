"""Synthesis off the render thread: a slow or hanging voice delays only its own request."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import numpy as np
import pytest

import warm.render.speech_feed
from tests.polling import wait_until
from tests.sessions import session_of
from tests.tiny_face import running_runtime
from tts.speech import Speech
from tts.voice import VoiceChoice, VoiceInfo, VoiceUnavailable
from warm.render.jobs import FragmentCommitted, Interrupted, SpeakJob, SpeechReady
from warm.runtime import Runtime
from warm.sessions.session import Session
from warm.settings import Settings

RATE_HZ = 24_000
CHOICE = VoiceChoice(voice="patient", language="en", speed=1.0)
TIMEOUT_S = 60


class PatientSpeech:
    """A sentence per line; one that says "wait" is ready when it is released or cancelled."""

    def __init__(self, text: str, may_continue: Event) -> None:
        self._lines = iter(text.splitlines())
        self._may_continue = may_continue
        self.is_waiting = Event()
        self.cancelled = Event()

    def __iter__(self) -> Iterator[Speech]:
        return self

    def __next__(self) -> Speech:
        line = next(self._lines)
        if line == "wait":
            self.is_waiting.set()
            deadline = time.monotonic() + TIMEOUT_S
            while not (self._may_continue.wait(0.01) or self.cancelled.is_set()):
                assert time.monotonic() < deadline
        if line == "fail":
            raise VoiceUnavailable("no voice today")
        return Speech(line, np.zeros(RATE_HZ // 2, np.float32), RATE_HZ, None)

    def cancel(self) -> None:
        self.cancelled.set()


class PatientVoices:
    """Voices whose sentences take as long as the test wants."""

    def __init__(self) -> None:
        self.may_continue = Event()
        self.spoken: list[PatientSpeech] = []

    def infos(self) -> Sequence[VoiceInfo]:
        return []

    def choose(
        self,
        *,
        voice: str | None = None,  # noqa: ARG002
        language: str | None = None,  # noqa: ARG002
        speed: float | None = None,  # noqa: ARG002
    ) -> VoiceChoice:
        return CHOICE

    def speak(self, text: str, _choice: VoiceChoice) -> Iterator[Speech]:
        self.spoken.append(PatientSpeech(text, self.may_continue))
        return self.spoken[-1]


@pytest.fixture
def voices() -> PatientVoices:
    return PatientVoices()


@pytest.fixture
def runtime(settings: Settings, voices: PatientVoices, tmp_path: Path) -> Iterator[Runtime]:
    with running_runtime(settings, voices, tmp_path) as runtime:
        voices.spoken.clear()
        yield runtime
        voices.may_continue.set()


@pytest.fixture
def waiting(runtime: Runtime, voices: PatientVoices) -> SpeakJob:
    """A request of the session `slow`, whose sentence is being synthesized."""
    job = runtime.speak(session_of(runtime, "slow"), "wait\nDone.", CHOICE)
    wait_until(lambda: voices.spoken and voices.spoken[0].is_waiting.is_set(), "the sentence")
    return job


def has_fragment(job: SpeakJob) -> bool:
    return any(isinstance(event, FragmentCommitted) for event in job._events)


def sentences(job: SpeakJob) -> list[str]:
    """The announced sentences."""
    return [event.text for event in job._events if isinstance(event, SpeechReady)]


def test_other_sessions_speak_while_a_sentence_is_synthesized(
    runtime: Runtime, voices: PatientVoices, waiting: SpeakJob
) -> None:
    for number in range(2):
        spoken = runtime.speak(session_of(runtime, "quick"), "One.\nTwo.", CHOICE).result()
        assert spoken.clip.index == number
    assert not waiting.is_over
    assert not sentences(waiting)
    assert runtime.health().state == "ok"
    voices.may_continue.set()
    assert waiting.result().clip.frames > 25
    assert sentences(waiting) == ["wait", "Done."]


@pytest.mark.parametrize(
    "stop",
    [
        lambda runtime, session: runtime.interrupt(session),
        lambda runtime, session: runtime.reset(session, {}),
        lambda runtime, session: runtime.remove(session),
    ],
    ids=["interrupt", "reset", "remove"],
)
def test_a_request_whose_sentence_is_being_synthesized_is_stopped_at_once(
    runtime: Runtime,
    voices: PatientVoices,
    waiting: SpeakJob,
    stop: Callable[[Runtime, Session], object],
) -> None:
    stop(runtime, waiting.session)
    with pytest.raises(Interrupted):
        waiting.result()
    assert voices.spoken[0].cancelled.is_set()
    assert not has_fragment(waiting)


def test_a_clip_is_cut_while_its_second_sentence_is_synthesized(
    runtime: Runtime, voices: PatientVoices
) -> None:
    session = session_of(runtime)
    job = runtime.speak(session, "One.\nwait", CHOICE)
    wait_until(lambda: voices.spoken and voices.spoken[0].is_waiting.is_set(), "the sentence")
    wait_until(lambda: has_fragment(job), "a fragment")
    assert runtime.interrupt(session).interrupted
    assert job.result().interrupted
    assert voices.spoken[0].cancelled.is_set()
    assert runtime.speak(session, "Next.", CHOICE).result().clip.index == 1


def test_the_next_sentence_is_synthesized_while_one_is_rendered(
    runtime: Runtime, voices: PatientVoices
) -> None:
    job = runtime.speak(session_of(runtime), "One.\nwait\nLast.", CHOICE)
    wait_until(lambda: voices.spoken and voices.spoken[0].is_waiting.is_set(), "the sentence")
    assert sentences(job) == ["One."]
    voices.may_continue.set()
    assert not job.result().interrupted


def test_an_error_of_the_voice_ends_the_request_after_the_sentences_before_it(
    runtime: Runtime,
) -> None:
    job = runtime.speak(session_of(runtime), "One.\nfail", CHOICE)
    with pytest.raises(VoiceUnavailable, match="no voice today"):
        job.result()
    assert sentences(job) == ["One."]


def test_a_voice_that_hangs_fails_the_request(
    runtime: Runtime, waiting: SpeakJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm.render.speech_feed, "SENTENCE_TIMEOUT_S", 0.01)
    with pytest.raises(VoiceUnavailable, match=r"the voice patient took longer than 0\.01 s"):
        waiting.result()
    monkeypatch.undo()
    assert runtime.speak(session_of(runtime, "slow"), "Next.", CHOICE).result()


def test_a_stop_of_the_server_does_not_wait_for_a_voice(
    runtime: Runtime, waiting: SpeakJob
) -> None:
    runtime.stop()
    with pytest.raises(Interrupted):
        waiting.result()
    assert runtime.wait_until_ended(TIMEOUT_S)
