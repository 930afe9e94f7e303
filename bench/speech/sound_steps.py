"""Steps of pitch, energy and waveform at one place of a sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.heart.vocoder import HOP, SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

_CLICK, _AROUND = HOP // 12, HOP
"""A click lies within this many samples of a place, and stands out from this many around it."""
_WINDOW = 3 * HOP
"""Samples whose pitch is measured at once: 37.5 ms."""
_LOWEST_HZ, _HIGHEST_HZ = 100, 400
_PERIODIC = 0.6
"""Autocorrelation above which a window is voiced."""
_QUIET_DB = -50.0


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of sound at one place; NaN where a quantity does not exist on both sides."""

    click: float
    """Largest difference of neighbouring samples, over their usual difference around it."""
    pitch_semitones: float
    energy_db: float


def steps_at(samples: Samples, place: int) -> Steps:
    """Return the steps between samples[place - 1] and samples[place]."""
    before, after = samples[place - _WINDOW : place], samples[place : place + _WINDOW]
    differences = np.abs(np.diff(samples[place - _AROUND : place + _AROUND]))
    near = differences[_AROUND - _CLICK : _AROUND + _CLICK]
    usual = float(np.sqrt(np.square(differences).mean()))
    levels = [level_db(part) for part in (before, after)]
    is_loud = min(levels) > _QUIET_DB
    semitones = abs(12 * np.log2(pitch_hz(after) / pitch_hz(before)))
    return Steps(
        click=float(near.max()) / max(usual, 1e-9),
        pitch_semitones=float(semitones),
        energy_db=abs(levels[1] - levels[0]) if is_loud else float("nan"),
    )


def level_db(samples: Samples) -> float:
    """Return the level of samples in dBFS."""
    return float(10 * np.log10(np.square(samples).mean() + 1e-12))


def pitch_hz(samples: Samples) -> float:
    """Return the pitch by autocorrelation; NaN if the samples are not periodic."""
    centred = samples - samples.mean()
    lags = np.arange(SAMPLE_RATE_HZ // _HIGHEST_HZ, SAMPLE_RATE_HZ // _LOWEST_HZ)
    correlations = np.array([_correlation(centred[:-lag], centred[lag:]) for lag in lags])
    best = int(np.argmax(correlations))
    return SAMPLE_RATE_HZ / lags[best] if correlations[best] > _PERIODIC else float("nan")


def _correlation(first: Samples, second: Samples) -> float:
    power = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    return float(first @ second) / max(power, 1e-9)


def steps_across(before: Samples, after: Samples) -> Steps:
    """Return the steps from one sound to another that follows after a pause."""
    return Steps(
        click=float("nan"),
        pitch_semitones=abs(
            float(12 * np.log2(_median_pitch_hz(after) / _median_pitch_hz(before)))
        ),
        energy_db=abs(level_db(after) - level_db(before)),
    )


def _median_pitch_hz(samples: Samples) -> float:
    """Return the median pitch of the voiced windows; NaN if none is voiced."""
    starts = range(0, len(samples) - _WINDOW + 1, HOP)
    pitches = np.array([pitch_hz(samples[start : start + _WINDOW]) for start in starts])
    voiced = pitches[np.isfinite(pitches)]
    return float(np.median(voiced)) if len(voiced) else float("nan")
