"""The loop over the sentences of a text: failures name the place of their sentence."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tts.pending import PendingPieces
from tts.speech import Samples, Speech
from tts.spoken_text import SpokenText
from tts.text.sentences import Sentence, split_sentences
from tts.voice import SentenceFailed, UnspeakableSentence

TEXT = "All is well. This one is bad. And on."
RATE_HZ = 8000


def spoken(synthesize: Callable[[Sentence, Callable[[], bool]], Speech | None]) -> SpokenText:
    return SpokenText(TEXT, split_sentences(TEXT), synthesize, voice="test")


def fail_whole(sentence: Sentence, _: Callable[[], bool]) -> Speech:
    if "bad" in sentence.text:
        raise SentenceFailed("takes too long")
    return Speech(sentence.text, np.ones(100, np.float32), RATE_HZ, None)


def fail_in_the_middle(sentence: Sentence, _: Callable[[], bool]) -> Speech:
    def pieces() -> Iterator[Samples]:
        yield np.full(100, 2, np.float32)
        if "bad" in sentence.text:
            raise SentenceFailed("takes too long")
        yield np.full(50, 3, np.float32)

    first = np.ones(100, np.float32)
    return Speech(sentence.text, first, RATE_HZ, None, PendingPieces(pieces(), 150))


@pytest.mark.parametrize("synthesize", [fail_whole, fail_in_the_middle])
def test_a_sentence_that_fails_is_named_with_its_place(
    synthesize: Callable[[Sentence, Callable[[], bool]], Speech],
) -> None:
    sentences = spoken(synthesize)
    assert next(sentences).completed().text == "All is well."
    with pytest.raises(UnspeakableSentence, match="it takes too long") as caught:
        next(sentences).completed()
    message = str(caught.value)
    assert "sentence 2 of the text, which begins at character 14, 'This one is bad.'" in message
    assert caught.value.field == "text"
    assert caught.value.start == TEXT.index("This")


def test_pieces_arrive_one_by_one_and_are_counted_before() -> None:
    speech = next(spoken(fail_in_the_middle))
    assert speech.total_samples == 250
    assert speech.pending is not None
    pieces = iter(speech.pending)
    assert [len(next(pieces)), len(next(pieces))] == [100, 50]
    assert next(pieces, None) is None


def test_a_text_that_is_dropped_ends_its_synthesis() -> None:
    """Fails if the sound goes on to be made for a clip that was interrupted."""
    ended = list[str]()

    def synthesize(sentence: Sentence, _: Callable[[], bool]) -> Speech:
        def pieces() -> Iterator[Samples]:
            try:
                while True:
                    yield np.ones(100, np.float32)
            finally:
                ended.append(sentence.text)

        first = np.ones(100, np.float32)
        return Speech(sentence.text, first, RATE_HZ, None, PendingPieces(pieces(), 10**6))

    sentences = spoken(synthesize)
    speech = next(sentences)
    assert speech.pending is not None
    next(iter(speech.pending))
    assert not ended
    del sentences, speech
    assert ended == ["All is well."]
