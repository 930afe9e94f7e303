"""The measurement of joins notices faults that can be heard."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.speech.sound_steps import steps_at
from tts.heart.vocoder import SAMPLE_RATE_HZ

PLACE = SAMPLE_RATE_HZ // 2


def tone(pitch_hz: float, level: float = 0.1, phase: float = 0.0) -> NDArray[np.float32]:
    times_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    harmonics = [np.sin(2 * np.pi * h * pitch_hz * times_s + h * phase) / h**3 for h in range(1, 5)]
    return (level * sum(harmonics)).astype(np.float32)


def joined(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([before[:PLACE], after[PLACE:]])


def test_an_even_tone_has_no_steps() -> None:
    steps = steps_at(tone(200.0), PLACE)
    assert steps.pitch_semitones == 0
    assert steps.energy_db < 0.1
    assert steps.click < 3


def test_a_jump_of_the_waveform_is_a_click() -> None:
    even, cut = tone(200.0), joined(tone(200.0), tone(200.0, phase=2.5))
    assert steps_at(cut, PLACE).click > 2 * steps_at(even, PLACE).click


def test_a_step_of_pitch_is_measured_in_semitones() -> None:
    steps = steps_at(joined(tone(200.0), tone(200.0 * 2 ** (2 / 12))), PLACE)
    assert steps.pitch_semitones == pytest.approx(2, abs=0.2)


def test_a_step_of_energy_is_measured_in_decibels() -> None:
    assert steps_at(joined(tone(200.0), tone(200.0, 0.05)), PLACE).energy_db == pytest.approx(
        6.02, abs=0.1
    )


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(1).standard_normal(SAMPLE_RATE_HZ).astype(np.float32)
    assert np.isnan(steps_at(noise, PLACE).pitch_semitones)
    silence = np.zeros(SAMPLE_RATE_HZ, np.float32)
    assert np.isnan(steps_at(silence, PLACE).pitch_semitones)
    assert np.isnan(steps_at(silence, PLACE).energy_db)
