"""Texts that nobody wrote for a voice are spoken or refused: no crash, no endless wait."""

import sys
import time
import unicodedata
from itertools import islice

import numpy as np
import pytest

from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.markup import Markup, check_text
from tts.text.reading import spoken_sentences
from tts.text.sentences import MAX_WEIGHT, Sentence
from tts.voice import BadSpeechRequest

BLOCK = 128
NO_STOP = ("word and another one " * 500)[:10_000]


def sentences(text: str, language: str = "en", markup: Markup = "auto") -> list[Sentence]:
    plain = check_text(text, max_chars=20_000, markup=markup)
    return list(spoken_sentences(plain, language, lambda _voice: "de"))


def speak(voices: VoiceRegistry, text: str, language: str = "en") -> list[Speech]:
    plain = check_text(text, max_chars=20_000, markup="auto")
    return list(voices.read(plain, voices.choose(language=language)))


def characters_of_all_blocks() -> list[str]:
    """The first character with a name of each `BLOCK` code points."""
    found: list[str] = []
    for start in range(0, sys.maxunicode + 1, BLOCK):
        block = map(chr, range(start, start + BLOCK))
        found += islice((each for each in block if unicodedata.name(each, "")), 1)
    return found


@pytest.mark.parametrize(
    "text",
    ["", " \n\t ", "…?!—", "😀👍🏽🇩🇪", "\x00\x01\x07", "\ud800\udfff", "\u200b\u202e\ufeff",
     "\u0301" * 5000,
     "====", "(((", "`` ` ``", "<speak></speak>", "<!-- a -->", "\u3164\u115f", "™®©"],
)  # fmt: skip
def test_a_text_without_words_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadSpeechRequest) as caught:
        sentences(text)
    assert caught.value.field == "text"


@pytest.mark.parametrize(
    "text", [":D", "xD <3", ":smile:", "www.", "---a---", "_", "x_", "A", "0", "½", "é", "ª"]
)
@pytest.mark.parametrize("language", ["en", "ru", "zh"])
def test_very_short_texts_are_spoken_or_refused(
    voices: VoiceRegistry, text: str, language: str
) -> None:
    try:
        speeches = speak(voices, text, language)
    except BadSpeechRequest as refusal:
        assert refusal.field == "text"
    else:
        assert all(np.abs(speech.samples).max() > 0.01 for speech in speeches)


def test_the_characters_of_every_block_are_read_alone_and_together() -> None:
    characters = characters_of_all_blocks()
    assert len(characters) > 800
    for character in characters:
        for text in (character, f"a{character}b 1{character}2 {character}."):
            try:
                found = sentences(text, "en", "plain")
            except BadSpeechRequest:
                continue
            assert all(each.text.strip() for each in found)


@pytest.mark.slow
def test_the_characters_of_every_block_are_spoken_or_left_out(voices: VoiceRegistry) -> None:
    characters = characters_of_all_blocks()
    for start in range(0, len(characters), 60):
        text = "Well " + " ".join(characters[start : start + 60])
        for speech in speak(voices, text):
            assert np.isfinite(speech.samples).all()
    assert speak(voices, "Hello.")


@pytest.mark.parametrize(
    "text",
    [
        NO_STOP,
        NO_STOP.replace(" ", ""),
        "漢" * 10_000,
        "1" * 10_000,
        "a\u0301" * 5000,
        "a" + "\u0301" * 9999,
        "abc\u202e " * 2000,
        "a1" * 5000,
        "a-" * 5000,
        "http://" + "a/" * 4990,
        "привет hello " * 700,
        "\"'" * 5000 + "a",
        "Aa" * 5000,
    ],
    ids=lambda text: text[:8],
)
def test_ten_thousand_characters_without_a_stop_are_read_in_bounded_pieces(text: str) -> None:
    began_s = time.process_time()
    found = sentences(text)
    assert time.process_time() - began_s < 15
    assert found
    assert max(len(each.text) for each in found) <= MAX_WEIGHT
    assert [each.start for each in found] == sorted(each.start for each in found)


def test_the_first_piece_of_a_long_text_is_spoken_without_the_rest(voices: VoiceRegistry) -> None:
    plain = check_text(NO_STOP, max_chars=20_000, markup="auto")
    first, second = islice(voices.read(plain, voices.choose(language="en")), 2)
    assert 1 < first.duration_s < 20
    assert NO_STOP.startswith(f"{first.text} {second.text}")


def test_words_of_mixed_directions_are_all_spoken(voices: VoiceRegistry) -> None:
    text = "The word \u2067שלום\u2069 and \u202bمرحبا\u202c are greetings."
    voices_used = [speech.voice for speech in speak(voices, text)]
    assert voices_used == [None, "espeak:he", None, "espeak:ar", None]


@pytest.mark.parametrize("text", ["null", "None", "undefined", "NaN", "true", "{}: null"])
def test_words_of_programs_are_words(voices: VoiceRegistry, text: str) -> None:
    (speech,) = speak(voices, text)
    assert speech.duration_s > 0.4
