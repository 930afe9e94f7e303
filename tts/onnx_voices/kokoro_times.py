"""Phonemes with times from the durations that Kokoro computes for its symbols.

Summed up, the durations are late, as measured against the sound by forced alignment: by 25 ms and
22 ms / speed, and at consonants by 15 ms more. Next to pauses the level of the sound decides.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.phonemes import CLOSURE_S, VOICED_STOPS, VOICELESS_STOPS, clean_symbol, stress_of
from tts.speech import Phoneme

UNIT_SAMPLES = 600
_LATE_S, _LATE_AT_SPEED_S, _CONSONANT_S = 0.025, 0.022, 0.015
_STEP_S = 0.005
_LOUD_PERCENTILE, _SILENT_DB = 95, 38.0
"""A step this much below the loud ones is silent."""
_REACH_S = 0.4
"""Farthest that the end or the start of the sound next to a pause is looked for."""
_SHORTEST_S = 0.01

_IPA = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "S": "ʃ", "T": "ɾ", "ᵊ": "ə",
    "ʤ": "dʒ", "ʧ": "tʃ", "ʣ": "dz", "ʦ": "ts", "ʥ": "dʑ", "ʨ": "tɕ", "ꭧ": "tʂ",
}  # fmt: skip
_PAUSES = frozenset(';:,.!?—…"()“”')
_STRESS = frozenset("ˈˌ")
_VOWELS = frozenset("aeiouyAIOQWYɑɐɒæɔəɚɛɜɨɪɤɯøœʊʌᵊᵻ")
_STOPS = VOICED_STOPS | VOICELESS_STOPS


@dataclass(slots=True)
class _Sound:
    symbol: str
    """Of Kokoro; "" for a pause."""
    start_s: float
    stress: int = 0
    begins_word: bool = False


def phonemes_of(
    symbols: str,
    durations: Sequence[float],
    samples: NDArray[np.float32],
    *,
    sample_rate_hz: int,
    speed: float,
) -> tuple[Phoneme, ...]:
    """Return the phonemes of (n,) samples, in order, without gaps.

    `durations`: in units of UNIT_SAMPLES, one for the silence before, one per symbol, one for the
    silence after.
    """
    total_s = len(samples) / sample_rate_hz
    bounds_s = np.cumsum([0.0, *durations]) * UNIT_SAMPLES / sample_rate_hz
    sounds = _sounds(symbols, bounds_s, speed)
    _move_to_sound(sounds, samples, sample_rate_hz)
    return tuple(_phonemes(sounds, total_s))


def _sounds(symbols: str, bounds_s: NDArray[np.float64], speed: float) -> list[_Sound]:
    """Return pauses and sounds with their starts, moved to where they are heard."""
    found = [_Sound("", 0.0)]
    start_s: float | None = None
    stress, begins_word = 0, True
    for index, symbol in enumerate(symbols):
        begin_s, end_s = float(bounds_s[index + 1]), float(bounds_s[index + 2])
        start_s = begin_s if start_s is None else start_s
        if symbol in _PAUSES:
            if found[-1].symbol:
                found.append(_Sound("", start_s))
            start_s, begins_word = None, True
        elif symbol == " ":
            begins_word = True
            start_s = (begin_s + end_s) / 2 if found[-1].symbol else None
        elif _is_letter(symbol):
            found.append(_Sound(symbol, _moved(start_s, symbol, speed), stress, begins_word))
            start_s, stress, begins_word = None, 0, False
        elif symbol in _STRESS:
            stress = stress_of(symbol)
        else:  # length and other marks belong to the sound before
            start_s = None
    return [*found, _Sound("", float(bounds_s[-2]))] if found[-1].symbol else found


def _moved(start_s: float, symbol: str, speed: float) -> float:
    late_s = _LATE_S + _LATE_AT_SPEED_S / speed
    if symbol not in _VOWELS:
        late_s += _CONSONANT_S / max(speed, 1.0)
    return max(0.0, start_s - late_s)


def _is_letter(symbol: str) -> bool:
    return unicodedata.category(symbol) in ("Ll", "Lu", "Lo")


def _move_to_sound(
    sounds: Sequence[_Sound], samples: NDArray[np.float32], sample_rate_hz: int
) -> None:
    """Set the limits of pauses to where the sound ends and begins; stops begin at a closure."""
    step = round(_STEP_S * sample_rate_hz)
    blocks = samples[: len(samples) // step * step].reshape(-1, step).astype(np.float64)
    level = 10 * np.log10((blocks**2).mean(axis=1) + 1e-12)
    if not len(level):
        return
    is_loud = level > np.percentile(level, _LOUD_PERCENTILE) - _SILENT_DB
    for before, pause, after in zip(sounds, sounds[1:], [*sounds[2:], None], strict=False):
        if pause.symbol == "":
            pause.start_s = _last_loud_s(is_loud, pause.start_s, before.start_s)
            if after is not None:
                _move_start(after, is_loud, pause.start_s)
    if sounds and not sounds[0].symbol and len(sounds) > 1:
        _move_start(sounds[1], is_loud, 0.0)


def _move_start(sound: _Sound, is_loud: NDArray[np.bool_], earliest_s: float) -> None:
    """Move the first sound after a pause to where the level rises."""
    first = round(max(earliest_s, sound.start_s - _REACH_S) / _STEP_S)
    found = np.flatnonzero(is_loud[first : round((sound.start_s + _REACH_S) / _STEP_S)])
    if len(found):
        closure_s = CLOSURE_S if sound.symbol[0] in _STOPS else 0.0
        sound.start_s = max(earliest_s, (first + int(found[0])) * _STEP_S - closure_s)


def _last_loud_s(is_loud: NDArray[np.bool_], start_s: float, earliest_s: float) -> float:
    """Return where the sound before a pause ends, looked for around `start_s`."""
    first = round(max(earliest_s, start_s - _REACH_S) / _STEP_S)
    last = round(start_s / _STEP_S)
    while last < len(is_loud) and is_loud[last] and last * _STEP_S < start_s + _REACH_S:
        last += 1
    found = np.flatnonzero(is_loud[first:last])
    return (first + int(found[-1]) + 1) * _STEP_S if len(found) else start_s


def _phonemes(sounds: Sequence[_Sound], total_s: float) -> Iterator[Phoneme]:
    """Yield phonemes in order; each lasts until the next one starts."""
    limits = [0.0]
    for sound in sounds[1:]:
        limits.append(min(max(sound.start_s, limits[-1] + _SHORTEST_S), total_s))
    for sound, start_s, end_s in zip(sounds, limits, [*limits[1:], total_s], strict=True):
        if end_s > start_s:
            symbol = clean_symbol(_IPA.get(sound.symbol, sound.symbol))
            yield Phoneme(symbol, start_s, end_s, sound.stress, sound.begins_word)
