"""Phonemes from handwritten espeak marks."""

import pytest

from tts.espeak.marks import phonemes_of
from tts.espeak.results import PhonemeMark
from tts.phonemes import CLOSURE_S, clean_symbol
from tts.speech import Phoneme

RATE = 1000


def in_ms(*marks: tuple[int, str], samples: int = 1000) -> list[tuple[str, int, int]]:
    """Return (symbol, start, end) in milliseconds."""
    phonemes = phonemes_of(
        [PhonemeMark(*mark) for mark in marks], samples=samples, sample_rate_hz=RATE
    )
    return [(p.symbol, round(p.start_s * RATE), round(p.end_s * RATE)) for p in phonemes]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("ˈiː", "i"), ("ˌɔːɹ", "ɔɹ"), ("t͡ʃ", "tʃ"), ("ɚ", "ə˞"), ("g", "ɡ"), ("ᵻ", "ɨ"),
        ("ɑ̃", "ɑ̃"), ("kʰ", "kʰ"), ("ɑu5", "ɑu"), ("tS", "tʃ"), ("ʦ", "ts"), ("a˥˩", "a"),
    ],
)  # fmt: skip
def test_symbols_keep_only_letters_and_diacritics(raw: str, clean: str) -> None:
    assert clean_symbol(raw) == clean


def test_phonemes_and_pauses_cover_all_samples() -> None:
    assert in_ms((100, "m"), (200, "a"), (300, "")) == [
        ("", 0, 100),
        ("m", 100, 200),
        ("a", 200, 300),
        ("", 300, 1000),
    ]


def test_a_voiceless_stop_starts_at_its_closure_and_not_at_its_burst() -> None:
    closure = round(CLOSURE_S * RATE)
    assert in_ms((0, "ˈæ"), (400, "p"), (430, "ə"))[1] == ("p", 400 - closure, 430)


def test_a_closure_takes_at_most_half_of_a_short_sound_before_it() -> None:
    assert in_ms((0, "s"), (60, "t"), (90, "a"))[1] == ("t", 30, 90)


def test_a_closure_may_take_all_of_a_pause() -> None:
    assert in_ms((0, ""), (20, "p"), (60, "a"))[0] == ("p", 0, 60)


def test_a_voiced_stop_that_includes_its_murmur_is_not_moved() -> None:
    assert in_ms((0, "a"), (400, "b"), (480, "i"))[1] == ("b", 400, 480)


def test_a_late_voiced_stop_is_moved_back_by_the_rest_of_its_closure() -> None:
    assert in_ms((0, "z"), (400, "b"), (420, "ɹ"))[1] == ("b", 370, 420)


def test_language_switches_and_lone_diacritics_are_not_phonemes() -> None:
    marks = (0, "(en)"), (0, "h"), (100, "ʲ"), (150, "ˈ"), (200, "a"), (300, "(de)")
    assert in_ms(*marks) == [("h", 0, 200), ("a", 200, 1000)]


def test_consecutive_pauses_are_merged() -> None:
    assert in_ms((0, "a"), (100, ""), (250, ""), (400, "")) == [
        ("a", 0, 100),
        ("", 100, 1000),
    ]


def test_audio_without_marks_is_one_pause() -> None:
    assert phonemes_of([], samples=500, sample_rate_hz=RATE) == (Phoneme("", 0.0, 0.5),)
