"""The messages that a model reads: what was heard, in blocks that keep the beginning the same."""

from itertools import pairwise

from warm.conversation.history import first_kept, last_words, messages_of, tokens_of
from warm.conversation.turn import Turn


def turn(number: int, user: str, reply: str, **facts: object) -> Turn:
    whole = {"reply_text": reply, "heard_text": reply, "state": "done", **facts}
    return Turn(id=f"turn_{number}", session_id="s", number=number, user_text=user, **whole)  # type: ignore[arg-type]


def texts(turns: list[Turn], user: str = "Now?", max_tokens: int = 1000) -> list[tuple[str, str]]:
    messages = messages_of("You are Ada.", turns, user, max_tokens=max_tokens)
    assert (messages[0].role, messages[0].content) == ("system", "You are Ada.")
    return [(each.role, each.content) for each in messages[1:]]


def test_roles_alternate_whatever_became_of_the_turns() -> None:
    turns = [
        turn(0, "", "Hello, I am Ada."),
        turn(1, "One.", "First."),
        turn(2, "Two.", "", reply_text="Never.", state="cancelled", interrupted=True),
        turn(3, "Three.", "Cut", reply_text="Cut off.", state="cancelled", interrupted=True),
        turn(4, "Four.", "", state="error"),
        turn(5, "Five.", "It is", state="error"),
    ]
    assert texts(turns) == [
        ("user", "(Greet me.)"),
        ("assistant", "Hello, I am Ada."),
        ("user", "One."),
        ("assistant", "First."),
        ("user", "Two.\n\n(You were interrupted before you said anything.)\n\nThree."),
        ("assistant", "Cut"),
        ("user", "(You were interrupted after “Cut”; the rest was not heard.)\n\nFive."),
        ("assistant", "It is"),
        ("user", "(Your answer broke off after “It is”.)\n\nNow?"),
    ]


def test_forgotten_and_unfinished_turns_are_no_part_of_the_conversation() -> None:
    turns = [
        turn(0, "One.", "First.", is_forgotten=True),
        turn(1, "Two.", "Second.", state="render"),
    ]
    assert texts(turns) == [("user", "Now?")]


def test_the_beginning_of_the_messages_changes_only_when_a_block_of_turns_is_left_out() -> None:
    turns = [turn(number, f"Question {number}?", "An answer. " * 3) for number in range(60)]
    firsts = [first_kept(turns[:count], 300) for count in range(61)]
    assert firsts == sorted(firsts)
    changes = sum(before != after for before, after in pairwise(firsts))
    assert 0 < changes < 12
    cost = tokens_of("Question 10?") + tokens_of("An answer. " * 3)
    assert all((count - first) * cost <= 300 for count, first in enumerate(firsts))


def test_a_single_turn_that_is_too_long_is_left_out() -> None:
    assert texts([turn(0, "x" * 10_000, "y")], max_tokens=100) == [("user", "Now?")]


def test_characters_of_other_scripts_count_more_than_latin_letters() -> None:
    assert tokens_of("日本語です") > tokens_of("Japan")
    assert tokens_of("") == 0


def test_the_last_words_of_a_long_text_are_quoted() -> None:
    shown = last_words("word " * 100)
    assert shown.startswith("… word")
    assert len(shown) < 65
