"""SSML: pauses, speeds, languages, kinds of numbers; broken and hostile documents are refused."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.text.markup import check_text, read_markup
from tts.text.plain_text import PlainText
from tts.text.reading import spoken_sentences
from tts.text.sentences import Sentence
from tts.text.ssml import read_ssml
from tts.voice import BadSpeechRequest


def read(plain: PlainText, language: str = "en") -> list[Sentence]:
    return list(spoken_sentences(plain, language, lambda _voice: "de"))


def spoken(ssml: str, language: str = "en") -> list[str]:
    return [sentence.text for sentence in read(read_ssml(ssml), language)]


def say_as(kind: str, text: str, language: str = "en") -> str:
    name, _, detail = kind.partition(":")
    ssml = f'<say-as interpret-as="{name}" format="{detail}">{text}</say-as>'
    return " ".join(spoken(f"<speak>{ssml}</speak>", language))


def test_paragraphs_and_sentences_are_separate_sentences() -> None:
    ssml = "<speak>\n  <p>One\n two</p>\n  <p><s>Three</s><s>four.</s></p> Five</speak>"
    assert spoken(ssml) == ["One two", "Three", "four.", "Five"]


def test_breaks_are_pauses_of_their_length() -> None:
    ssml = (
        '<speak>One <break time="1.5s"/>two.<break time="300ms"/> Three<break strength="none"/>'
        "four.</speak>"
    )
    found = read(read_ssml(ssml))
    assert [(each.text, each.pause_s, each.is_end) for each in found] == [
        ("One", 1.5, False),
        ("two.", 0.3, True),
        ("Three", 0.0, False),
        ("four.", None, True),
    ]


def test_a_break_before_the_first_word_is_kept() -> None:
    (only,) = read(read_ssml('<speak><break time="2s"/>Hello.</speak>'))
    assert (only.text, only.pause_before_s) == ("Hello.", 2.0)


def test_a_very_long_break_is_shortened_and_reported() -> None:
    plain = read_ssml('<speak>a<break time="3600s"/>b</speak>')
    assert plain.pauses[0].duration_s == 10
    assert plain.remarks == ("a break is at most 10 s long",)


@pytest.mark.parametrize(
    ("rate", "factor"),
    [("slow", 0.75), ("x-fast", 1.6), ("80%", 0.8), ("+20%", 1.2), ("-10%", 0.9), ("1.5", 1.5)],
)
def test_the_rate_of_prosody_is_a_factor_of_the_speed(rate: str, factor: float) -> None:
    (only,) = read(read_ssml(f'<speak><prosody rate="{rate}">Hi.</prosody></speak>'))
    assert only.rate == pytest.approx(factor)


def test_rates_multiply() -> None:
    ssml = '<speak><prosody rate="50%">a <prosody rate="150%">b</prosody></prosody></speak>'
    assert [each.rate for each in read(read_ssml(ssml))] == [0.5, 0.75]


def test_languages_and_voices_are_those_of_the_innermost_element() -> None:
    ssml = (
        '<speak xml:lang="en">One. <lang xml:lang="fr-FR">Deux.</lang> '
        '<voice name="espeak:de+male">Drei. <lang xml:lang="it">Quattro.</lang></voice> Five.'
        "</speak>"
    )
    assert [(each.language, each.voice) for each in read(read_ssml(ssml))] == [
        ("en", None),
        ("fr-FR", None),
        (None, "espeak:de+male"),
        ("it", "espeak:de+male"),
        ("en", None),
    ]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("characters", "AbC-1", "eigh b C dash 1"),
        ("spell-out", "x@y", "x at y"),
        ("digits", "1024", "1 0 2 4"),
        ("telephone", "+1 555-0100", "plus 1, 5 5 5, 0 1 0 0"),
        ("telephone", "555-0100 ext. 12", "5 5 5, 0 1 0 0, extension 1 2"),
        ("ordinal", "22", "22nd"),
        ("ordinal", "113", "113th"),
        ("cardinal", "1234", "1234"),
        ("cardinal", "1,234,567,890,123", "1234567890123"),
        ("date:mdy", "12/10/2026", "December 10, 2026"),
        ("date:dmy", "12/10/2026", "October 12, 2026"),
        ("date:md", "12/10", "December 10"),
        ("date:my", "12/2026", "December 2026"),
        ("date", "20261129", "November 29, 2026"),
        ("date", "2026-11-29", "November 29, 2026"),
        ("time", "9:00pm", "9 p.m."),
        ("time", "2'30\"", "2 minutes 30 seconds"),
        ("fraction", "3/8", "3 eighths"),
        ("fraction", "1+1/2", "1 and 1 half"),
        ("unit", "5km", "5 kilometers"),
        ("currency", "$3.50", "3 dollars and 50 cents"),
        ("telephone", "", ""),
        ("date:mdy", "soon", "soon"),
        ("date:dmy", "99/99/9999", "99 slash 99/9999"),
    ],
)
def test_kinds_of_say_as(kind: str, text: str, expected: str) -> None:
    if kind == "date:dmy" and text.startswith("99"):
        assert say_as(kind, text)
    else:
        assert say_as(kind, text) == expected


def test_say_as_uses_the_words_of_the_language() -> None:
    assert say_as("date:dmy", "29.11.2026", "de") == "neunundzwanzigsten November 2026"
    assert say_as("unit", "5 km", "ru") == "5 километров"
    assert say_as("ordinal", "3", "de") == "3."


def test_an_alias_is_spoken_and_the_text_is_shown() -> None:
    ssml = (
        '<speak>The <sub alias="World Wide Web Consortium">W&amp;C</sub> says <sub alias="x"/> hi.'
        "</speak>"
    )
    (only,) = read(read_ssml(ssml))
    assert only.text == "The World Wide Web Consortium says x hi."
    assert only.shown == "The W&C says x hi."


def test_elements_without_an_effect_are_reported_and_their_text_is_spoken() -> None:
    ssml = (
        '<speak xmlns:mstts="urn:x">a <mstts:express-as style="sad">b</mstts:express-as> '
        '<amazon:effect name="whispered">c</amazon:effect> <emphasis>d</emphasis> <blink>e</blink> '
        '<prosody pitch="high" volume="loud">f</prosody> '
        '<phoneme alphabet="arpa" ph="X">g</phoneme> '
        '<audio src="file:///etc/passwd">h</audio> <say-as interpret-as="magic">i</say-as>'
        '<mark name="m"/><bookmark mark="n"/><desc>no</desc><metadata>no</metadata></speak>'
    )
    plain = read_ssml(ssml)
    assert plain.text.split() == [*"abcdefghi"]
    for part in ("mstts:express-as", "amazon:effect", "emphasis", "blink", "pitch", "volume",
                 "phoneme", "audio", "magic"):  # fmt: skip
        assert any(part in remark for remark in plain.remarks), part


def test_a_part_of_a_document_needs_no_root() -> None:
    assert spoken('Hello <break time="1s"/> you &amp; me') == ["Hello", "you and me"]


@pytest.mark.parametrize(
    ("ssml", "message"),
    [
        ("<speak>\n<p>a</s></speak>", "not well-formed: mismatched tag, at line 2, column 7"),
        ("<speak>a", "not well-formed: no element found, at line 1, column 9"),
        ("a < b", "line 1, column 4"),
        ("<speak>&nbsp;</speak>", "undefined entity, at line 1, column 8"),
        ('<!DOCTYPE s [<!ENTITY a "b">]><speak>&a;</speak>', "declares a document type, at line 1"),
        ('<!DOCTYPE s SYSTEM "file:///etc/passwd"><speak/>', "declares a document type"),
        ('<speak>a<break time="soon"/></speak>', "break of time 'soon', at line 1, column 9"),
        ('<speak>a<break strength="huge"/></speak>', "break of strength 'huge'"),
        ('<speak><prosody rate="warp">a</prosody></speak>', "prosody rate of 'warp'"),
        ('<speak><prosody rate="-100%">a</prosody></speak>', "prosody rate of '-100%'"),
        ('<speak xml:lang="../x">a</speak>', "xml:lang='../x'"),
        ("<speak>a\x00b</speak>", "not well-formed"),
        ("x</speak><speak>y", "not well-formed"),
        ("\n\n <?xml version='1.0'?><speak>a<b></speak>", "at line 3, column 36"),
        ("<!---->" * 100 + "<speak>", "at line 1, column 708"),
    ],
)
def test_broken_documents_are_refused_with_the_place(ssml: str, message: str) -> None:
    with pytest.raises(BadSpeechRequest, match='Send `markup`: "plain"') as caught:
        read_ssml(ssml)
    assert message in str(caught.value)
    assert caught.value.field == "text"


def test_a_bomb_of_entities_is_refused_at_once() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    began_s = time.process_time()
    with pytest.raises(BadSpeechRequest, match="document type"):
        read_ssml(f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><speak>&e11;</speak>')
    assert time.process_time() - began_s < 1


@pytest.mark.parametrize(
    "piece",
    ["<p>", '<prosody rate="fast">a', "<s>a</s>", '<break time="1s"/>', "a<sub alias='b'>c</sub> "],
)
def test_documents_of_many_elements_take_linear_time(piece: str) -> None:
    closing = {"<p>": "</p>", '<prosody rate="fast">a': "</prosody>"}.get(piece, "")
    count = 10_000 // len(piece)
    began_s = time.process_time()
    read(read_ssml(f"<speak>{piece * count}word{closing * count}</speak>"))
    assert time.process_time() - began_s < 10


def test_every_character_keeps_its_place_in_the_document() -> None:
    ssml = (
        '<?xml version="1.0"?>\n<speak>\n <p>Größe &amp; <sub alias="x">Wörter</sub> 😀 Ende.</p>'
        "</speak>"
    )
    plain = check_text(ssml, max_chars=1000, markup="ssml")
    for word in ("Größe", "Wörter", "Ende"):
        index = plain.text.index(word)
        assert [plain.origins[index + step] for step in range(len(word))] == list(
            range(ssml.index(word), ssml.index(word) + len(word))
        )
    assert plain.origins[plain.text.index("&")] == ssml.index("&amp;")


def test_auto_reads_ssml_only_if_the_text_begins_with_speak() -> None:
    assert read_markup("  <speak>a<break/></speak>", "auto").pauses
    assert not read_markup("Say <speak>a<break/></speak> **b**", "auto").pauses
    assert (
        read_markup("**b** <i>", "plain").text
        == read_markup("**b** <i>", "none").text
        == "**b** <i>"
    )
    assert read_markup("**b**", "markdown").text == "b"


def test_a_document_without_words_is_refused() -> None:
    with pytest.raises(BadSpeechRequest, match="at least one letter or digit"):
        check_text("<speak><break/> … </speak>", max_chars=100, markup="ssml")


PIECES = [
    "<speak>",
    "</speak>",
    "<p>",
    "</p>",
    "<break/>",
    "a",
    " ",
    "&amp;",
    "é",
    "😀",
    "\ud800",
    "<sub alias='b'>",
]
PIECES += [
    "</sub>",
    "<say-as interpret-as='date'>",
    "</say-as>",
    "1/2/3",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "\n",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_document_is_read_or_refused(ssml: str) -> None:
    try:
        plain = read_ssml(ssml)
    except BadSpeechRequest:
        return
    assert len(plain.text) == len(plain.origins)
    assert all(0 <= origin < len(ssml) for origin in plain.origins)
    for sentence in read(plain):
        assert 0 <= sentence.start < len(plain.text)
