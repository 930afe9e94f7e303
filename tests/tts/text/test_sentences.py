"""Splitting of text, removal of unspeakable characters, refusals, and minimum duration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.registry import VoiceRegistry
from tts.text.sentences import MAX_WEIGHT, Sentence, min_duration_s, speakable_text, split_sentences
from tts.voice import BadSpeechRequest


def split(text: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello world", ["Hello world"]),
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        ("hello there. how are you", ["hello there.", "how are you"]),
        ("Wait... what?! No.", ["Wait...", "what?!", "No."]),
        ("“Stop!” He ran. (Fast.) Gone.", ["“Stop!”", "He ran.", "(Fast.)", "Gone."]),
    ],
)
def test_text_is_split_after_each_sentence(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith met Mrs. Jones on Main St. near the bridge.",
        "J. R. R. Tolkien wrote it.",
        "It costs $3.50, or 1.234,5 in some places.",
        "See fig. 3 and p. 12, e.g. the map.",
        "We met at 5 p.m. on a Friday.",
        "Er kam am 3. Mai, z.B. mit Prof. Müller.",
        "1. First of all, go to www.example.com/a.b?c=d now.",
        '"Really?" she said.',
        "Version 1.2.3 is out",
    ],
)
def test_abbreviations_numbers_and_addresses_do_not_end_a_sentence(text: str) -> None:
    assert split(text) == [text]


def test_an_abbreviation_before_a_capital_may_end_a_sentence() -> None:
    assert split("We left at 5 p.m. Then it rained.") == ["We left at 5 p.m.", "Then it rained."]
    assert split("So do I. You too.") == ["So do I.", "You too."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好。今天天气很好！我们去公园吧？", ["你好。", "今天天气很好！", "我们去公园吧？"]),
        ("नमस्ते। आप कैसे हैं?", ["नमस्ते।", "आप कैसे हैं?"]),
        ("كيف حالك؟ أنا بخير.", ["كيف حالك؟", "أنا بخير."]),
        ("¿Qué tal? ¡Muy bien! Adiós.", ["¿Qué tal?", "¡Muy bien!", "Adiós."]),
    ],
)
def test_sentences_of_other_scripts_end_with_their_own_marks(
    text: str, expected: list[str]
) -> None:
    assert split(text) == expected


def test_paragraphs_and_list_items_are_sentences_and_wrapped_lines_are_not() -> None:
    text = "A heading\n\nA line\nthat goes on.\n- one\n- two\n2) three"
    assert split(text) == ["A heading", "A line that goes on.", "- one", "- two", "2) three"]


def test_a_long_sentence_is_split_at_clauses_and_only_the_last_piece_is_its_end() -> None:
    clause = "the quick brown fox jumps over the lazy dog in the yard"
    pieces = list(split_sentences(f"{clause}, {clause}, {clause}, {clause}."))
    assert all(piece.text.endswith(",") for piece in pieces[:-1])
    assert [piece.is_end for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_a_long_text_without_punctuation_is_split_between_words() -> None:
    pieces = split("word " * 300)
    assert max(map(len, pieces)) <= MAX_WEIGHT
    assert " ".join(pieces).split() == ["word"] * 300


def test_a_long_text_without_spaces_is_split_sooner_if_its_characters_are_syllables() -> None:
    assert max(map(len, split("你好" * 300))) == MAX_WEIGHT // 4
    assert max(map(len, split("a" * 1000))) <= MAX_WEIGHT


def test_the_first_sentence_of_a_long_text_is_available_before_the_rest_is_read() -> None:
    text = "Hello. " + "word " * 100_000
    assert next(split_sentences(text)) == Sentence("Hello.", is_end=True, start=0)


@given(st.text(alphabet="ab .,!?\n你。1\"'", max_size=400))
def test_no_letter_is_lost_or_repeated(text: str) -> None:
    kept = "".join(piece.text for piece in split_sentences(text))
    assert [s for s in kept if s.isalnum()] == [s for s in text if s.isalnum()]


@pytest.mark.parametrize("text", ["", "   \n\t", "😀👍🏽🇩🇪", "…?!", "\x00\x01", "\ud800", "❤️"])
def test_text_without_a_letter_or_digit_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(BadSpeechRequest, match="at least one letter or digit") as caught:
        speakable_text(text)
    assert caught.value.field == "text"


@pytest.mark.parametrize("text", [None, 5, b"bytes", ["list"]])
def test_a_value_other_than_a_string_is_refused_with_its_type(text: object) -> None:
    with pytest.raises(BadSpeechRequest, match=type(text).__name__):
        speakable_text(text)


def test_a_refusal_quotes_only_the_beginning_of_the_text() -> None:
    with pytest.raises(BadSpeechRequest) as caught:
        speakable_text("!" * 1_000_000)
    assert len(str(caught.value)) < 300


def test_controls_emoji_and_lone_surrogates_are_removed_and_words_kept() -> None:
    assert split(speakable_text("Hi 😀 the\x00re,\x07 you\ud83d!")) == ["Hi the re, you !"]


def test_markup_is_kept_as_text() -> None:
    assert speakable_text("<speak>a < b & c</speak>") == "<speak>a < b & c</speak>"


def test_joiners_inside_words_are_kept() -> None:
    assert speakable_text("می\u200cخواهم") == "می\u200cخواهم"


MULTILINGUAL = {
    "en-us": "Strengths, lengths, eight straight thoughts: through thorough drought, though rough.",
    "fr-fr": "Les oiseaux chantaient, ils parlaient de beaux chevaux et d'eaux profondes.",
    "hyw": "a" * 60,
    "cy": "aaaa " * 20 + "abcdefghijklm" * 20,
    "cmn": "早上好，謝謝您的來電。",
    "de": "Im Jahr 1987 kosteten 12345 Stück 99,95 DM.",
}


@pytest.mark.parametrize("language", MULTILINGUAL)
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_no_voice_speaks_a_text_faster_than_the_minimum_duration(
    voices: VoiceRegistry, language: str, speed: float
) -> None:
    text = MULTILINGUAL[language]
    choice = voices.choose(voice=None, language=language, speed=speed)
    spoken_s = sum(speech.duration_s for speech in voices.speak(text, choice))
    assert 0 < min_duration_s(text, speed) <= spoken_s


def test_punctuation_has_no_minimum_duration() -> None:
    assert min_duration_s(" … -- !!! ", 1.0) == 0
