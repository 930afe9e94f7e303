"""Times of words: those of the voice, matched with the words of the text."""

from collections.abc import Sequence

import numpy as np
import pytest

from tts.registry import VoiceRegistry
from tts.speech import Phoneme, Speech
from tts.text.sentences import Sentence
from tts.word_times import with_estimated_place, with_words

RATE_HZ = 16_000


def said(text: str, *words: str, pause_after: Sequence[int] = ()) -> Speech:
    """A speech whose voice says these groups of sounds, each sound for 0.1 s."""
    phonemes, time_s = [Phoneme("", 0.0, 0.1)], 0.1
    for index, word in enumerate(words):
        for number, sound in enumerate(word):
            phonemes.append(Phoneme(sound, time_s, time_s + 0.1, begins_word=number == 0))
            time_s += 0.1
        if index in pause_after:
            phonemes.append(Phoneme("", time_s, time_s + 0.2))
            time_s += 0.2
    phonemes.append(Phoneme("", time_s, time_s + 0.3))
    samples = np.zeros(round(phonemes[-1].end_s * RATE_HZ), np.float32)
    return Speech(text, samples, RATE_HZ, tuple(phonemes))


def times_of(speech: Speech, text: str) -> dict[str, tuple[float | None, float | None]]:
    sentence = Sentence(text, is_end=True, start=0, end=len(text))
    timed = with_words(speech, text, sentence, 0.3)
    return {
        text[word.start : word.end]: (
            None if word.start_s is None else round(word.start_s, 3),
            None if word.end_s is None else round(word.end_s, 3),
        )
        for word in timed.words
    }


def test_a_voice_that_divides_the_text_as_its_blanks_do_gives_the_times_of_its_words() -> None:
    text = "Good day, sir!"
    times = times_of(said(text, "gud", "deɪ", "sɜː", pause_after=[1]), text)
    assert times == {"Good": (0.1, 0.4), "day,": (0.4, 0.7), "sir!": (0.9, 1.2)}


def test_words_that_a_voice_joins_share_its_time_and_a_word_that_it_divides_has_all_of_it() -> None:
    text = "Some of the 84 cats sleep."
    speech = said(text, "sʌm", "əvðə", "eɪti", "fɔː", "kats", "sliːp")
    assert times_of(speech, text) == {
        "Some": (0.1, 0.4),
        "of": (0.4, 0.56),
        "the": (0.56, 0.8),
        "84": (0.8, 1.5),
        "cats": (1.5, 1.9),
        "sleep.": (1.9, 2.4),
    }


def test_a_mark_without_a_sound_has_no_time() -> None:
    text = "Yes — no."
    assert times_of(said(text, "jɛs", "noʊ"), text)["—"] == (None, None)


def test_without_phonemes_the_times_are_estimated_over_the_sound_and_said_to_be() -> None:
    text = "One longer word."
    speech = Speech(text, np.zeros(2 * RATE_HZ, np.float32), RATE_HZ, None)
    timed = with_estimated_place(speech, f"Before. {text}", 7)
    assert timed.has_estimated_words
    assert timed.place == (8, 8 + len(text))
    starts = [word.start_s for word in timed.words]
    assert starts == sorted(starts, key=lambda each: each or 0.0)
    lengths = [(word.end_s or 0.0) - (word.start_s or 0.0) for word in timed.words]
    assert lengths[1] > lengths[0] > 0
    assert timed.words[-1].end_s is not None and timed.words[-1].end_s < 2.0


@pytest.mark.parametrize(
    ("voice", "text"),
    [
        ("espeak:en-us", "Of the 1984 people, well-known U.S. men paid $5.20 at example.com — OK?"),
        ("espeak:de", "Ich habe 12 Äpfel für 3,50 € gekauft, z. B. gestern."),
        ("espeak:fr-fr", "L'eau est-elle là-bas ? J'ai 71 ans."),
        ("espeak:cmn", "你好世界，今天天气很好。我们走吧！"),
        ("espeak:ru", "Привет, как дела сегодня?"),
        ("espeak:th", "สวัสดีครับ ผมชื่อจอห์น"),
    ],
)
def test_the_words_of_any_language_follow_one_another_within_their_sentence(
    voices: VoiceRegistry, voice: str, text: str
) -> None:
    letters = ""
    for speech in voices.speak(text, voices.choose(voice=voice)):
        assert not speech.has_estimated_words
        time_s = 0.0
        for word in speech.words:
            letters += text[word.start : word.end]
            if word.start_s is not None and word.end_s is not None:
                assert time_s <= word.start_s + 1e-6 < word.end_s <= speech.duration_s
                time_s = word.end_s
        assert time_s > 0.6 * speech.duration_s
    assert letters == "".join(text.split())


@pytest.mark.parametrize(
    ("words", "groups"), [(1, 25), (1, 200), (2, 90), (3, 40), (60, 1), (90, 4)]
)
def test_a_text_and_a_voice_that_hardly_agree_still_have_times_in_order(
    words: int, groups: int
) -> None:
    """A number, a formula or a run of signs may be one word, and many words for the voice."""
    text = " ".join(f"w{number}" for number in range(words))
    times = [each for each in times_of(said(text, *["abc"] * groups), text).values() if each[0]]
    assert times and len(times) <= words
    assert all(start <= end for start, end in times if start is not None and end is not None)
    assert times == sorted(times, key=lambda each: each[0] or 0.0)
