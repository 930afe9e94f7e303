"""Loudness normalization."""

import numpy as np
import pytest

from tts.loudness import PEAK_DBFS, SPEECH_LEVEL_DBFS, normalize_loudness

RATE = 16_000


def tone(amplitude: float, seconds: float = 1.0) -> np.ndarray:
    return (amplitude * np.sin(np.arange(int(seconds * RATE)) * 0.2)).astype(np.float32)


def decibels(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt((samples.astype(np.float64) ** 2).mean())))


@pytest.mark.parametrize("amplitude", [0.001, 0.1, 1.0])
def test_quiet_and_loud_audio_become_equally_loud(amplitude: float) -> None:
    assert decibels(normalize_loudness(tone(amplitude), RATE)) == pytest.approx(
        SPEECH_LEVEL_DBFS, abs=0.1
    )


def test_pauses_do_not_affect_the_level() -> None:
    silence = np.zeros(3 * RATE, np.float32)
    normalized = normalize_loudness(np.concatenate([tone(0.01), silence]), RATE)
    assert decibels(normalized[:RATE]) == pytest.approx(SPEECH_LEVEL_DBFS, abs=0.1)


def test_a_sharp_click_does_not_clip() -> None:
    samples = tone(0.01)
    samples[100] = 0.9
    assert np.abs(normalize_loudness(samples, RATE)).max() == pytest.approx(
        10 ** (PEAK_DBFS / 20), rel=1e-4
    )


@pytest.mark.parametrize("length", [0, 10, RATE])
def test_silence_stays_silence(length: int) -> None:
    silence = np.zeros(length, np.float32)
    assert np.array_equal(normalize_loudness(silence, RATE), silence)
