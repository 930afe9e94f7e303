"""Changes to a sentence whose phonemes are known, and its errors after an alignment."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from tts.speech import Phoneme, Speech


def hidden(speech: Speech) -> Speech:
    """The sentence without its phonemes."""
    return replace(speech, phonemes=None)


def with_noise(speech: Speech, *, snr_db: float) -> Speech:
    noise = np.random.default_rng(1).standard_normal(len(speech.samples))
    power = np.square(speech.samples).mean() / 10 ** (snr_db / 10)
    return replace(speech, samples=(speech.samples + noise * np.sqrt(power)).astype(np.float32))


def over_telephone(speech: Speech) -> Speech:
    """The sentence at 8 kHz, with the band of a telephone."""
    down = scipy.signal.resample_poly(speech.samples, 160, 441)
    band = scipy.signal.butter(4, (300, 3400), "bandpass", fs=8000, output="sos")
    samples = scipy.signal.sosfilt(band, down).astype(np.float32)
    return replace(speech, samples=samples, sample_rate_hz=8000)


def with_silence(speech: Speech, at_s: float, length_s: float) -> Speech:
    """The sentence with a silence inserted, and its phonemes divided there or moved."""
    assert speech.phonemes is not None
    rate = speech.sample_rate_hz
    index = round(at_s * rate)
    gap = np.zeros(round(length_s * rate), np.float32)
    samples = np.concatenate([speech.samples[:index], gap, speech.samples[index:]])

    def moved(time_s: float) -> float:
        return time_s + (length_s if time_s >= at_s else 0.0)

    phonemes = tuple(Phoneme(p.symbol, moved(p.start_s), moved(p.end_s)) for p in speech.phonemes)
    return replace(speech, samples=samples, phonemes=phonemes)


def start_errors_s(
    found: Sequence[Phoneme] | None, truth: Sequence[Phoneme] | None
) -> NDArray[np.float64]:
    """Errors of the starts of all sounds; both must have the same ones."""
    assert found is not None
    assert truth is not None
    sounds = [[p for p in phonemes if p.symbol] for phonemes in (found, truth)]
    assert [p.symbol for p in sounds[0]] == [p.symbol for p in sounds[1]]
    return np.array([a.start_s - b.start_s for a, b in zip(*sounds, strict=True)])


def median_error_s(found: Sequence[Phoneme] | None, truth: Sequence[Phoneme] | None) -> float:
    return float(np.median(np.abs(start_errors_s(found, truth))))
