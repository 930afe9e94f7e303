"""The first sentence of a job, which is synthesized while its film is opened."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.tiny_face import LoudnessEngine, running_runtime
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.voice import VoiceChoice, VoiceInfo, VoiceUnavailable
from warm.render.jobs import Interrupted, SpeakJob
from warm.runtime import Runtime
from warm.sessions.session import Session
from warm.settings import Settings

TEXT = "Good morning. How can I help you?"
TIMEOUT_S = 60


class Opening:
    """Holds up the creation of films."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def wait(self) -> None:
        self.begun.set()
        assert self.may_end.wait(TIMEOUT_S)
        if self.error is not None:
            raise self.error


class CountedVoices:
    """A registry of voices that counts the sentences; the next one may fail."""

    def __init__(self, voices: VoiceRegistry) -> None:
        self.voices = voices
        self.begun: list[str] = []
        self.sentences: list[str] = []
        self.closed = 0
        self.error: Exception | None = None

    def infos(self) -> Sequence[VoiceInfo]:
        return self.voices.infos()

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        return self.voices.choose(voice=voice, language=language, speed=speed)

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        self.begun.append(text)
        return self._sentences(text, choice)

    def _sentences(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        try:
            for speech in self.voices.speak(text, choice):
                if self.error is not None:
                    raise self.error
                self.sentences.append(speech.text)
                yield speech
        finally:
            self.closed += 1


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opening]:
    opening = Opening()
    create = Session.create_film

    def create_later(session: Session, *args: object) -> None:
        opening.wait()
        create(session, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "create_film", create_later)
    yield opening
    opening.may_end.set()


@pytest.fixture
def counted(voices: VoiceRegistry) -> CountedVoices:
    return CountedVoices(voices)


@pytest.fixture
def runtime(
    settings: Settings, counted: CountedVoices, engine: LoudnessEngine, tmp_path: Path
) -> Iterator[Runtime]:
    with running_runtime(settings, counted, tmp_path, engine=engine) as runtime:
        counted.begun.clear()
        counted.sentences.clear()
        counted.closed = 0
        yield runtime


def speak(runtime: Runtime) -> SpeakJob:
    return runtime.speak(session_of(runtime, "a"), TEXT, runtime.choose())


def test_the_first_sentence_is_there_before_the_film_and_is_synthesized_once(
    runtime: Runtime, counted: CountedVoices, opening: Opening
) -> None:
    job = speak(runtime)
    assert opening.begun.wait(TIMEOUT_S)
    wait_until(lambda: counted.sentences, "the first sentence")
    assert counted.sentences == ["Good morning."]
    opening.may_end.set()
    result = job.result()
    assert counted.begun == [TEXT]
    assert counted.sentences == ["Good morning.", "How can I help you?"]
    assert [cue.text for cue in film_of(runtime, "a").cues()] == counted.sentences
    assert result.session_frames > 40


def test_a_failure_of_the_voice_is_reported_once_the_film_is_open(
    runtime: Runtime, counted: CountedVoices, opening: Opening
) -> None:
    counted.error = VoiceUnavailable("the voice is away")
    job = speak(runtime)
    wait_until(lambda: counted.closed, "the failure")
    opening.may_end.set()
    with pytest.raises(VoiceUnavailable, match="the voice is away"):
        job.result()
    counted.error = None
    assert speak(runtime).result().session_clips == 1


def test_the_speech_of_a_film_that_cannot_be_opened_is_released(
    runtime: Runtime, counted: CountedVoices, opening: Opening
) -> None:
    opening.error = OSError(28, "No space left on device")
    job = speak(runtime)
    wait_until(lambda: counted.sentences, "the first sentence")
    opening.may_end.set()
    with pytest.raises(OSError, match="No space left"):
        job.result()
    wait_until(lambda: counted.closed == 1, "the end of the speech")
    assert counted.sentences == ["Good morning."]


def test_an_interruption_while_the_film_is_opened_ends_the_speech(
    runtime: Runtime, counted: CountedVoices, opening: Opening
) -> None:
    job = speak(runtime)
    wait_until(lambda: counted.sentences, "the first sentence")
    interrupting = threading.Thread(target=runtime.interrupt, args=[session_of(runtime, "a")])
    interrupting.start()
    with pytest.raises(Interrupted):
        job.result()
    opening.may_end.set()
    interrupting.join(TIMEOUT_S)
    wait_until(lambda: counted.closed == 1, "the end of the speech")
    assert counted.sentences == ["Good morning."]


def test_an_open_film_gets_its_speech_as_before(runtime: Runtime, counted: CountedVoices) -> None:
    speak(runtime).result()
    counted.begun.clear()
    speak(runtime).result()
    assert counted.begun == [TEXT]
