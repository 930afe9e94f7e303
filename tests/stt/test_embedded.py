"""The embedded recogniser: real speech in its real process, and what happens when that dies."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from isolation.process import RequestCancelled
from stt.embedded import EmbeddedRecogniser
from stt.embedded_utterance import EmbeddedUtterance
from stt.errors import (
    LanguageNotSupported,
    RecogniserAbsent,
    RecogniserFailed,
    RecognitionTimeout,
    RecordingRefused,
)
from stt.pins import FOLDER, MOONSHINE
from stt.recogniser import RATE_HZ, Samples, Transcript, transcribe
from stt.recognition_process import RecognitionProcess
from tests.polling import wait_until
from tests.stt.speech import (
    MODELS,
    OTHER,
    QUESTION,
    embedded,
    melody,
    noise,
    silence,
    speech_of,
)
from tts.espeak.voices import EspeakVoices

pytestmark = pytest.mark.slow
needs_model = pytest.mark.skipif(
    not MOONSHINE.is_present(MODELS / FOLDER), reason="`make hear` downloads the recogniser"
)


@pytest.fixture(scope="module")
def spoken() -> Iterator[dict[str, Samples]]:
    with closing(EspeakVoices()) as voices:
        yield {text: speech_of(voices, text) for text in (QUESTION, OTHER)}


@pytest.fixture(scope="module")
def recogniser() -> Iterator[EmbeddedRecogniser]:
    with closing(embedded()) as found:
        yield found


@needs_model
def test_speech_becomes_its_words(
    recogniser: EmbeddedRecogniser, spoken: dict[str, Samples]
) -> None:
    sound = np.concatenate([silence(0.7), spoken[QUESTION], silence(0.9)])
    found = transcribe(recogniser, sound, "en-US")
    assert found.text == QUESTION
    assert (found.language, found.model) == ("en", "moonshine-tiny-en")
    assert found.duration_s == pytest.approx(len(sound) / RATE_HZ)
    assert 1.2 < found.speech_s < 2.0
    ((start_s, end_s),) = [(each.start_s, each.end_s) for each in found.segments]
    assert 0.5 < start_s < 1.0
    assert 2.0 < end_s < 2.8


@needs_model
@pytest.mark.parametrize(
    "sound",
    [
        silence(0),
        silence(0.01),
        silence(2),
        noise(2, 0.003),
        noise(2, 0.3),
        melody(3),
        np.sin(np.arange(32_000) * 0.3).astype(np.float32),
        np.full(32_000, np.nan, np.float32),
    ],
    ids=["nothing", "10 ms", "silence", "hiss", "loud noise", "music", "a tone", "no numbers"],
)
def test_sound_without_a_voice_has_no_words(recogniser: EmbeddedRecogniser, sound: Samples) -> None:
    found = transcribe(recogniser, sound)
    assert (found.text, found.speech_s, found.segments) == ("", 0.0, ())


@needs_model
def test_two_recordings_at_once_do_not_mix(
    recogniser: EmbeddedRecogniser, spoken: dict[str, Samples]
) -> None:
    found: dict[str, Transcript] = {}
    open_ones = {text: recogniser.listen() for text in spoken}
    for start in range(0, 48_000, 5_000):
        for text, utterance in open_ones.items():
            utterance.add(spoken[text][start : start + 5_000])
    found = {text: utterance.finish() for text, utterance in open_ones.items()}
    assert {text: each.text for text, each in found.items()} == {text: text for text in spoken}


@needs_model
def test_a_recording_survives_the_death_of_the_process(
    recogniser: EmbeddedRecogniser, spoken: dict[str, Samples]
) -> None:
    utterance = recogniser.listen()
    half = len(spoken[QUESTION]) // 2
    utterance.add(spoken[QUESTION][:half])
    killed = recogniser.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    utterance.add(spoken[QUESTION][half:])
    assert utterance.finish().text == QUESTION
    assert recogniser.pid != killed


@needs_model
def test_a_recording_that_is_left_is_forgotten(
    recogniser: EmbeddedRecogniser, spoken: dict[str, Samples]
) -> None:
    has_left = Event()
    left = recogniser.listen(is_cancelled=has_left.is_set)
    left.add(spoken[QUESTION])
    has_left.set()
    with pytest.raises(RequestCancelled):
        left.finish()
    left.close()
    assert transcribe(recogniser, spoken[OTHER]).text == OTHER


@needs_model
def test_another_language_is_refused_with_what_to_do(recogniser: EmbeddedRecogniser) -> None:
    with pytest.raises(LanguageNotSupported, match=r"'de'.*knows only en.*whisper-base"):
        recogniser.listen("de")


@needs_model
def test_an_idle_process_ends_and_the_next_recording_starts_it(spoken: dict[str, Samples]) -> None:
    with closing(embedded(idle_s=0.2)) as recogniser:
        assert recogniser.state().phase == "unloaded"
        recogniser.prepare()
        wait_until(lambda: recogniser.pid is not None, "the start of the process")
        wait_until(lambda: recogniser.state().phase == "unloaded", "the end of the idle process")
        assert recogniser.pid is None
        assert transcribe(recogniser, spoken[QUESTION]).text == QUESTION


def test_a_recogniser_without_files_says_what_to_run(tmp_path: Path) -> None:
    with closing(embedded(tmp_path)) as recogniser:
        state = recogniser.state()
        assert (state.phase, state.progress, state.licence) == ("absent", None, "MIT")
        with pytest.raises(RecogniserAbsent, match=r"moonshine-tiny-en \(68 MB, MIT\).*make hear"):
            recogniser.listen()
        recogniser.prepare()  # which must not fetch
        assert recogniser.state().phase == "absent"
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import sys, time; sys.path.insert(0, sys.argv[1])
from isolation.protocol import *
out = open(1, "wb", buffering=0); source = open(0, "rb")
write_exactly(out, pack_message({"ready": True}))
while True:
    header, _ = unpack_message(lambda size: read_exactly(source, size))
    if "finish" in header:
        %s
    write_exactly(out, pack_message({}))
"""
"""A process that fails at the end of each recording."""


def failing(fault: str, step_s: float = 60.0) -> RecognitionProcess:
    root = str(Path(__file__).parents[2])
    command = (sys.executable, "-P", "-c", SCRIPT % fault, root)
    return RecognitionProcess(command, idle_s=0.0, step_s=step_s)


@pytest.mark.parametrize(
    ("fault", "error", "message", "starts"),
    [
        ("import os; os.abort()", RecordingRefused, "died of SIGABRT, 2 times", 2),
        ("import os; os.kill(os.getpid(), 9)", RecogniserFailed, "killed by SIGKILL, 3 times", 3),
        ("out.write(b'#' * 64)", RecordingRefused, "not a message", 2),
    ],
    ids=["it aborts", "it is killed", "it writes anything"],
)
def test_a_recording_that_ends_its_process_is_refused_after_some_attempts(
    fault: str, error: type[Exception], message: str, starts: int
) -> None:
    with closing(failing(fault)) as process:
        utterance = EmbeddedUtterance(process, "model", None, lambda: False)
        utterance.add(silence(1))
        with pytest.raises(error, match=message):
            utterance.finish()
        utterance.close()
        assert process.generation == starts


def test_a_process_that_hangs_is_ended_in_bounded_time() -> None:
    with closing(failing("time.sleep(1000)", step_s=0.3)) as process:
        utterance = EmbeddedUtterance(process, "model", None, lambda: False)
        with pytest.raises(RecognitionTimeout, match=r"stt_timeout_s"):
            utterance.finish()
        assert process.pid is None


def test_a_process_that_cannot_start_is_reported() -> None:
    command = (sys.executable, "-c", "raise SystemExit(3)")
    with closing(RecognitionProcess(command, idle_s=0.0, step_s=60.0)) as process:
        with pytest.raises(RecogniserFailed, match="cannot be started: ended with status 3"):
            process.start()
        assert process.phase == "unloaded"


def test_closing_ends_a_recording_that_waits() -> None:
    process = failing("time.sleep(1000)")
    utterance = EmbeddedUtterance(process, "model", None, lambda: False)
    errors: list[Exception] = []

    def finish() -> None:
        try:
            utterance.finish()
        except RecogniserFailed as error:
            errors.append(error)

    thread = Thread(target=finish)
    thread.start()
    wait_until(lambda: process.phase == "ready", "the process")
    process.close()
    thread.join(60)
    assert not thread.is_alive()
    assert len(errors) == 1
