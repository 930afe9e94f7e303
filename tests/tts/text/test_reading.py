"""Pieces of a long sentence know their neighbours."""

from tts.text.plain_text import PlainText
from tts.text.reading import spoken_sentences
from tts.text.sentences import Sentence

CLAUSES = (
    "when the boats had come back to the harbour in the early hours of the morning,",
    "the women of the village carried the baskets with the fish to the old market hall,",
    "and before anybody in the houses on the hill was awake, everything had been sold.",
)


def pieces(text: str) -> list[Sentence]:
    return list(spoken_sentences(PlainText.of(text), "en-US", lambda _voice: "en-US"))


def test_each_piece_of_a_sentence_has_the_text_before_and_after_it() -> None:
    found = pieces(" ".join(CLAUSES))
    assert len(found) > 1
    texts = [piece.text for piece in found]
    assert [piece.before for piece in found] == ["", *texts[:-1]]
    assert [piece.after for piece in found] == [*texts[1:], ""]


def test_sentences_have_no_neighbours() -> None:
    found = pieces("One sentence. Another one!")
    assert [(piece.before, piece.after) for piece in found] == [("", ""), ("", "")]


def test_words_of_another_language_are_no_neighbours() -> None:
    found = pieces("They wrote привет on the wall.")
    assert len(found) == 3
    assert [(piece.before, piece.after) for piece in found] == [("", "")] * 3
