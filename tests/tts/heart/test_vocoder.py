"""The vocoder: pitch, level and seams of the sound that it makes of spectra."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.heart.vocoder import BINS, BRANCHES, HOP, SAMPLE_RATE_HZ, Vocoder

FRAMES = 80
SILENT = -60.0


def prediction(harmonic: float, noise: float = SILENT) -> NDArray[np.float32]:
    frames = np.zeros((FRAMES, BRANCHES, BINS), np.float32)
    frames[:, 0], frames[:, 2], frames[:, 3] = harmonic, noise, SILENT
    return frames.reshape(FRAMES, -1)


def pitch(frequency_hz: float) -> NDArray[np.float32]:
    return np.full(FRAMES, frequency_hz, np.float32)


def spoken(
    frames: NDArray[np.float32], pitch_hz: NDArray[np.float32], *sizes: int
) -> NDArray[np.float32]:
    vocoder = Vocoder(pitch_hz, first_hop=0, seed=1)
    limits = [0, *np.cumsum(sizes), FRAMES]
    parts = [vocoder.samples(frames[a:b]) for a, b in pairwise(limits)]
    return np.concatenate(parts)


@pytest.mark.parametrize("frequency_hz", [80.0, 200.0, 431.0])
def test_the_sound_has_the_pitch_that_is_asked_for(frequency_hz: float) -> None:
    samples = spoken(prediction(-3.0), pitch(frequency_hz))
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    lowest = np.argmax(spectrum[: round(1.5 * frequency_hz * len(samples) / SAMPLE_RATE_HZ)])
    assert lowest * SAMPLE_RATE_HZ / len(samples) == pytest.approx(frequency_hz, abs=1.5)


def test_unvoiced_frames_are_silent_without_noise() -> None:
    assert np.abs(spoken(prediction(0.0), pitch(0.0))).max() < 1e-6


def test_noise_has_the_level_of_its_branch() -> None:
    samples = spoken(prediction(SILENT, noise=0.0), pitch(0.0))
    louder = spoken(prediction(SILENT, noise=1.0), pitch(0.0))
    assert louder.std() / samples.std() == pytest.approx(np.e, rel=1e-3)


@pytest.mark.parametrize("sizes", [(1,), (3, 40), (20, 20, 20), (78,)])
def test_pieces_of_any_size_are_the_same_sound(sizes: tuple[int, ...]) -> None:
    frames = prediction(-3.0, noise=-2.0)
    glide = np.linspace(90, 300, FRAMES).astype(np.float32)
    whole = spoken(frames, glide)
    assert len(whole) == FRAMES * HOP
    assert np.abs(spoken(frames, glide, *sizes) - whole).max() < 1e-4 * np.abs(whole).max()


def test_a_start_in_the_middle_has_full_level_from_its_first_sample() -> None:
    frames = prediction(SILENT, noise=0.0)
    vocoder = Vocoder(pitch(0.0), first_hop=30, seed=1)
    samples = vocoder.samples(frames[vocoder.next_frame :])
    assert len(samples) == (FRAMES - 30) * HOP
    assert samples[:HOP].std() == pytest.approx(samples.std(), rel=0.25)
