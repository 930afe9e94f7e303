"""Disturbed copies of speech: other speakers, rooms, microphones, codecs, noise and music."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, resample_poly

from warm.engines.viseme.recogniser.spectra import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]
_SPEEDS = np.arange(84, 122)
"""Percent; tempo, pitch and formants change together."""


@dataclass(frozen=True, slots=True, eq=False)
class Disturbed:
    """A disturbed sentence; a moment t of the original is at `offset_s` + t / `speed`."""

    samples: Samples
    speed: float
    offset_s: float
    warp: float
    """Stretch of the frequency axis, as by a longer or shorter vocal tract."""


def disturbed(clean: Samples, others: list[Samples], rng: np.random.Generator) -> Disturbed:
    """Return a random disturbed copy of (n,) samples; `others` speak in the background."""
    percent = int(rng.choice(_SPEEDS)) if rng.random() < 0.7 else 100
    samples = resample_poly(clean, 100, percent).astype(np.float32) if percent != 100 else clean
    lead, tail = (int(rng.uniform(0.0, 0.6) * SAMPLE_RATE_HZ) for _ in range(2))
    samples = np.pad(samples, (lead, tail))
    if rng.random() < 0.5:
        samples = fftconvolve(samples, room(rng))[: len(samples)].astype(np.float32)
    if rng.random() < 0.7:
        samples = equalised(samples, rng)
    samples = samples / np.float32(np.abs(samples).max() + 1e-9)
    if rng.random() < 0.85:
        samples = samples + background(len(samples), others, rng) * _noise_gain(samples, rng)
    if rng.random() < 0.2:
        samples = np.clip(samples * rng.uniform(1.5, 6), -1, 1)
    if rng.random() < 0.2:
        samples = band_limited(samples, rng)
    warp = float(rng.uniform(0.88, 1.14)) if rng.random() < 0.6 else 1.0
    level = 10 ** (rng.uniform(-30, -1) / 20) / (np.abs(samples).max() + 1e-9)
    return Disturbed(
        (samples * level).astype(np.float32), percent / 100, lead / SAMPLE_RATE_HZ, round(warp, 2)
    )


def room(rng: np.random.Generator) -> Samples:
    """Return the impulse response of a random room."""
    decay_s = rng.uniform(0.08, 0.7)
    times = np.arange(int(decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / decay_s)
    tail[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE_HZ)] = 0
    tail *= rng.uniform(0.05, 0.7) / (np.sqrt((tail**2).sum()) + 1e-9)
    tail[0] = 1.0
    return tail.astype(np.float32)


def equalised(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return samples through a random microphone: a smooth curve within 12 dB and two slopes."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    knots = np.array([0, 150, 400, 800, 1500, 2500, 4000, 6000, 8000])
    gain_db = np.interp(hz, knots, rng.uniform(-8, 8, len(knots)))
    gain_db += rng.uniform(-6, 6) * np.log2(np.maximum(hz, 100) / 1000)
    if rng.random() < 0.4:
        gain_db -= 12 * np.maximum(np.log2(rng.uniform(80, 350) / np.maximum(hz, 20)), 0)
    return np.fft.irfft(spectrum * 10 ** (gain_db / 20), len(samples)).astype(np.float32)


def background(length: int, others: list[Samples], rng: np.random.Generator) -> Samples:
    """Return (length,) noise, hum, music or distant voices, at an RMS of 1."""
    kind = rng.choice(["noise", "noise", "music", "voices", "hum"])
    if kind == "noise":
        sound = coloured_noise(length, rng)
    elif kind == "voices":
        chosen = [others[int(rng.integers(len(others)))] for _ in range(4)]
        sound = np.sum([_repeated(voice, length) for voice in chosen], axis=0)
    elif kind == "music":
        sound = music(length, rng)
    else:
        times = np.arange(length) / SAMPLE_RATE_HZ
        base = rng.choice([50, 60, 100, 120])
        sound = sum(np.sin(2 * np.pi * base * k * times) / k for k in range(1, 6))
        sound = sound + 0.1 * rng.standard_normal(length)
    return np.asarray(sound / (np.sqrt(np.mean(np.square(sound))) + 1e-9), np.float32)


def coloured_noise(length: int, rng: np.random.Generator) -> Samples:
    """Return noise with a random slope of its spectrum and slow changes of its level."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ), 30)
    noise = np.fft.irfft(spectrum * (hz / 1000) ** rng.uniform(-1.2, 0.3), length)
    if rng.random() < 0.4:
        count = max(2, length // 4000)
        swell = 10 ** (rng.uniform(-15, 0, count) / 20)
        noise *= np.interp(np.linspace(0, count - 1, length), np.arange(count), swell)
    return noise.astype(np.float32)


def music(length: int, rng: np.random.Generator) -> Samples:
    """Return chords of decaying tones, with beats of noise."""
    out = np.zeros(length, np.float32)
    beat = int(rng.uniform(0.2, 0.6) * SAMPLE_RATE_HZ)
    for start in range(0, length, beat):
        times = np.arange(min(int(beat * 1.5), length - start)) / SAMPLE_RATE_HZ
        envelope = np.exp(-times * rng.uniform(1, 8))
        for _ in range(int(rng.integers(1, 4))):
            base = 110 * 2 ** (rng.integers(0, 36) / 12)
            tone = sum(np.sin(2 * np.pi * base * k * times) / k**1.5 for k in range(1, 6))
            out[start : start + len(times)] += (tone * envelope).astype(np.float32)
        if rng.random() < 0.5:
            drum = rng.standard_normal(len(times)) * np.exp(-times * rng.uniform(15, 60))
            out[start : start + len(times)] += drum.astype(np.float32)
    return out


def band_limited(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return samples as after a telephone or a strong codec: fewer bands, coarse steps."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    highest = rng.choice([3400, 3400, 4000, 5500, 7000])
    lowest = rng.choice([0, 200, 300])
    spectrum[(hz > highest) | (hz < lowest)] = 0
    limited = np.clip(np.fft.irfft(spectrum, len(samples)), -1, 1)
    if rng.random() < 0.5:  # the steps of mu-law telephony
        coded = np.sign(limited) * np.log1p(255 * np.abs(limited)) / np.log(256)
        coded = np.round(coded * 127) / 127
        limited = np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255
    return limited.astype(np.float32)


def _noise_gain(samples: Samples, rng: np.random.Generator) -> np.float32:
    speech = np.sqrt(np.mean(np.square(samples)))
    return np.float32(speech * 10 ** (-rng.uniform(3, 45) / 20))


def _repeated(samples: Samples, length: int) -> Samples:
    return np.tile(samples, -(-length // len(samples)))[:length]
