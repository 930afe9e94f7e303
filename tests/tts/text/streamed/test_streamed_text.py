"""A text that arrives in pieces is cut into the units of the whole text."""

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.speech.cuts import (
    Reply,
    is_cut_right,
    random_pieces,
    read_replies,
    sentences_of,
    units_of,
)
from tts.text.markup import check_text
from tts.text.streamed.speakable_unit import SpeakableUnit
from tts.text.streamed.streamed_text import LONG_WEIGHT, StreamedText

REPLIES = read_replies()


def texts(reply: str, *, markup: str = "markdown") -> list[str]:
    """The texts of the units of a reply that arrives at once."""
    streamed = StreamedText(markup=markup)  # type: ignore[arg-type]
    return [unit.plain.text for unit in streamed.feed(reply) + streamed.end()]


def ready(*pieces: str) -> list[str]:
    """The texts of the units that are known before the end."""
    streamed = StreamedText()
    return [unit.plain.text for piece in pieces for unit in streamed.feed(piece)]


def described(units: list[SpeakableUnit]) -> list[tuple[str, int, int, bool]]:
    return [(unit.plain.text, unit.start, unit.end, unit.is_sentence_end) for unit in units]


def test_three_hundred_replies_are_known() -> None:
    assert len(REPLIES) >= 300
    assert len({reply.name for reply in REPLIES}) == len(REPLIES)


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.name)
def test_a_reply_is_cut_as_a_person_reads_it(reply: Reply) -> None:
    units = units_of(random_pieces(reply.text, random.Random(reply.name)))
    assert is_cut_right(reply, units), sentences_of(units)


def test_the_pieces_of_a_reply_make_no_difference() -> None:
    """Fails if a unit depends on where a token ended."""
    for reply in REPLIES[::3]:
        assert described(units_of(reply.text)) == described(units_of([reply.text])), reply.name


ONLY_IN_REPLIES = re.compile(
    r"\n\n {4}|thi?n?k|thought|reason|<\||tool_call|answer|THINK|[{\[]\n|\{\"|【"
)
"""Parts that are removed from replies only."""


def test_a_reply_has_the_words_of_the_whole_text() -> None:
    for reply in REPLIES:
        if not ONLY_IN_REPLIES.search(reply.text):
            spoken = "".join(unit.plain.text for unit in units_of([reply.text]))
            whole = check_text(reply.text, max_chars=10_000, markup="markdown").text
            assert "".join(spoken.split()) == "".join(whole.split()), reply.name


def test_units_are_parts_of_what_is_shown_in_order() -> None:
    for reply in REPLIES[::3]:
        end = 0
        for unit in units_of(random_pieces(reply.text, random.Random(reply.name))):
            assert end <= unit.start < unit.end <= len(reply.text)
            assert all(unit.start <= place < unit.end for place in unit.plain.origins)
            shown, end = reply.text[unit.start : unit.end], unit.end
            words = {character for character in unit.plain.text if character.isalnum()}
            assert words <= set(shown) or "\\" in shown or "&" in shown


MARKS = (
    *("**", "*", "`", "```\n", "- ", "1. ", "<b>", "&lt;", "](u)", "\n\n", "\n", "> ", "# "),
    *("|---|", "| a | b |\n", "<think>", "</think>", "<!--", "-->", "$", "$$", "\\(", "\\)"),
    *("[1]", '{"a": 1'),
)
WORDS = (
    *(" Hello", " world", ". ", "! ", "。", "字", ", ", "，", " Dr.", " 3.5", " 5.", "…", "“", "”"),
    *("é", "x", "Y", "\r\n"),
)
PIECES = st.sampled_from([*MARKS, *WORDS, *WORDS])


@settings(max_examples=120, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join), st.randoms(use_true_random=False))
def test_the_pieces_of_any_text_make_no_difference(text: str, source: random.Random) -> None:
    units = units_of([text])
    assert described(units_of(random_pieces(text, source))) == described(units)
    assert all(0 <= unit.start <= unit.end <= len(text) for unit in units)


@pytest.mark.parametrize(
    ("pieces", "known"),
    [
        (["Hello there.", " How"], ["Hello there."]),
        (["Hello there."], []),
        (["# A title\n"], ["A title."]),
        (["- One thing.\n"], ["One thing."]),
        (["- apples\n", "-", " p"], ["apples."]),
        (["A paragraph\n", "\n"], ["A paragraph"]),
        (["Look:\n```"], []),
        (["Look:\n```py\n"], ["Look:"]),
        (["| a | b |\n"], ["a, b."]),
        (["你好。今"], ["你好。"]),
        (["It is 3", ".", "1"], []),
        (["See [the docs. Now](https://a.b/", "c. d"], []),
        (["A **bold. Claim"], ["A bold."]),
        (["A *soft. Claim"], []),
        (["A *soft. Claim", "* here"], ["A soft."]),
    ],
)
def test_a_unit_comes_as_soon_as_nothing_can_change_it(pieces: list[str], known: list[str]) -> None:
    assert ready(*pieces) == known


def test_the_first_unit_may_be_a_clause() -> None:
    streamed = StreamedText()
    units = streamed.feed("If you ask me about it, you should take the ")
    assert [(unit.plain.text, unit.is_sentence_end) for unit in units] == [
        ("If you ask me about it,", False)
    ]
    rest = streamed.feed("train. And if you ask her about it, she would say the same thing. ")
    assert [unit.plain.text for unit in rest + streamed.end()] == [
        "you should take the train.",
        "And if you ask her about it, she would say the same thing.",
    ]


def test_a_long_clause_without_a_mark_is_spoken_before_the_next_one_is_known() -> None:
    text = "The town had a small harbour for fishing boats but nobody ever went there in winter. X"
    assert ready(*text) == [
        "The town had a small harbour for fishing boats",
        "but nobody ever went there in winter.",
    ]
    assert len(ready(*"It is known for its art and culture and food and music. Next")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Well, yes, of course it is good. Next",
        "You need apples, pears, figs, grapes and plums. Next",
        "It happened on the day of May 5, 2024. Next",
        "He said (and I quote him here, as I must) nothing. Next",
        'She asked, "Could you help me now, my friend?" and left. Next',
        "This one is really good, too. Next",
        "It costs about 1,000,000 dollars. Next",
    ],
)
def test_a_clause_is_not_cut_off_where_it_would_sound_wrong(text: str) -> None:
    assert len(ready(*text)) == 1


def test_a_sentence_without_end_is_spoken_in_parts() -> None:
    units = ready(*(["word "] * 400))
    assert len(units) >= 9
    assert all(40 < len(unit) <= LONG_WEIGHT for unit in units)


def test_marks_that_are_never_closed_hold_back_little() -> None:
    text = "She said *this. " + "And then she said that. " * 40
    assert len(ready(*text)) > 20


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("<think>a\n\n```\nb</think>c", ["c"]),
        ("Say `<think>` and go on.", ["Say <think> and go on."]),
        ('He typed "<think>" twice.', ['He typed "<think>" twice.']),
        ("a <b and c> d", ["a <b and c> d"]),
        ("I am <thin", ["I am <thin"]),
        ("</think>Yes.", ["Yes."]),
        ("<THINKING a='b'>x</Thinking >Yes.", ["Yes."]),
    ],
)
def test_reasoning_is_not_spoken_but_a_mention_of_its_tags_is(text: str, spoken: list[str]) -> None:
    assert texts(text) == spoken
    streamed = StreamedText()
    units = [unit for character in text for unit in streamed.feed(character)]
    assert [unit.plain.text for unit in units + streamed.end()] == spoken


@pytest.mark.parametrize("code", ["```py\nx = 1\n```", '{"a": "b. c"}', "    x = 1.\n    y = 2."])
def test_a_reply_of_nothing_but_code_is_announced_in_its_language(code: str) -> None:
    text = f"<think>Hm.</think>\n\n{code}"
    for language, words in (("de-AT", "Ich habe es hier aufgeschrieben."), ("xx", None)):
        streamed = StreamedText(language=language)
        units = streamed.feed(text) + streamed.end()
        assert [unit.plain.text for unit in units] == ([words] if words else [])
        assert all(text[unit.start : unit.end].strip() for unit in units)


def test_indented_text_is_code_outside_of_lists_only() -> None:
    assert texts("Run:\n\n    a. b.\n    c.\n\nDone.") == ["Run:", "Done."]
    assert texts("1. Run it.\n\n    Then wait.\n\nDone.") == ["1. Run it.", "Then wait.", "Done."]


def test_plain_text_keeps_its_marks() -> None:
    assert texts("# **A** `b`. [C](d)", markup="plain") == ["# **A** `b`.", "[C](d)"]


GARBAGE = (
    *("a", " ", "\n", "*a ", "_a. ", "`", "[", "<", "<think>", "|a", "。", "字", "1. ", "a. B. "),
    *("$x ", "\u200b", "\ud800", "\x00", "\u202e", "```\n", "{", '{"', "e\u0301", "- a\n", "> "),
    *("Dr. ", "\\(", "\U0001f600", "# "),
)


@pytest.mark.parametrize("piece", GARBAGE, ids=ascii)
def test_endless_garbage_takes_linear_time_and_little_memory(piece: str) -> None:
    """Fails if a text is read again from its beginning: that takes minutes."""
    began_s = time.process_time()
    streamed, longest = StreamedText(), 0
    for _ in range(3000 // len(piece)):
        streamed.feed(piece)
        longest = max(longest, len(streamed._block.text) + len(streamed._silent._held))
    streamed.end()
    assert longest <= 2100
    assert time.process_time() - began_s < 20
