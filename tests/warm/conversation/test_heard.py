"""The part of a reply that was heard keeps its markup, and ends with a word."""

import pytest

from warm.conversation.heard import heard_text, settled
from warm.conversation.spoken import SpokenSentence
from warm.conversation.turn import Turn
from warm.render.heard import SpokenSentenceRecord
from warm.render.jobs import SpokenWord


def spoken(reply: str, *words: str) -> Turn:
    """A turn whose words last a second each, and are found in the reply in order."""
    found, place = [], 0
    for number, word in enumerate(words):
        place = reply.index(word, place)
        found.append(
            SpokenWord(start=place, end=place + len(word), start_s=number, end_s=number + 1)
        )
        place += len(word)
    record = SpokenSentenceRecord(
        start=found[0].start,
        end=found[-1].end + 1,  # with the full stop
        start_s=0,
        end_s=len(words),
        words=tuple(found),
    )
    return Turn(
        id="turn_1",
        session_id="s",
        state="done",
        reply_text=reply,
        heard_text=reply,
        sentences=(SpokenSentence(text=" ".join(words), record=record),),
        frames=25 * len(words),
        fps=25,
    )


@pytest.mark.parametrize(
    ("reply", "words", "position_s", "heard"),
    [
        ("It is **very** good.", ["It", "is", "very", "good"], 3.0, "It is **very**"),
        ("See [the page](http://x.org/a), now.", ["See", "the", "page", "now"], 3.0,
         "See [the page](http://x.org/a),"),
        ("He said “no”, and left.", ["He", "said", "no", "and", "left"], 3.0, "He said “no”,"),
        ("Use `ls -l` here.", ["Use", "ls", "-l", "here"], 3.0, "Use `ls -l`"),
        ("One, two, three.", ["One", "two", "three"], 1.4, "One,"),
        ("One, two, three.", ["One", "two", "three"], 1.6, "One, two,"),
        ("One, two, three.", ["One", "two", "three"], 0.4, ""),
        ("你好，世界。", ["你好", "世界"], 1.0, "你好，"),
        ("# Title\n\nText here", ["Title", "Text", "here"], 1.0, "# Title"),
        ("A <b>bold</b> word", ["A", "bold", "word"], 1.0, "A"),
    ],
)  # fmt: skip
def test_the_heard_beginning_of_a_reply_keeps_the_marks_of_its_last_word(
    reply: str, words: list[str], position_s: float, heard: str
) -> None:
    assert heard_text(spoken(reply, *words), position_s) == heard


def test_a_settled_turn_is_whole_if_its_last_word_was_heard() -> None:
    turn = spoken("One, two.\n\n```\ncode\n```", "One", "two")
    assert settled(turn, 2.0).heard_text == turn.reply_text
    assert not settled(turn, 2.0).interrupted
    assert settled(turn, 1.7).heard_text == turn.reply_text  # most of the last word
    cut = settled(turn, 1.0)
    assert (cut.heard_text, cut.interrupted, cut.is_settled) == ("One,", True, True)
    assert settled(cut, 0.0).heard_text == ""
