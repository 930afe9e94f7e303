"""The voice `heart` in its process: pieces of a sentence, and what may happen meanwhile."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

import tts.heart.voices
from isolation.process import RequestCancelled
from tests.polling import wait_until
from tts.heart.voices import COMMAND, INFO, SAMPLE_RATE_HZ, HeartVoices
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest, SentenceFailed, VoiceChoice, VoiceUnavailable
from tts.workers.stream import StreamLimits
from tts.workers.stream_client import StreamClient

pytestmark = pytest.mark.slow

TIMEOUT_S = 120.0
SHORT = "We will meet you tomorrow."
LONG = (
    "The ferry to the northern islands leaves every morning at seven, and the crossing takes "
    "about four hours when the sea is calm."
)
CHOICE = VoiceChoice(voice="heart", language="en-US", speed=1.0)


@pytest.fixture
def own() -> Iterator[HeartVoices]:
    """A voice whose process the test may kill."""
    limits = StreamLimits(start_s=TIMEOUT_S, step_s=TIMEOUT_S, answer_s=TIMEOUT_S)
    with closing(HeartVoices(StreamClient(COMMAND, limits))) as voices:
        yield voices


def speak(voices: HeartVoices, text: str, speed: float = 1.0) -> Speech:
    """Return a sentence, as soon as its first piece is there."""
    sentence = Sentence(text, is_end=True, start=0)
    speech = voices.synthesize(sentence, replace(CHOICE, speed=speed), lambda: False)
    assert speech is not None
    return speech


def pid_of(voices: HeartVoices) -> int:
    pid = voices._streams.pid
    assert pid is not None
    return pid


def test_a_long_sentence_arrives_in_pieces_with_all_its_phonemes_first(
    heart_voices: HeartVoices,
) -> None:
    speech = speak(heart_voices, LONG)
    assert speech.phonemes is not None and speech.pending is not None
    assert 0.5 < len(speech.samples) / SAMPLE_RATE_HZ < 1.2
    assert speech.duration_s > 5
    assert speech.phonemes[0].start_s == 0
    assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s, abs=1e-6)
    assert [each.symbol for each in speech.phonemes[:4]] == ["", "ð", "ə", "f"]
    whole = speech.completed()
    assert len(whole.samples) == speech.total_samples
    assert whole.samples.dtype == np.float32
    assert 0.1 < np.abs(whole.samples).max() < 1
    assert np.abs(whole.samples[: SAMPLE_RATE_HZ // 50]).max() < 0.01


def test_the_same_text_has_the_same_samples_next_to_other_texts(heart_voices: HeartVoices) -> None:
    alone = speak(heart_voices, LONG).completed()
    with ThreadPoolExecutor(4) as threads:
        texts = [LONG, SHORT, LONG, f"{SHORT} It is {TIMEOUT_S} degrees."]
        spoken = list(threads.map(lambda text: speak(heart_voices, text).completed(), texts))
    for each in (spoken[0], spoken[2]):
        assert np.array_equal(each.samples, alone.samples)
        assert each.phonemes == alone.phonemes


def test_a_higher_speed_is_shorter(heart_voices: HeartVoices) -> None:
    durations_s = [speak(heart_voices, SHORT, speed).duration_s for speed in (0.5, 1.0, 2.0)]
    assert durations_s[0] > 1.5 * durations_s[1] > 2 * durations_s[2]


def test_a_sentence_is_complete_although_its_process_is_killed_in_the_middle(
    heart_voices: HeartVoices, own: HeartVoices
) -> None:
    """Fails if anything is repeated, missing or different at the joint."""
    expected = speak(heart_voices, LONG).completed()
    speech = speak(own, LONG)
    killed = pid_of(own)
    os.kill(killed, signal.SIGKILL)
    whole = speech.completed()
    assert np.array_equal(whole.samples, expected.samples)
    assert whole.phonemes == expected.phonemes
    assert pid_of(own) != killed


def test_a_cancelled_sentence_stops_and_the_process_stays(heart_voices: HeartVoices) -> None:
    pid = pid_of(heart_voices)
    cancelled = Event()
    sentence = Sentence(LONG, is_end=True, start=0)
    speech = heart_voices.synthesize(sentence, CHOICE, cancelled.is_set)
    assert speech is not None
    cancelled.set()
    with pytest.raises(RequestCancelled):
        speech.completed()
    assert speak(heart_voices, SHORT).completed().duration_s > 1
    assert pid_of(heart_voices) == pid


def test_a_sentence_that_is_dropped_is_no_longer_made(heart_voices: HeartVoices) -> None:
    streams = heart_voices._streams
    speech = speak(heart_voices, LONG)
    del speech
    wait_until(lambda: not len(streams._keeper._table), "the end of the stream")


def test_a_text_without_sound_has_no_speech(heart_voices: HeartVoices) -> None:
    sentence = Sentence("—", is_end=True, start=0)
    assert heart_voices.synthesize(sentence, CHOICE, lambda: False) is None


def test_a_sentence_that_the_voice_cannot_read_is_refused(heart_voices: HeartVoices) -> None:
    pid = pid_of(heart_voices)
    with pytest.raises(SentenceFailed, match=r"^contains 'Этопо', and this voice reads Latin"):
        speak(heart_voices, "Это по-русски.")
    assert pid_of(heart_voices) == pid


def test_the_voice_is_found_by_its_names_and_for_english(heart_voices: HeartVoices) -> None:
    for name in ("heart", "Heart", "hibari:heart"):
        assert heart_voices.find(name) == INFO
    assert heart_voices.find("hibari:emma") is None
    for language in ("en", "en-US", "en-GB"):
        assert heart_voices.best_for(language) == INFO
    assert heart_voices.best_for("de") is None


def test_without_its_packages_the_voice_is_listed_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tts.heart.voices, "PACKAGES", ("hibari", "no_such_package"))
    with closing(HeartVoices()) as voices:
        (info,) = voices.infos()
        assert info.problem is not None
        assert "no_such_package are not installed. Install them with `pip install" in info.problem
        assert voices.best_for("en") is None
        voices.prepare("heart")
        with pytest.raises(VoiceUnavailable, match="no_such_package"):
            speak(voices, SHORT)


def test_a_process_that_cannot_start_is_a_problem_of_the_voice() -> None:
    code = (
        "import tts.heart.worker as worker\n"
        "from pathlib import Path\n"
        "worker.HeartNetwork = lambda: worker_network(Path('/nowhere'))\n"
        "from tts.heart.network import HeartNetwork as worker_network\n"
        "worker.main()"
    )
    with closing(HeartVoices(StreamClient((sys.executable, "-c", code)))) as voices:
        with pytest.raises(VoiceUnavailable, match="cannot read /nowhere/"):
            speak(voices, SHORT)
        (info,) = voices.infos()
        assert info.problem is not None and "pip install --force-reinstall" in info.problem
        registry = VoiceRegistry([voices])
        with pytest.raises(BadSpeechRequest, match="cannot speak at present"):
            registry.choose(voice="heart")
