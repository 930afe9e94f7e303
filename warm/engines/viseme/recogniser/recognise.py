"""Phonemes with times from the sound of speech alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from tts.loudness import SPEECH_LEVEL_DBFS
from tts.speech import Phoneme, Samples, Speech
from warm.engines.viseme.recogniser.network import trained_network
from warm.engines.viseme.recogniser.segments import Segment, best_segments
from warm.engines.viseme.recogniser.sound_classes import CLASSES, SILENCE
from warm.engines.viseme.recogniser.spectra import (
    HOP,
    SAMPLE_RATE_HZ,
    Spectra,
    band_levels,
    loud_level,
    relative_spectra,
    resampled,
    total_level,
)
from warm.engines.viseme.shape import CURVE_HZ, Curve

BOUNDARY_POINTS = 0.4
"""Distance of a boundary from the first point after it. Half a point would let the middle of a
sound fall between two frames, where rounding decides."""
STEADY_DB = 0.5
"""Standard deviation of the level within STEADY_S on both sides, below which a sound is not speech:
a hum, a tone, a fan. Sustained vowels vary more."""
STEADY_S = 0.4
_IMPOSSIBLE = 30.0
LOUD_DBFS = SPEECH_LEVEL_DBFS + 1.0
"""Level of the loud moments of a voice."""


def recognised(speech: Speech) -> Speech:
    """Return speech with the phonemes that were recognised, at the loudness of a voice.

    Each phoneme stands for all sounds that look like it. The last one is a pause.
    """
    samples = resampled(speech.samples, speech.sample_rate_hz)
    points = len(samples) // HOP + 1
    levels = band_levels(samples, points=points)
    loud = loud_level(levels)
    scores = trained_network()(relative_spectra(levels, loud))
    scores[is_steady(total_level(levels)), 1:] -= _IMPOSSIBLE
    return replace(
        speech,
        samples=_at_voice_level(samples, loud),
        sample_rate_hz=SAMPLE_RATE_HZ,
        phonemes=tuple(_phonemes(best_segments(scores))),
    )


def recognised_part(
    samples: Samples, loud: float, steady: NDArray[np.bool_], levels: Spectra, *, is_open: bool
) -> Speech:
    """Return an excerpt of a recording with the phonemes that were recognised in it.

    `samples` are at SAMPLE_RATE_HZ, `loud` is the level of loud speech in them, `levels` and
    `steady` are those of each point. `is_open`: more sound follows, but is not known.
    """
    curve = np.full(len(levels), loud)
    scores = trained_network()(relative_spectra(levels, curve), is_open=is_open)
    scores[steady, 1:] -= _IMPOSSIBLE
    return Speech(
        text="",
        samples=_at_voice_level(samples, curve),
        sample_rate_hz=SAMPLE_RATE_HZ,
        phonemes=tuple(_phonemes(best_segments(scores), is_open=is_open)),
    )


def is_steady(level: Curve) -> NDArray[np.bool_]:
    """(n,): True where the level, in dB, does not change for a while."""
    size = 2 * round(STEADY_S * CURVE_HZ) + 1
    mean, square = (uniform_filter1d(each, size, mode="nearest") for each in (level, level**2))
    return np.asarray(square - mean**2 < STEADY_DB**2)


def _phonemes(segments: Sequence[Segment], *, is_open: bool = False) -> Iterator[Phoneme]:
    """Yield the phonemes; after them is a pause, unless it is not known what follows."""
    for segment in segments:
        yield Phoneme(CLASSES[segment.sound], _boundary_s(segment.start), _boundary_s(segment.stop))
    stop = segments[-1].stop if segments else 0
    if is_open and segments:
        return
    if not segments or CLASSES[segments[-1].sound] != SILENCE:
        yield Phoneme(SILENCE, _boundary_s(stop), _boundary_s(stop + 1))


def _boundary_s(point: int) -> float:
    return max(0.0, (point - BOUNDARY_POINTS) / CURVE_HZ)


def _at_voice_level(samples: Samples, loud: Curve) -> Samples:
    gain = 10 ** ((LOUD_DBFS - loud) / 20)
    at = np.arange(len(samples)) / HOP
    return np.asarray(samples * np.interp(at, np.arange(len(gain)), gain), np.float32)
