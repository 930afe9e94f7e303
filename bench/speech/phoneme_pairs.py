"""Pairs of the same phonemes in two pronunciations of a text (Needleman and Wunsch, 1970)."""

from collections.abc import Sequence

import numpy as np

from tts.speech import Phoneme
from warm.engines.viseme.ipa_targets import vowel_openness

_SAME, _VOWELS, _ALIKE, _DIFFERENT, _LEFT_OUT = 2.0, 0.8, 0.5, -1.5, -0.6
_ALIKE_CONSONANTS = ("pb", "td", "kɡ", "mnŋɲɳ", "szʃʒʂʐɕʑθðfv", "lɹrɾɭʁjw", "hxçχɣ")


def phoneme_pairs(first: Sequence[Phoneme], second: Sequence[Phoneme]) -> list[tuple[int, int]]:
    """Return the indices of sounds that are the same or alike, in order; pauses are left out."""
    scores = np.zeros((len(first) + 1, len(second) + 1))
    scores[0] = _LEFT_OUT * np.arange(len(second) + 1)
    scores[:, 0] = _LEFT_OUT * np.arange(len(first) + 1)
    for i, one in enumerate(first, 1):
        for j, other in enumerate(second, 1):
            scores[i, j] = max(
                scores[i - 1, j - 1] + _similarity(one.symbol, other.symbol),
                scores[i - 1, j] + _LEFT_OUT,
                scores[i, j - 1] + _LEFT_OUT,
            )
    return _trace(scores, first, second)


def _trace(
    scores: np.ndarray, first: Sequence[Phoneme], second: Sequence[Phoneme]
) -> list[tuple[int, int]]:
    pairs, i, j = [], len(first), len(second)
    while i and j:
        similarity = _similarity(first[i - 1].symbol, second[j - 1].symbol)
        if np.isclose(scores[i, j], scores[i - 1, j - 1] + similarity):
            i, j = i - 1, j - 1
            if similarity > 0 and first[i].symbol:
                pairs.append((i, j))
        elif np.isclose(scores[i, j], scores[i - 1, j] + _LEFT_OUT):
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _similarity(one: str, other: str) -> float:
    if one[:1] == other[:1]:
        return _SAME
    if not one or not other:
        return 2 * _DIFFERENT
    if min(vowel_openness(one), vowel_openness(other)) >= 0:
        return _VOWELS
    alike = any(one[0] in letters and other[0] in letters for letters in _ALIKE_CONSONANTS)
    return _ALIKE if alike else _DIFFERENT
