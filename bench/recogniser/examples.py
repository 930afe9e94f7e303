"""Spectra and labels of disturbed sentences, one after the other, to train with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.recogniser.corpus import LabelledSound
from bench.recogniser.disturbances import Disturbed, background, disturbed
from bench.recogniser.labels import labels_of
from warm.engines.viseme.recogniser.spectra import (
    BANDS,
    HOP,
    band_levels,
    loud_level,
    mel_bank,
    relative_spectra,
)

_BACKGROUNDS = 60
"""Sentences that may be heard in the background."""
_WITHOUT_SPEECH = 0.05
"""Share of the sentences that are replaced by noise or music alone."""
_LOUDNESS_DB = 4.0
"""Largest error of the level of loud speech, in both directions."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Points in time, CURVE_HZ per second."""

    spectra: NDArray[np.float16]
    """(n, BANDS)"""
    labels: NDArray[np.uint8]
    """(n,), UNKNOWN where nothing is to be learned."""


def examples(sounds: Sequence[LabelledSound], seed: int) -> Examples:
    """Disturb each sentence once, in random order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(sounds))
    others = [sounds[index].samples for index in order[:_BACKGROUNDS]]
    spectra, labels = list[NDArray[np.float16]](), list[NDArray[np.uint8]]()
    for index in order:
        heard = disturbed(sounds[index].samples, others, rng)
        phonemes = sounds[index].phonemes
        if rng.random() < _WITHOUT_SPEECH:
            noise = background(len(heard.samples), others, rng)
            level = np.float32(10 ** (rng.uniform(-60, -10) / 20))
            heard, phonemes = Disturbed(noise * level, 1.0, 0.0, 1.0), ()
        points = len(heard.samples) // HOP
        levels = band_levels(heard.samples, points=points, bank=mel_bank(heard.warp))
        loud = loud_level(levels) + rng.uniform(-_LOUDNESS_DB, _LOUDNESS_DB)
        spectra.append(relative_spectra(levels, loud).astype(np.float16))
        labels.append(labels_of(phonemes, points, speed=heard.speed, offset_s=heard.offset_s))
    return Examples(np.concatenate(spectra), np.concatenate(labels))


def masked(spectra: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Mask bands and moments of (length, BANDS) spectra in place, as SpecAugment does."""
    for _ in range(2):
        if rng.random() < 0.5:
            width = int(rng.integers(1, 7))
            first = int(rng.integers(0, BANDS - width))
            spectra[:, first : first + width] = -3 if rng.random() < 0.3 else spectra.mean()
    if rng.random() < 0.5:
        length = int(rng.integers(1, 8))
        first = int(rng.integers(0, len(spectra) - length))
        spectra[first : first + length] = -3
