"""The measurement of times notices times that are wrong."""

from dataclasses import replace

import numpy as np
import pytest

from bench.speech.arpabet import phrases_of
from bench.speech.voice_times import AlignedPhoneme, lag_s, pause_errors_s
from tts.speech import Phoneme, Speech

RATE_HZ = 24_000
SYMBOLS = ("", "m", "ɑ", "b", "i", "s", "a", "", "ɔ", "z", "u", "")
LENGTHS_S = (0.2, 0.08, 0.2, 0.1, 0.15, 0.12, 0.22, 0.3, 0.2, 0.1, 0.15, 0.3)
LEVELS = (0.0, 0.05, 0.3, 0.02, 0.1, 0.06, 0.35, 0.0, 0.25, 0.04, 0.08, 0.0)


def speech(late_s: float = 0.0) -> Speech:
    """Noise as loud as each sound; all times are late by the same amount."""
    noise = np.random.default_rng(1)
    sound = [
        level * noise.standard_normal(round(length_s * RATE_HZ))
        for length_s, level in zip(LENGTHS_S, LEVELS, strict=True)
    ]
    limits_s = np.cumsum([0, *LENGTHS_S])
    limits_s[1:-1] += late_s
    phonemes = tuple(
        Phoneme(symbol, float(start_s), float(end_s))
        for symbol, start_s, end_s in zip(SYMBOLS, limits_s, limits_s[1:], strict=False)
    )
    return Speech("", np.concatenate(sound).astype(np.float32), RATE_HZ, phonemes)


@pytest.mark.parametrize("late_s", [-0.04, -0.01, 0.0, 0.01, 0.04])
def test_the_lag_is_how_much_earlier_the_times_should_be(late_s: float) -> None:
    assert lag_s([speech(late_s)]) - lag_s([speech()]) == pytest.approx(-late_s, abs=0.003)


@pytest.mark.parametrize("late_s", [-0.05, 0.0, 0.05])
def test_limits_of_pauses_are_compared_with_the_silence_in_the_sound(late_s: float) -> None:
    errors = list(pause_errors_s(speech(late_s)))
    assert len(errors) == 4
    assert errors == pytest.approx([late_s] * 4, abs=0.006)


def test_a_contact_counts_where_the_lips_are_shut_only() -> None:
    phoneme = Phoneme("p", 1.0, 1.16)  # closed until 1.05, then breath
    found = AlignedPhoneme(phoneme, 1.0, 1.1)
    assert found.contact_is_inside
    assert not replace(found, found_start_s=1.05).contact_is_inside
    assert not replace(found, phoneme=Phoneme("b", 1.0, 1.3)).contact_is_inside


def test_ipa_becomes_phones_between_pauses() -> None:
    phrases = list(phrases_of(["", "b", "ɜ", "ɹ", "d", "", "aɪ", "tʃ", ""]))
    assert [[phone.name for phone in phrase] for phrase in phrases] == [
        ["B", "ER", "D"],
        ["AY", "CH"],
    ]
    assert [phone.index for phone in phrases[0]] == [1, 2, 4]
    with pytest.raises(ValueError, match="stands for 'y'"):
        list(phrases_of(["y"]))
