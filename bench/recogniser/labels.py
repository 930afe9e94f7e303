"""Classes of sounds, CURVE_HZ times a second, from phonemes with times."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tts.speech import Phoneme
from warm.engines.viseme.recogniser.sound_classes import CLASSES, classes_of
from warm.engines.viseme.shape import CURVE_HZ

UNKNOWN = 255
"""Points that are not learned: sounds without a class."""
_FIRST_OF_TWO_VOWELS = 0.57
"""Share of a diphthong's first vowel."""


def labels_of(
    phonemes: Iterable[Phoneme], points: int, *, speed: float = 1.0, offset_s: float = 0.0
) -> NDArray[np.uint8]:
    """(points,) uint8: class at each point; before and after the phonemes is silence."""
    labels = np.zeros(points, np.uint8)
    for phoneme in phonemes:
        start, end = (
            (offset_s + each / speed) * CURVE_HZ for each in (phoneme.start_s, phoneme.end_s)
        )
        found = classes_of(phoneme.symbol) or [UNKNOWN]
        for sound, (first, last) in zip(found, _parts(start, end, found), strict=True):
            labels[round(first) : round(last)] = sound
    return labels


def _parts(start: float, end: float, found: list[int]) -> list[tuple[float, float]]:
    if len(found) == 1:
        return [(start, end)]
    is_diphthong = all(each >= CLASSES.index("i") for each in found)
    share = _FIRST_OF_TWO_VOWELS if is_diphthong and len(found) == 2 else 1 / len(found)
    inner = [start + (end - start) * share * (k + 1) for k in range(len(found) - 1)]
    bounds = [start, *inner, end]
    return list(pairwise(bounds))
