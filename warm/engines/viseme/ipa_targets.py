"""Articulatory targets: the mouth of each sound of the International Phonetic Alphabet.

Targets follow from features: height, backness and rounding of a vowel, place and manner of a
consonant. This covers every language that a voice writes in IPA. For a sound without known
features, the neighbouring sounds determine the lips.
"""

import functools
import unicodedata
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from warm.engines.viseme.shape import Shape


class ContactKind(Enum):
    """A contact of the lips that must be visible, however short the sound is."""

    NONE = "none"
    LIPS = "lips"
    LIP_AND_TEETH = "lip and teeth"


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The mouth of one sound."""

    shape: NDArray[np.float64]
    """(7,) by Shape, without contacts."""
    dominance: NDArray[np.float64]
    """(7,) 0…1 by Shape: weight of the target against those of neighbouring sounds."""
    is_vowel: bool = False
    contact: ContactKind = ContactKind.NONE


@dataclass(frozen=True, slots=True, eq=False)
class TargetShare:
    """One sound of a symbol, such as half a diphthong, and its share of the duration."""

    target: Target
    share: float


# Vowels: height from 0 (close) to 1 (open), frontness from 1 to -1 (back), rounding 0…1.
_VOWELS: dict[str, tuple[float, float, float]] = {
    "i": (0.00, 1.0, 0), "y": (0.00, 1.0, 1), "ɨ": (0.05, 0.0, 0), "ʉ": (0.05, 0.0, 1),
    "ɯ": (0.00, -1.0, 0), "u": (0.00, -1.0, 1), "ɪ": (0.20, 0.8, 0), "ʏ": (0.18, 0.8, 0.9),
    "ʊ": (0.18, -0.8, 0.85), "e": (0.33, 1.0, 0), "ø": (0.33, 1.0, 0.8), "ɘ": (0.33, 0.0, 0),
    "ɵ": (0.33, 0.0, 0.7), "ɤ": (0.33, -1.0, 0), "o": (0.36, -1.0, 0.8), "ə": (0.38, 0.0, 0),
    "ɛ": (0.58, 0.8, 0), "œ": (0.58, 0.8, 0.55), "ɜ": (0.50, 0.0, 0), "ɞ": (0.60, 0.0, 0.5),
    "ʌ": (0.66, -0.5, 0), "ɔ": (0.72, -0.8, 0.5), "æ": (0.86, 0.8, 0), "ɐ": (0.80, 0.0, 0),
    "a": (1.00, 0.3, 0), "ɶ": (1.00, 0.8, 0.3), "ɑ": (1.00, -0.5, 0), "ɒ": (0.92, -0.8, 0.35),
}  # fmt: skip

_PLACES: dict[str, str] = {
    "bilabial": "pbmʙɸβɓʘ",
    "labiodental": "fvɱʋⱱ",
    "labiovelar": "wʍɥ",
    "dental": "θðǀ",
    "alveolar": "tdnrɾszɬɮlɗɺǁǃɫ",
    "postalveolar": "ʃʒɹɧ",
    "retroflex": "ʈɖɳɽʂʐɻɭ",
    "palatal": "cɟɲçʝjʎɕʑʄǂ",
    "velar": "kɡŋxɣɰʟɠ",
    "uvular": "qɢɴʀχʁʛ",
    "pharyngeal": "ħʕʢʡʜ",
    "glottal": "ʔhɦ",
}
_SIBILANTS = frozenset("szʃʒʂʐɕʑɧ")
_CLOSING = frozenset("pbmʙɓʘ")
_TUCKING = frozenset("fvɱⱱ")

# Lips by place of articulation: OPEN, WIDE, ROUND, TONGUE, and the dominance.
_LIPS: dict[str, tuple[float, float, float, float, float]] = {
    "bilabial": (0.14, 0.0, 0.0, 0.0, 0.9),
    "labiodental": (0.20, 0.0, 0.0, 0.0, 0.9),
    "labiovelar": (0.22, 0.0, 0.95, 0.0, 1.0),
    "dental": (0.33, 0.1, 0.0, 1.0, 0.7),
    "alveolar": (0.31, 0.1, 0.0, 0.7, 0.55),
    "postalveolar": (0.29, 0.0, 0.45, 0.3, 0.75),
    "retroflex": (0.32, 0.0, 0.20, 0.5, 0.6),
    "palatal": (0.30, 0.5, 0.0, 0.2, 0.6),
    "velar": (0.40, 0.0, 0.0, 0.0, 0.3),
    "uvular": (0.45, 0.0, 0.0, 0.0, 0.3),
    "pharyngeal": (0.54, 0.0, 0.0, 0.0, 0.3),
    "glottal": (0.48, 0.0, 0.0, 0.0, 0.12),
}
_SIBILANT_OPEN, _SIBILANT_WIDE, _SIBILANT_DOMINANCE = 0.23, 0.25, 0.8

_CLOSE_OPENING, _OPEN_OPENING = 0.32, 1.50
"""OPEN of the closest and of the most open vowel."""
_ROUNDING_CLOSES = 0.06
"""Share of its opening that full rounding takes from a vowel."""
_SCHWA_DOMINANCE = 0.55
_NEUTRAL_CORNER_DOMINANCE = 0.15
"""Dominance of a consonant's neutral mouth corners: in "you" the /j/ is already rounded."""
_SILENT_CORNER_DOMINANCE = 0.3
_CORNERS = [Shape.WIDE, Shape.ROUND]
_MODIFIERS: dict[str, tuple[Shape, float]] = {
    "ʷ": (Shape.ROUND, 0.6),
    "˞": (Shape.ROUND, 0.3),
    "ʲ": (Shape.WIDE, 0.3),
}
_VOWEL_WEIGHT, _CONSONANT_WEIGHT = 1.0, 0.7
_DIPHTHONG_START_WEIGHT = 1.3


def _dominances(default: float, corners: float) -> NDArray[np.float64]:
    dominance = np.full(len(Shape), default)
    dominance[_CORNERS] = corners
    return dominance


SILENCE = Target(np.zeros(len(Shape)), _dominances(1.0, _SILENT_CORNER_DOMINANCE))
"""The mouth in a pause: closed and relaxed."""
UNKNOWN_PLACE = "velar"
"""Place of a sound without known features: not at the lips, which follow its neighbours."""


@functools.lru_cache(maxsize=4096)
def target_shares(symbol: str) -> tuple[TargetShare, ...]:
    """Targets of an IPA symbol in order; their shares sum to 1. `""` is a pause."""
    if not symbol:
        return (TargetShare(SILENCE, 1.0),)
    targets = _targets(symbol)
    weights = [_VOWEL_WEIGHT if target.is_vowel else _CONSONANT_WEIGHT for target in targets]
    if sum(target.is_vowel for target in targets) > 1:
        weights[[target.is_vowel for target in targets].index(True)] *= _DIPHTHONG_START_WEIGHT
    total = sum(weights)
    return tuple(TargetShare(target, w / total) for target, w in zip(targets, weights, strict=True))


def vowel_openness(symbol: str) -> float:
    """Height of the most open vowel in a symbol, 0 (close) to 1 (open); -1 without a vowel."""
    heights = [_VOWELS[letter][0] for letter in _decompose(symbol) if letter in _VOWELS]
    return max(heights, default=-1.0)


def _targets(symbol: str) -> list[Target]:
    targets: list[Target] = []
    for letter in _decompose(symbol):
        if letter in _MODIFIERS and targets:
            targets[-1] = _modified(targets[-1], *_MODIFIERS[letter])
        elif unicodedata.category(letter) not in ("Mn", "Lm", "Sk"):
            targets.append(_target(letter))
    return targets or [_consonant("", UNKNOWN_PLACE)]


def _decompose(symbol: str) -> str:
    """Separate letters and diacritics; ç stays one letter."""
    return "".join(s if s == "ç" else unicodedata.normalize("NFD", s) for s in symbol.lower())


def _target(letter: str) -> Target:
    if letter in _VOWELS:
        return _vowel(*_VOWELS[letter])
    for place, letters in _PLACES.items():
        if letter in letters:
            return _consonant(letter, place)
    return _consonant(letter, UNKNOWN_PLACE)


def _vowel(height: float, front: float, rounded: float) -> Target:
    shape = np.zeros(len(Shape))
    opening = _CLOSE_OPENING + (_OPEN_OPENING - _CLOSE_OPENING) * height
    shape[Shape.OPEN] = opening * (1 - _ROUNDING_CLOSES * rounded)
    shape[Shape.ROUND] = rounded
    spread = max(front, 0.0) * (1 - 0.8 * height) - 0.15 * max(-front, 0.0)
    shape[Shape.WIDE] = spread * (1 - rounded) - 0.3 * rounded
    is_central = front == 0.0 and rounded == 0
    dominance = _SCHWA_DOMINANCE if is_central else 1.0
    return Target(shape, _dominances(dominance, dominance), is_vowel=True)


def _consonant(letter: str, place: str) -> Target:
    opening, wide, rounded, tongue, dominance = _LIPS[place]
    shape = np.zeros(len(Shape))
    shape[[Shape.OPEN, Shape.WIDE, Shape.ROUND, Shape.TONGUE]] = opening, wide, rounded, tongue
    if letter in _SIBILANTS:
        shape[[Shape.OPEN, Shape.TEETH, Shape.TONGUE]] = _SIBILANT_OPEN, 1.0, 0.0
        shape[Shape.WIDE] = _SIBILANT_WIDE if place == "alveolar" else 0.0
        dominance = _SIBILANT_DOMINANCE
    corners = dominance if rounded or letter in _SIBILANTS else _NEUTRAL_CORNER_DOMINANCE
    return Target(shape, _dominances(dominance, corners), contact=_contact(letter))


def _contact(letter: str) -> ContactKind:
    if letter in _CLOSING:
        return ContactKind.LIPS
    return ContactKind.LIP_AND_TEETH if letter in _TUCKING else ContactKind.NONE


def _modified(target: Target, column: Shape, least: float) -> Target:
    shape, dominance = target.shape.copy(), target.dominance.copy()
    shape[column] = max(shape[column], least)
    dominance[column] = max(dominance[column], least)
    return Target(shape, dominance, target.is_vowel, target.contact)
