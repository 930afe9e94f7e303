"""Prosody of a sentence: its accents and the ends of its phrases, from phonemes or from sound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.speech import Phoneme, Speech

PAUSE_S = 0.09
"""A longer pause ends a phrase."""
FINAL_GAIN = 0.45
"""Extra strength of the last stressed syllable of a phrase, which carries its accent."""
PRIMARY, SECONDARY = 2, 1
STRENGTHS = {PRIMARY: 1.0, SECONDARY: 0.6}
VOWELS = frozenset("aeiouyɑɐɒæɔəɚɛɜɝɨɪɤɯøœʊʉʌɵɶɘɞ")
REDUCED = frozenset("əɐɨɚ")
REDUCED_SHARE = 0.5
"""Strength of a reduced vowel if the voice reports no stress."""
QUESTION_MARKS = frozenset("?？؟⸮")
CLOSING_MARKS = "\"'”’»)] "

HOP_S, SMOOTH_S = 0.01, 0.05
QUIET_SHARE = 0.12
"""A hop below this share of the loud ones is silent."""
LONGEST_DIP_S = 0.18
"""Shorter silences are inside a word."""


@dataclass(frozen=True, slots=True)
class Accent:
    """A prominent syllable."""

    time_s: float
    """Middle of its vowel."""
    strength: float


@dataclass(frozen=True, slots=True)
class Prosody:
    """The parts of a sentence that a speaker's head follows. Seconds from its first sample."""

    accents: tuple[Accent, ...]
    phrase_ends_s: tuple[float, ...]
    """Ends of speech before a pause; the last is that of the sentence."""
    is_question: bool


def prosody_of(speech: Speech) -> Prosody:
    """Return the prosody of a sentence.

    It depends on the phonemes alone if they are known, so it is the same while sound is arriving.
    """
    is_question = ends_with_question(speech.text)
    if speech.phonemes is not None:
        phrases = list(phrases_of(speech.phonemes))
        accents = tuple(accent for phrase in phrases for accent in phrase_accents(phrase))
        return Prosody(accents, tuple(phrase[-1].end_s for phrase in phrases), is_question)
    accents, ends = heard_accents(speech.samples, speech.sample_rate_hz)
    return Prosody(accents, ends, is_question)


def ends_with_question(text: str) -> bool:
    """Return True if a sentence ends with a question mark."""
    return text.rstrip(CLOSING_MARKS + "!")[-1:] in QUESTION_MARKS


def phrases_of(phonemes: Sequence[Phoneme]) -> Iterator[list[Phoneme]]:
    """Yield the sounds between pauses."""
    phrase = list[Phoneme]()
    for phoneme in phonemes:
        if phoneme.symbol:
            phrase.append(phoneme)
        elif phrase and phoneme.end_s - phoneme.start_s >= PAUSE_S:
            yield phrase
            phrase = []
    if phrase:
        yield phrase


def phrase_accents(phrase: Sequence[Phoneme]) -> list[Accent]:
    """Return the accents of one phrase; without stress marks long full vowels are accents."""
    found = [
        Accent((vowel.start_s + vowel.end_s) / 2, STRENGTHS[stress])
        for vowel, stress in stressed_vowels(phrase)
    ]
    found = found or by_length([phoneme for phoneme in phrase if is_vowel(phoneme)])
    if found:
        last = max(
            (accent for accent in found if accent.strength >= STRENGTHS[SECONDARY]),
            key=lambda accent: accent.time_s,
            default=found[-1],
        )
        found[found.index(last)] = Accent(last.time_s, last.strength + FINAL_GAIN)
    return found


def is_vowel(phoneme: Phoneme) -> bool:
    """Return True for a vowel or diphthong."""
    return phoneme.symbol[0] in VOWELS


def stressed_vowels(phrase: Sequence[Phoneme]) -> Iterator[tuple[Phoneme, int]]:
    """Yield each stressed vowel with its stress, which may be marked at a consonant before it."""
    stress = 0
    for phoneme in phrase:
        stress = phoneme.stress or stress
        if is_vowel(phoneme):
            if stress:
                yield phoneme, stress
            stress = 0


def by_length(vowels: Sequence[Phoneme]) -> list[Accent]:
    """Return accents on vowels that are full and longer than their neighbours."""
    if not vowels:
        return []
    lengths = np.array([vowel.end_s - vowel.start_s for vowel in vowels])
    share = np.array([REDUCED_SHARE if v.symbol[0] in REDUCED else 1.0 for v in vowels])
    strengths = np.clip(lengths / max(float(np.median(lengths)), 1e-3) * share / 1.6, 0.0, 1.0)
    return [
        Accent((vowel.start_s + vowel.end_s) / 2, float(strength))
        for vowel, strength in zip(vowels, strengths, strict=True)
    ]


def heard_accents(
    samples: NDArray[np.float32], rate_hz: int
) -> tuple[tuple[Accent, ...], tuple[float, ...]]:
    """Return accents and phrase ends of a sound: loud syllables, and silences after speech."""
    hop = round(HOP_S * rate_hz)
    blocks = samples[: len(samples) // hop * hop].reshape(-1, hop)
    if not len(blocks):
        return (), ()
    level = np.sqrt((blocks.astype(np.float64) ** 2).mean(axis=1))
    width = round(SMOOTH_S / HOP_S)
    level = np.convolve(level, np.ones(width) / width, "same")
    loud = float(np.percentile(level, 95))
    if loud <= 0:
        return (), ()
    peaks = np.flatnonzero((level[1:-1] >= level[:-2]) & (level[1:-1] > level[2:])) + 1
    accents = [
        Accent(float(peak) * HOP_S, float(min(1.0, level[peak] / loud)))
        for peak in peaks
        if level[peak] > loud / 2
    ]
    return tuple(accents), tuple(heard_ends(level > QUIET_SHARE * loud))


def heard_ends(is_loud: NDArray[np.bool_]) -> Iterator[float]:
    """Yield the ends of loud parts, in seconds, that a long silence or the end follows."""
    loud = np.flatnonzero(is_loud)
    for here, following in zip(loud, [*loud[1:], None], strict=True):
        if following is None or (following - here) * HOP_S > LONGEST_DIP_S:
            yield float(here + 1) * HOP_S
