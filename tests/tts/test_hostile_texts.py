"""Texts that crashed espeak-ng, and others of their kinds, are spoken or refused."""

import unicodedata
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from random import Random

import numpy as np
import pytest

from bench.hostile_texts import GENERATORS, MAX_CHARS, hostile_texts
from tts.catalogue import espeak_voices
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.markup import check_text
from tts.text.sentences import MAX_WEIGHT, split_sentences
from tts.voice import BadSpeechRequest, UnspeakableSentence

SAMPLE = 3 * len(GENERATORS)


@pytest.fixture(scope="module")
def own() -> Iterator[VoiceRegistry]:
    """Voices whose processes may die."""
    with closing(espeak_voices()) as voices:
        yield voices


def speak(voices: VoiceRegistry, text: str, **choice: object) -> list[Speech]:
    return list(voices.speak(text, voices.choose(**choice)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("fa", "a Hamrah-E-Aval a"),
        ("sk", "15200"),
        ("cs", "123456789012345"),
        ("ka", ",,,, 🚺🚺😍😎😎😎 გამარჯობა"),
        ("ru", "Привет, как дела? Всё хорошо!"),
        ("en", "null"),
        ("en", '"quoted" <b>text</b> & more \u202eodd\u202c'),
        ("en", "before \ud800 after"),
    ],
)
def test_texts_that_crashed_espeak_once_are_spoken(
    voices: VoiceRegistry, language: str, text: str
) -> None:
    """They are from reports about espeak-ng: #2489, #1302, #534, #1073."""
    for speed in (1.0, 2.0):
        assert all(each.duration_s > 0.2 for each in speak(voices, text, language=language))
        assert speak(voices, text, language=language, speed=speed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_hostile_texts_of_every_kind_are_spoken_or_refused(own: VoiceRegistry, seed: int) -> None:
    """`python -m bench hostile` sends more, in all languages, to a real server."""
    rng = Random(seed)
    ids = [info.id for info in own.infos()]
    for text in islice(hostile_texts(seed), SAMPLE):
        try:
            for speech in speak(own, text, voice=rng.choice(ids), speed=rng.choice([0.5, 1, 2])):
                assert np.isfinite(speech.samples).all()
        except BadSpeechRequest as refusal:
            assert refusal.field == "text"
    assert speak(own, "hello")


def test_hostile_texts_are_the_same_in_every_run() -> None:
    texts = list(islice(hostile_texts(8), 300))
    assert texts == list(islice(hostile_texts(8), 300))
    assert len(set(texts)) > 270
    assert all(0 < len(text) <= MAX_CHARS for text in texts)


@pytest.mark.parametrize("letter", ["a", "क्ष", "漢", "e\u0301"])
def test_a_word_without_an_end_is_spoken_in_bounded_pieces(letter: str) -> None:
    word = (letter * 5000)[:5000]
    pieces = list(split_sentences(check_text(word, max_chars=5000).text))
    assert "".join(piece.text for piece in pieces) == word
    assert max(len(piece.text) for piece in pieces) <= MAX_WEIGHT
    assert not any(unicodedata.category(piece.text[0])[0] == "M" for piece in pieces)


def test_an_error_moves_with_its_sentence() -> None:
    error = UnspeakableSentence(
        voice="v", number=2, start=5, sentence="x" * 50, reason="fails", remedy="Rephrase it."
    )
    moved = error.moved_to(99)
    assert str(error).replace("character 6", "character 100") == str(moved)
    assert (moved.field, moved.start) == ("text", 99)
