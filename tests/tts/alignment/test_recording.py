"""Recordings with a text: sentences of a voice with known times, joined, disturbed and found."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from tests.tts.alignment.changes import start_errors_s
from tests.tts.alignment.conftest import Say
from tts.alignment import recording
from tts.alignment.recording import RecordingTimes, align_recording
from tts.speech import Phoneme, Samples, Speech

RATE_HZ = 22_050
TEXTS = (
    "My father's farm is far from the calm blue harbour.",
    "Bob bought a bag of apples at the market by the palm trees.",
    "She saw the small boat moving past the old stone pier.",
    "We have to hurry, because the last bus leaves at half past five.",
    "Could you pass me the pepper, the butter, and that small jar of jam?",
    "Two new blue shoes were too tight for you, were they not?",
    "Every member of the band plays at least two instruments.",
    "The bumblebee climbed from blossom to blossom all afternoon.",
)
OTHER_TEXTS = (
    "Seven thieves were seen near the free cheese in the street.",
    "I never met a man more calm than our old captain.",
    "Winter came early that year, and the lake was frozen.",
)
PAUSE_S = 1.3


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make windows of 20 s, so that a minute has several."""
    monkeypatch.setattr(recording, "WINDOW_S", 20.0)
    monkeypatch.setattr(recording, "REFERENCE_S", 40.0)


def recorded(say: Say, texts: Sequence[str], before_s: float = 0.0) -> Speech:
    """Sentences of another voice at another speed, with long pauses."""
    samples, phonemes, start_s = [np.zeros(round(before_s * RATE_HZ), np.float32)], [], before_s
    for text in texts:
        speech = say(text, "espeak:en-us+male", 0.9)
        samples += [speech.samples, np.zeros(round(PAUSE_S * RATE_HZ), np.float32)]
        phonemes += [
            Phoneme(p.symbol, start_s + p.start_s, start_s + p.end_s) for p in speech.phonemes or ()
        ]
        start_s += speech.duration_s + PAUSE_S
    return Speech("", np.concatenate(samples), RATE_HZ, tuple(phonemes))


def jingle(seconds: int) -> Samples:
    """Plucked notes of two octaves, four a second."""
    time_s = np.arange(RATE_HZ // 4) / RATE_HZ
    pitches_hz = np.random.default_rng(3).integers(200, 800, 4 * seconds)
    notes = [
        np.sum([np.sin(2 * np.pi * hz * k * time_s) / k for k in range(1, 9)], axis=0)
        for hz in pitches_hz
    ]
    return np.concatenate([0.1 * note * np.exp(-8 * time_s) for note in notes]).astype(np.float32)


def pieces(samples: Samples) -> Iterator[Samples]:
    yield from np.array_split(samples, max(len(samples) // 10_000, 1))


def found(say: Say, samples: Samples, texts: Sequence[str]) -> RecordingTimes:
    times = align_recording(pieces(samples), RATE_HZ, (say(text) for text in texts))
    for before, after in zip(times.phonemes, times.phonemes[1:], strict=False):
        assert before.end_s == pytest.approx(after.start_s, abs=1e-9)
        assert before.symbol or after.symbol
    return times


@pytest.mark.slow
def test_a_recording_of_many_windows_is_found_to_its_end(say: Say) -> None:
    speech = recorded(say, TEXTS)
    times = found(say, speech.samples, TEXTS)
    errors = np.abs(start_errors_s(times.phonemes, speech.phonemes))
    assert times.problem is None
    assert times.phonemes[0].start_s == 0
    assert times.end_s == pytest.approx(speech.duration_s, abs=0.01)
    assert np.median(errors) < 0.010
    assert np.percentile(errors, 98) < 0.08
    assert times.unknown == ()


@pytest.mark.slow
def test_a_jingle_and_a_long_silence_before_the_text_are_left_out(say: Say) -> None:
    speech = recorded(say, TEXTS[:4], before_s=6.0)
    samples = speech.samples.copy()
    notes = jingle(4)
    samples[: len(notes)] = notes
    times = found(say, samples, TEXTS[:4])
    errors = np.abs(start_errors_s(times.phonemes, speech.phonemes))
    assert times.problem is None
    assert np.median(errors[5:]) < 0.010
    assert times.unknown[0].start_s < 0.1
    assert 3.5 < times.unknown[-1].end_s < 6.2


@pytest.mark.slow
def test_the_rest_of_a_recording_that_leaves_its_text_has_no_phonemes(say: Say) -> None:
    speech = recorded(say, [*TEXTS[:5], *OTHER_TEXTS, *OTHER_TEXTS])
    times = found(say, speech.samples, TEXTS)
    fifth_s = recorded(say, TEXTS[:5]).duration_s
    known_s = min([times.end_s, *(span.start_s for span in times.unknown)])
    assert times.problem == "does not match the text"
    assert fifth_s / 2 < known_s < fifth_s + 2


def test_another_text_is_refused_as_a_whole(say: Say) -> None:
    times = found(say, recorded(say, TEXTS[:3]).samples, OTHER_TEXTS)
    assert times == RecordingTimes((), (), "does not match the text")


def test_sounds_after_the_text_are_unknown(say: Say) -> None:
    speech = recorded(say, [*TEXTS[:3], *OTHER_TEXTS])
    times = found(say, speech.samples, TEXTS[:3])
    text_s = recorded(say, TEXTS[:3]).duration_s
    known_s = times.unknown[0].start_s if times.unknown else times.end_s
    assert known_s == pytest.approx(text_s - PAUSE_S, abs=0.5)
    assert times.unknown or times.problem == "goes on after the text"


def test_a_recording_that_ends_before_its_text_says_so(say: Say) -> None:
    speech = recorded(say, TEXTS[:2])
    times = found(say, speech.samples, TEXTS)
    assert times.problem == "ends before the text does"
    assert times.end_s == pytest.approx(speech.duration_s, abs=PAUSE_S + 0.2)


@pytest.mark.parametrize("seconds", [0, 0.01, 5])
def test_silence_has_no_phonemes(say: Say, seconds: float) -> None:
    times = found(say, np.zeros(int(seconds * RATE_HZ), np.float32), TEXTS[:2])
    assert [p.symbol for p in times.phonemes] == [""] * bool(seconds)
    assert times.problem == "ends before the text does"


def test_sentences_are_taken_when_they_are_needed(say: Say) -> None:
    taken = []

    def sentences() -> Iterator[Speech]:
        for text in TEXTS * 10:
            taken.append(text)
            yield say(text)

    silence = iter([np.zeros(RATE_HZ, np.float32)])
    align_recording(silence, RATE_HZ, sentences())
    assert len(taken) < 16
