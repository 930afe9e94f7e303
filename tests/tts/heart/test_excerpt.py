"""A part of a sentence keeps the melody that it has in the whole."""

import numpy as np
import pytest

from tts.heart.excerpt import CONTEXT_SYMBOLS, excerpt, first_words, last_words
from tts.heart.network import UNIT_FRAMES, HeartNetwork

BEFORE, PART, AFTER = (
    "wˌi wˈɔkt əlˈɔŋ ðə ɹˈɪvəɹ, ",
    "ðə sˈʌn wʌz slˈOli sˈɛtɪŋ, ",
    "ænd nˈObˌʌdi sˈɛd ɐ wˈɜɹd.",
)
SENTENCE = BEFORE + PART + AFTER
FIRST, LAST = len(BEFORE), len(BEFORE + PART)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_an_excerpt_is_cut_out_of_the_sentence_in_its_silences(
    network: HeartNetwork, speed: float
) -> None:
    whole = network.prosody(SENTENCE, speed)
    part = excerpt(whole, FIRST, LAST)
    assert part is not None
    assert part.symbols == PART
    assert len(part.durations) == len(PART) + 2
    assert (part.durations >= 0).all()
    assert part.durations.sum() * UNIT_FRAMES == part.frames == part.features.shape[2]
    begin = int(np.flatnonzero(whole.energy == part.energy[0])[0])
    assert (whole.features[:, :, begin : begin + part.frames] == part.features).all()
    inner = whole.durations[FIRST + 1 : LAST - 1]
    assert (part.durations[1:-3] == inner).all()
    loud = np.percentile(whole.energy, 95)
    assert max(part.energy[0], part.energy[-1]) < loud - 5


@pytest.mark.parametrize(("first", "last"), [(0, FIRST), (LAST, len(SENTENCE))])
def test_an_excerpt_at_an_end_keeps_the_silence_of_the_sentence(
    network: HeartNetwork, first: int, last: int
) -> None:
    whole = network.prosody(SENTENCE)
    part = excerpt(whole, first, last)
    assert part is not None
    side = 0 if first == 0 else -1
    assert part.durations[side] == whole.durations[side]


def test_the_whole_sentence_is_an_excerpt_of_itself(network: HeartNetwork) -> None:
    whole = network.prosody(SENTENCE)
    part = excerpt(whole, 0, len(SENTENCE))
    assert part is not None
    assert (part.features == whole.features).all()
    assert (part.durations == whole.durations).all()


def test_there_is_no_excerpt_where_the_voice_does_not_pause(network: HeartNetwork) -> None:
    whole = network.prosody("wˌi wˈɔkt əlˈɔŋ ðə ɹˈɪvəɹ ænd sˈɔ ðə sˈʌn.")
    assert excerpt(whole, 0, 14) is None
    assert excerpt(whole, 14, len(whole.symbols)) is None


def test_context_is_made_of_whole_words() -> None:
    words = " ".join(["wˈɜɹd"] * 20)
    assert last_words(words) == first_words(words) == " ".join(["wˈɜɹd"] * 6)
    assert last_words("wˈɜɹd.") == first_words("wˈɜɹd.") == "wˈɜɹd."
    assert last_words("") == first_words("") == ""
    assert last_words("a" * 100) == first_words("a" * 100) == ""
    assert last_words("one two", 0) == first_words("one two", 0) == ""
    assert len(last_words("two " * 100)) <= CONTEXT_SYMBOLS
