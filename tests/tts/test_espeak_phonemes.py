"""Phonemes of a text from espeak-ng, clause by clause, from processes that may die."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from tts.espeak.isolated import IsolatedEspeak
from tts.espeak.results import EspeakError, PhonemeClause
from tts.voice import SentenceFailed


@pytest.fixture(scope="module")
def espeak() -> Iterator[IsolatedEspeak]:
    with closing(IsolatedEspeak()) as opened:
        yield opened


def test_clauses_have_ipa_and_their_own_punctuation(espeak: IsolatedEspeak) -> None:
    assert espeak.phonemize("Hello, my friend; how are you?", voice="en-us") == (
        PhonemeClause("həlˈoʊ", "Hello, "),
        PhonemeClause("maɪ fɹˈɛnd", "my friend; "),
        PhonemeClause("hˈaʊ ɑːɹ juː", "how are you?"),
    )


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("«Привет», сказал он. Да!", "ru"),
        ("你好，世界。再见！", "cmn"),
        ("Ça va — très bien… n’est-ce pas ?", "fr"),
        ("नमस्ते। कैसे हैं?", "hi"),
    ],
)
def test_the_sources_of_all_clauses_are_the_text(
    espeak: IsolatedEspeak, text: str, voice: str
) -> None:
    clauses = espeak.phonemize(text, voice=voice)
    assert "".join(clause.source for clause in clauses) == text
    assert len(clauses) >= 2
    assert all(clause.ipa for clause in clauses)


def test_phonemes_and_audio_may_be_asked_for_in_turn(espeak: IsolatedEspeak) -> None:
    before = espeak.synthesize("Hello there.", voice="gmw/en-US+Annie", rate_wpm=170)
    assert espeak.phonemize("Hallo du.", voice="de")[0].ipa == "hˈaloː duː"
    after = espeak.synthesize("Hello there.", voice="gmw/en-US+Annie", rate_wpm=170)
    assert [mark.symbol for mark in after.marks] == [mark.symbol for mark in before.marks]


@pytest.mark.parametrize("voice", ["en-gb", "EN-GB", "en-gb-x-rp", "pt-br", "zh", "gmw/en-US"])
def test_a_voice_may_be_named_by_a_tag(espeak: IsolatedEspeak, voice: str) -> None:
    assert espeak.phonemize("Hello.", voice=voice)[0].ipa


def test_an_unknown_voice_is_named(espeak: IsolatedEspeak) -> None:
    with pytest.raises(EspeakError, match="no voice 'xx-none'"):
        espeak.phonemize("Hello.", voice="xx-none")


@pytest.mark.slow
def test_a_text_that_crashes_espeak_ends_only_its_workers(espeak: IsolatedEspeak) -> None:
    for _ in range(2):
        try:
            espeak.phonemize("s'" * 70, voice="en-us")
        except SentenceFailed as error:
            assert "ended the speech worker" in str(error)
        assert espeak.phonemize("Hello.", voice="en-us")[0].ipa == "həlˈoʊ"


@pytest.mark.slow
def test_a_killed_worker_is_replaced(espeak: IsolatedEspeak) -> None:
    os.kill(espeak.pids()[0], signal.SIGKILL)
    assert espeak.phonemize("Hello.", voice="en-us")[0].ipa == "həlˈoʊ"
