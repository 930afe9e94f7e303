"""Every symbol of the network has a mouth, or gives its time to a neighbour."""

import json
from pathlib import Path

import pytest
from hibari.tts import ASSETS

from tts.heart.symbols import ALL_SYMBOLS, IPA, SymbolKind, kind_of
from tts.phonemes import clean_symbol
from warm.engines.viseme.ipa_targets import (
    ContactKind,
    target_shares,
    vowel_openness,
)
from warm.engines.viseme.shape import Shape

_LIKE_UNKNOWN = frozenset("kɡŋxɣɰ")
"""Velar sounds, whose mouth follows the neighbours as that of an unknown sound does."""
VOCABULARY: dict[str, int] = json.loads((Path(ASSETS) / "vocab.json").read_text("utf-8"))


def test_the_symbols_are_those_of_the_network() -> None:
    assert set(VOCABULARY) == ALL_SYMBOLS


@pytest.mark.parametrize("symbol", sorted(VOCABULARY))
def test_each_symbol_of_the_network_is_of_exactly_one_kind(symbol: str) -> None:
    assert (kind_of(symbol) is SymbolKind.SOUND) == (symbol in IPA)


@pytest.mark.parametrize("symbol", sorted(IPA))
def test_each_sound_is_clean_ipa_that_the_mouth_knows(symbol: str) -> None:
    assert clean_symbol(IPA[symbol]) == IPA[symbol]
    for letter in IPA[symbol].removesuffix("˞"):
        assert _is_known(letter), letter


def _is_known(letter: str) -> bool:
    """Return True unless the mouth treats a letter as one that it does not know."""
    mouth, unknown = (target_shares(each)[0].target for each in (letter, "☃"))
    return letter in _LIKE_UNKNOWN or mouth.shape.tolist() != unknown.shape.tolist()


@pytest.mark.parametrize(("symbol", "mouths"), [
    ("A", 2), ("I", 2), ("O", 2), ("W", 2), ("Y", 2), ("Q", 2), ("ʤ", 2), ("ʧ", 2), ("i", 1),
])  # fmt: skip
def test_capitals_are_diphthongs_and_ligatures_are_affricates(symbol: str, mouths: int) -> None:
    shares = target_shares(IPA[symbol])
    assert len(shares) == mouths
    assert sum(share.target.is_vowel for share in shares) == (0 if symbol in "ʤʧ" else mouths)


def test_lips_close_for_labial_stops_and_touch_the_teeth_for_f_and_v() -> None:
    contacts = {symbol: target_shares(ipa)[0].target.contact for symbol, ipa in IPA.items()}
    assert {s for s, contact in contacts.items() if contact is ContactKind.LIPS} == set("pbm")
    tucked = {s for s, contact in contacts.items() if contact is ContactKind.LIP_AND_TEETH}
    assert tucked == set("fv")


def test_a_mouth_opens_as_the_vowel_asks() -> None:
    assert vowel_openness(IPA["I"]) == 1.0
    assert vowel_openness(IPA["ᵻ"]) < vowel_openness(IPA["ᵊ"]) < vowel_openness(IPA["æ"])
    assert target_shares(IPA["ɚ"])[0].target.shape[Shape.ROUND] > 0


def test_a_symbol_of_another_alphabet_is_refused() -> None:
    with pytest.raises(ValueError, match="no symbol 'g'"):
        kind_of("g")
