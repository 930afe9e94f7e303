"""Whisper's input: 30 s of logarithmic mel bands."""

import numpy as np
import pytest

from stt.recogniser import RATE_HZ, Samples
from stt.whisper.spectrogram import log_mel, mel_filters
from tests.stt.speech import silence


def tone(hz: float, seconds: float) -> Samples:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(
        np.float32
    )


@pytest.mark.parametrize("seconds", [0.0, 0.5, 30.0, 40.0])
def test_it_always_lasts_30_s(seconds: float) -> None:
    assert log_mel(silence(seconds)).shape == (1, 80, 3000)


def test_silence_has_one_level() -> None:
    assert np.ptp(log_mel(silence(1))) == 0


@pytest.mark.parametrize("hz", [200, 1000, 3000, 7000])
def test_a_tone_is_in_the_band_of_its_frequency(hz: float) -> None:
    frequencies = np.fft.rfftfreq(400, 1 / RATE_HZ)
    centres = frequencies[mel_filters().argmax(axis=1)]
    found = log_mel(tone(hz, 1.0))[0, :, 20:80].mean(axis=1)
    assert abs(centres[found.argmax()] - hz) <= 0.05 * hz + 40


def test_all_bands_have_the_same_area() -> None:
    wide = mel_filters()[40:]  # the narrow ones have too few frequencies for an exact sum
    areas = wide.sum(axis=1) * 40.0
    assert areas == pytest.approx(np.ones(40), rel=0.1)
