"""Pairs of the same phonemes in two pronunciations."""

from bench.speech.phoneme_pairs import phoneme_pairs
from tts.speech import Phoneme


def phonemes(symbols: str) -> list[Phoneme]:
    return [
        Phoneme("" if symbol == "_" else symbol, float(index), index + 1.0)
        for index, symbol in enumerate(symbols.split())
    ]


def paired(first: str, second: str) -> list[str]:
    one, other = phonemes(first), phonemes(second)
    return [f"{one[i].symbol}{other[j].symbol}" for i, j in phoneme_pairs(one, other)]


def test_equal_pronunciations_are_paired_without_their_pauses() -> None:
    assert paired("_ p ɑ ɹ k _", "_ p ɑ ɹ k _") == ["pp", "ɑɑ", "ɹɹ", "kk"]


def test_left_out_and_joined_sounds_leave_the_others_paired() -> None:
    assert paired("_ æ n d m æ p _", "_ ə n m æ p _") == ["æə", "nn", "mm", "ææ", "pp"]
    assert paired("k ɑ ɹ b aɪ", "k ɑɹ b aɪ") == ["kk", "ɑɑɹ", "bb", "aɪaɪ"]


def test_different_sounds_are_not_paired() -> None:
    assert paired("p ɑ s", "m ɑ l") == ["ɑɑ"]
