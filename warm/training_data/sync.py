"""Agreement of lips and sound.

The embedded engine's recogniser turns the sound into the shape that a mouth would have. Its opening
is compared with the gap of the filmed lips and with the distance of nose and chin, its rounding
with the width and the gap of the filmed lips, which both become smaller. Only movements between 1.5
and 6 Hz count: slower ones follow the loudness and the head, faster ones are noise.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from tts.speech import Speech
from warm.engines.viseme.audio_curves import mouth_track_from_audio
from warm.engines.viseme.shape import Shape
from warm.training_data.config import FPS
from warm.training_data.source_sound import WAV_HZ, Pcm

BAND_HZ = (1.5, 6.0)
MAX_LAG_FRAMES = 15
"""Range of the search on both sides: 0.6 s."""
STILL = 1e-4
"""Standard deviation below which nothing moves."""
LONG_S = 12.0
"""Duration from which on the correlation with the sound of another person stays below `min_sync`.
In a shorter clip the correlation of two movements that have nothing in common varies more: its
standard deviation is inversely proportional to the square root of the duration."""

Curves = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sync:
    """Agreement of lips and sound: correlations, each the mean of four comparisons."""

    correlation: float
    """At the best lag near 0."""
    best: float
    """At `lag_frames`."""
    lag_frames: int
    """Frames by which the sound is late; negative if it is early."""


NO_SYNC = Sync(0.0, 0.0, 0)


def measure_sync(lips: NDArray[np.float32], sound: Pcm, *, near: int) -> Sync:
    """Compare (n, 3) measures of the lips, see `Analysis.lips`, with the 16 kHz sound.

    Lags up to `near` frames count as no lag. NO_SYNC if there is no speech or no movement.
    """
    filmed, heard = movements(compared(lips)), movements(heard_lips(sound, len(lips)))
    if min(filmed.std(axis=0).min(), heard.std(axis=0).max()) < STILL:
        return NO_SYNC
    lags = range(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1)
    values = {lag: correlation(filmed, heard, lag) for lag in lags}
    best = max(lags, key=lambda lag: (values[lag], -abs(lag)))
    correlated = max(values[lag] for lag in range(-near, near + 1))
    return Sync(round(correlated, 4), round(values[best], 4), best)


def least_correlation(min_sync: float, frames: int) -> float:
    """Return the least correlation for a clip if `min_sync` is that for clips of LONG_S."""
    return min_sync * max(1.0, sqrt(LONG_S * FPS / frames))


def compared(lips: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 3) measures of the lips to the (n, 4) that `heard_lips` is compared with."""
    gap, width, jaw = lips.T
    return np.stack([gap, jaw, width, gap], axis=1)


def heard_lips(sound: Pcm, frames: int) -> NDArray[np.float32]:
    """(frames, 4) mouth that says what is heard: twice its opening, twice its lack of rounding.

    Spread lips are not compared: they are less visible in films than rounded ones.
    """
    samples = np.asarray(sound / np.float32(32768), np.float32)
    track = mouth_track_from_audio(Speech("", samples, WAV_HZ, None), frames=frames, fps=FPS)
    opening, unrounded = track[:, Shape.OPEN], -track[:, Shape.ROUND]
    return np.stack([opening, opening, unrounded, unrounded], axis=1)


def movements(curves: NDArray[np.float32]) -> Curves:
    """(n, k) curves at 25 Hz within BAND_HZ."""
    filters = butter(2, BAND_HZ, "band", fs=FPS, output="sos")
    padded = np.pad(curves.astype(np.float64), ((FPS, FPS), (0, 0)), mode="edge")
    return np.asarray(sosfiltfilt(filters, padded, axis=0))[FPS:-FPS]


def correlation(filmed: Curves, heard: Curves, lag: int) -> float:
    """Return the mean correlation of (n, k) curves if the sound is `lag` frames late.

    A curve that does not move, such as the rounding in a sentence without round vowels, counts 0.
    """
    late = centred(heard[max(0, lag) : len(heard) + min(0, lag)])
    fixed = centred(filmed[max(0, -lag) : len(filmed) + min(0, -lag)])
    scale = fixed.std(axis=0) * late.std(axis=0)
    moves = np.minimum(fixed.std(axis=0), late.std(axis=0)) >= STILL
    covariance = (fixed * late).mean(axis=0)
    return float(np.mean(np.divide(covariance, scale, out=np.zeros_like(scale), where=moves)))


def centred(curves: Curves) -> Curves:
    """Return curves with a mean of 0."""
    return np.asarray(curves - curves.mean(axis=0))
