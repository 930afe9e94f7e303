"""Pieces of a long sentence know their neighbours."""

from dataclasses import replace

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


def test_a_text_that_goes_on_in_another_one_is_joined_to_it_like_the_pieces_of_a_sentence() -> None:
    first = replace(PlainText.of("It rained. When it stopped"), goes_on=True)
    second = replace(PlainText.of("we left. That was all."), before="When it stopped")

    def read(plain: PlainText) -> list[Sentence]:
        return list(spoken_sentences(plain, "en-US", lambda _voice: "en-US"))

    assert [(each.text, each.is_end, each.pause_s) for each in read(first)] == [
        ("It rained.", True, None),
        ("When it stopped", False, None),
    ]
    assert [(each.text, each.before) for each in read(second)] == [
        ("we left.", "When it stopped"),
        ("That was all.", ""),
    ]


def test_every_character_that_is_spoken_has_its_place_in_the_text() -> None:
    text = "Dr. Who paid $5 at noon, and left."
    plain = PlainText.of(text)
    (sentence,) = spoken_sentences(plain, "en-US", lambda _voice: "en-US")
    assert len(sentence.origins) == len(sentence.text)
    assert list(sentence.origins) == sorted(sentence.origins)
    assert text[sentence.start : sentence.end] == text
    assert text[sentence.origins[sentence.text.index("dollars")]] in "$5"
