"""From espeak's phonemes to the numbers of a voice, and from its durations to times."""

import json
from itertools import pairwise

import numpy as np
import pytest

from tests.tts.onnx_voices.tiny_voice import CONFIG
from tts.espeak.results import PhonemeClause
from tts.onnx_voices.piper_config import PiperConfig
from tts.onnx_voices.piper_symbols import espeak_characters, text_characters, to_symbols
from tts.onnx_voices.piper_times import phonemes_of


def config(**changes: object) -> PiperConfig:
    return PiperConfig.parse(json.dumps({**CONFIG, **changes}).encode(), name="x")


def characters(*clauses: tuple[str, str]) -> str:
    return espeak_characters([PhonemeClause(ipa, source) for ipa, source in clauses])


@pytest.mark.parametrize(
    ("source", "mark"),
    [
        ("Hello, ", ", "),
        ("my friend; ", "; "),
        ("yes: ", ": "),
        ("fine! ", "!"),
        ("how are you? ", "?"),
        ("really?! ", "?"),
        ("(Really.) ", "."),
        ('He said "stop!" ', "!"),
        ("Smith — ", "; "),
        ("Stop –– ", "; "),
        ("I think,” ", ", "),
        ("Mr.. . .", "."),
        ("no... ", ""),
        ("yes… ", ""),
        ("你好，", ""),
        ("no terminator", ""),
        ("[e] {d}", ""),
        ("co-op", ""),
    ],
)
def test_the_punctuation_of_a_clause_is_kept_as_piper_keeps_it(source: str, mark: str) -> None:
    assert characters(("nˈoʊ", source)) == f"nˈoʊ{mark}"


def test_clauses_are_joined_without_language_switches_and_decomposed() -> None:
    clauses = characters(("(hi)hˈeː(en-us)", "हे, "), ("", " ... "), ("bɔ̃", "bon."))
    assert clauses == "hˈeː, bɔ̃."
    assert len(clauses) == len("hˈeː, bɔ") + 2


def test_every_symbol_is_followed_by_a_pad_except_the_last() -> None:
    symbols = to_symbols("hə.", config())
    ids = {symbol: numbers[0] for symbol, numbers in config().phoneme_ids.items()}
    assert symbols.ids == tuple(ids[each] for each in "^_h_ə_._$")
    assert symbols.symbols == ("^", "h", "ə", ".", "$")


def test_unknown_symbols_are_omitted() -> None:
    assert to_symbols("hɣəǂ", config()).symbols == ("^", "h", "ə", "$")
    assert not to_symbols("ɣǂ, .", config()).has_sound
    assert to_symbols("h", config()).has_sound


def test_clusters_of_vowels_are_one_symbol() -> None:
    clustered = config(
        vowel_clusters=[["a", "ɪ"]],
        phoneme_id_map={"_": [0], "^": [1], "$": [2], "a": [3], "ɪ": [4], "aɪ": [5, 6]},
    )
    symbols = to_symbols("aɪa", clustered)
    assert symbols.symbols == ("^", "aɪ", "a", "$")
    assert symbols.ids == (1, 0, 5, 6, 0, 3, 0, 2)
    assert to_symbols("aɪa", config()).symbols == ("^", "a", "ɪ", "a", "$")


def test_a_voice_that_reads_letters_gets_those_it_knows() -> None:
    letters = {"_": [0], "^": [1], "$": [2], "п": [3], "р": [4], "І": [5]}
    voice = config(phoneme_type="text", phoneme_id_map=letters)
    assert text_characters("ПрІ", voice) == "прІ"


# Durations of ^ _ p _ ˈ _ i _ ː _ , _   _ m _ o _ . _ $ in frames.
TEXT = "pˈiː, mo."
DURATIONS = np.array([2, 1, 3, 1, 1, 1, 4, 1, 2, 3, 2, 4, 3, 2, 5, 1, 6, 2, 1, 2, 4], np.float32)


def test_pauses_marks_and_pads_are_shared_out() -> None:
    phonemes = phonemes_of(to_symbols(TEXT, config()), DURATIONS, unit_s=1.0)
    assert [(each.symbol, each.start_s, each.end_s) for each in phonemes] == [
        ("", 0, 2),
        ("p", 2, 6),  # with the pad before it
        ("i", 6, 19),  # from its stress mark to its length mark and the pad before the pause
        ("", 19, 28),  # the comma and the space after it
        ("m", 28, 35),
        ("o", 35, 44),
        ("", 44, 51),
    ]


def test_a_space_between_words_is_divided() -> None:
    symbols = to_symbols("a b", config())
    durations = np.array([1, 1, 4, 1, 2, 1, 3, 1, 1], np.float32)
    phonemes = phonemes_of(symbols, durations, unit_s=0.5)
    assert [(each.symbol, each.start_s) for each in phonemes] == [
        ("", 0),
        ("a", 0.5),
        ("b", 3.75),  # the space lasts from 3 to 4.5
        ("", 7.0),
    ]


@pytest.mark.parametrize(
    "text", ["ː, ˈ", "ˈˈaˈ", "  a  b  ", "a", ".", "", "a , b", "ˈ", "aːːː", ", , ,"]
)
def test_phonemes_have_no_gaps_whatever_the_symbols(text: str) -> None:
    symbols = to_symbols(text, config())
    durations = np.arange(1, len(symbols.ids) + 1, dtype=np.float32)
    phonemes = phonemes_of(symbols, durations, unit_s=0.01)
    assert phonemes[0].start_s == 0
    assert phonemes[-1].end_s == pytest.approx(float(durations.sum()) * 0.01)
    assert all(before.end_s == after.start_s for before, after in pairwise(phonemes))
    assert all(phoneme.end_s > phoneme.start_s for phoneme in phonemes)
