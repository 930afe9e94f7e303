"""Markdown and HTML are spoken as a person would read them; ordinary text is kept."""

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.text.markdown import read_markdown
from tts.text.markup import check_text
from tts.text.sentences import split_sentences
from tts.voice import BadSpeechRequest

FENCE = "```"


def spoken(text: str) -> str:
    """The words that are spoken, on one line."""
    return " ".join(read_markdown(text).text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**highlighted text**", "highlighted text"),
        ("*one*, _two_, __three__, ***four***, ~~five~~", "one, two, three, four, five"),
        ("**bold with *both* kinds**", "bold with both kinds"),
        ("*soft with **both** kinds*", "soft with both kinds"),
        ("**Note:**This is bold.", "Note:This is bold."),
        ("An answer **that was cut", "An answer that was cut"),
        ("中文**强调**中文", "中文强调中文"),
        ("==marked==", "marked"),
        ("Call `a_b(*c)` first", "Call a_b(*c) first"),
        ("``a ` b``", "a ` b"),
        (r"\*not bold\* and snake\_case", "*not bold* and snake_case"),
    ],
)
def test_marks_of_emphasis_and_code_are_not_spoken(text: str, expected: str) -> None:
    assert spoken(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See [the docs](https://a.b/c?d=e#f) now.", "See the docs now."),
        ('See [the docs](/c "Title (1)").', "See the docs."),
        ("[a (b)](https://en.wikipedia.org/wiki/A_(b)), too", "a (b), too"),
        ("**[bold link](x.md)**", "bold link"),
        ("![A cat](cat.png) sits.", "A cat sits."),
        ("[![Build](b.svg)](https://c.d) passes", "Build passes"),
        ("[text][id] and [id].\n\n[id]: https://a.b 'Title'", "text and id."),
        ("So it is[^1].\n\n[^1]: At least here.", "So it is. At least here."),
        ("Write to <me@x.org> or <https://x.org>", "Write to me@x.org or https://x.org"),
    ],
)
def test_links_are_spoken_as_their_text(text: str, expected: str) -> None:
    assert spoken(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Section 1\nText", "Section 1. Text"),
        ("# Why? #\nText", "Why? Text"),
        ("Title\n=====\nText", "Title. Text"),
        ("Title\n-----\nText", "Title. Text"),
        ("One\n\n---\n\n* * *\n\nTwo", "One Two"),
        ("> quoted\n> > twice\n", "quoted twice"),
        ("- apples\n- **pears**\n  of all kinds\n- plums!", "apples. pears of all kinds. plums!"),
        ("* a\n  * b\n    + c", "a. b. c."),
        ("1. Wash\n2. Dry", "1. Wash. 2. Dry."),
        ("- [ ] to do\n- [x] done", "to do. done."),
        ("你需要：\n- 苹果\n- 梨", "你需要： 苹果。 梨。"),
        (
            "| Name | Age |\n|:---|---:|\n| Bob | 3 |\n| Eve | |\n\nEnd",
            "Name, Age. Bob, 3. Eve. End",
        ),
        ("a | b\n--- | ---\n1 | 2", "a, b. 1, 2."),
        (f"Look:\n{FENCE}python\nprint('# no')\n{FENCE}\nThat is all.", "Look: That is all."),
        (f"Before\n~~~\n{FENCE}\n~~~\nafter\n{FENCE}\nopen", "Before after"),
        ("Step 1:\n- do\nStep 2:\n- done", "Step 1: do. Step 2: done."),
        ("> [!NOTE]\n> Be careful.", "NOTE. Be careful."),
        (f"- {FENCE}\n  code\n  {FENCE}\n- b", "b."),
        ("# A\r\n- b\r\n- c\r\n", "A. b. c."),
    ],
)
def test_blocks_are_spoken_as_sentences(text: str, expected: str) -> None:
    assert spoken(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>Hi</b>,<br/>you &amp; me", "Hi, you & me"),
        ('<p class="x">One</p><p>Two</p>', "One Two"),
        ('<a href="https://x.org">here</a> <img src="c.png" alt="a cat">', "here a cat"),
        ("<!-- a\n\n- b -->c<script>d()</script>", "c"),
        ("<tr><td>Bob</td><td>3</td></tr>", "Bob, 3,"),
        ('<speak>One <break time="1s"/>two</speak>', "One two"),
        ("1 &lt; 2 &#38; 3 &gt; 2", "1 < 2 & 3 > 2"),
        ("&lt;b&gt; and &#42;text&#42;", "<b> and *text*"),
    ],
)
def test_tags_and_entities_are_not_spoken(text: str, expected: str) -> None:
    assert spoken(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So $x^2$ is it", "So x^2 is it"),
        ("$$\\frac{a+1}{2} \\leq \\sqrt{b}$$", "(a+1) ÷ 2 ≤ √b"),
        (r"\(\alpha \times x_{1}\)", "α × x 1"),
        (r"\[ \sum_{i=1}^{n} i \]", "sum i=1 ^n i"),
        (r"$f(x) = \sin\left(x\right) \cdot \text{rate}$", "f(x) = sin (x) × rate"),
        ("`$x^2$` and $ 5 $", "$x^2$ and $ 5 $"),
        ("$x_1 * y_2$", "x 1 × y 2"),
    ],
)
def test_formulas_are_spoken_without_their_marks(text: str, expected: str) -> None:
    assert spoken(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "3 * 4 * 5 = 60",
        "3*4*5, x**2 + y**2, 2**3**4",
        "snake_case_name and _private",
        "a < b, 5 > 3, if a<b and c>d",
        "I <3 you",
        "#1, #hashtag and C#",
        "Write to first_last_name@example.org",
        "List<int>, vector<std::string>",
        "f[i](x) and [1] and [sic]",
        "a | b, |x| < 3",
        "-5 degrees, +3, - or not",
        "> 5 is more",
        "Tom & Jerry, AT&T, a&b;",
        "~5 minutes, ~/.bashrc",
        "5 == 5 != 6",
        "Delete *.py and **/*.txt",
        "https://example.org/a_b_c?d=_e_ and https://example.org/_x",
        "it`s John`s",
        "f(x) = x^2, -> => <= && ||, --flag",
        "It costs $5 and $10, or $5-$10; US$ and A$",
        "Price 5 €* (*with tax)",
        "C:\\Users\\me",
        "1999. That was the year.",
        "On 3. Mai war es schön\nund warm.",
        "Dialogue:\n– Hello.\n– Bye.",
        "What?! --- Well... - yes",
    ],
)
def test_ordinary_text_is_kept(text: str) -> None:
    assert read_markdown(text).text == text


def test_every_character_keeps_its_place_in_the_text_that_was_sent() -> None:
    text = "  # Title\n\n**Bold** [link](u) `code_`&amp;\n- item\n"
    plain = check_text(text, max_chars=1000, markup="markdown")
    for word in ("Title", "Bold", "link", "code_", "item"):
        index = plain.text.index(word)
        assert [plain.origins[index + step] for step in range(len(word))] == list(
            range(text.index(word), text.index(word) + len(word))
        )
    assert plain.origins[plain.text.index("&")] == text.index("&")


def test_the_place_of_a_sentence_counts_the_characters_before_the_first_word() -> None:
    plain = check_text("\N{GRINNING FACE}  One. Two.", max_chars=100)
    second = list(split_sentences(plain.text))[1]
    assert plain.origins[second.start] == 8


def test_list_items_are_separate_sentences() -> None:
    plain = check_text("You need:\n- apples\n- pears", max_chars=100, markup="markdown")
    assert [each.text for each in split_sentences(plain.text)] == ["You need: apples.", "pears."]


@pytest.mark.parametrize("text", [f"{FENCE}\ncode\n{FENCE}", "<!-- a -->", "[](https://x.org)"])
def test_a_text_with_nothing_but_markup_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(BadSpeechRequest, match='`markup`: "plain"') as caught:
        check_text(text, max_chars=100, markup="markdown")
    assert caught.value.field == "text"
    assert check_text(text, max_chars=100).text


MARKS = ("**", "```", "~~~", "- ", "1. ", "<b>", "</p>", "&lt;", "[^1]", "](", "![", "\n\n", "> ")
MARKS += ("# ", "|---|", "<!--", "-->", "\r\n", "[a]: b\n")
PIECES = st.sampled_from([*"*_`~#[]()<>|&\\!-+=.:\n \t\"'/a1é字", *MARKS])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=60).map("".join))
def test_any_text_is_read_without_error_and_without_losing_its_place(text: str) -> None:
    plain = read_markdown(text)
    assert len(plain.text) == len(plain.origins)
    assert all(0 <= origin < len(text) for origin in plain.origins)
    assert list(plain.origins) == sorted(plain.origins)
    assert sum(map(plain.text.count, string.ascii_letters)) <= 2 * len(text)


@pytest.mark.parametrize(
    "piece", ["*a", "_*", "`", "[", "[a](", "[^", "<a ", "<!--", "|a\n", "=\n"]
)
def test_long_runs_of_marks_take_linear_time(piece: str) -> None:
    """Fails if a pattern tries every end for every beginning: that takes minutes."""
    began_s = time.process_time()
    read_markdown(piece * (40_000 // len(piece)))
    assert time.process_time() - began_s < 20
