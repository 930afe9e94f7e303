"""The rest of an interrupted sentence is replaced by a closing."""

import numpy as np
import pytest

from session.film import FilmSpec
from tests.tiny_face import HEIGHT, WIDTH, LoudnessEngine
from tts.registry import VoiceRegistry
from tts.speech import Phoneme, Speech
from warm.render.interruption import CLOSING_S, FADE_S, closing_utterance, fade_out, phonemes_until
from warm.render.spoken_sentence import SpokenSentence
from warm.render.utterances import SentenceUtterance

SPEC = FilmSpec(width=WIDTH, height=HEIGHT, fps=25)
CLOSING_FRAMES = round(CLOSING_S * SPEC.fps)


@pytest.fixture
def speech(voices: VoiceRegistry) -> Speech:
    (speech,) = voices.speak("Good morning, and thank you for calling.", voices.choose())
    return speech


@pytest.fixture
def sentence(speech: Speech) -> SentenceUtterance:
    return SentenceUtterance(SpokenSentence(speech, SPEC), LoudnessEngine())


def test_a_sentence_has_samples_and_features_of_whole_frames(sentence: SentenceUtterance) -> None:
    part = sentence.slice(0, sentence.frames)
    assert len(part.samples) == sentence.frames * SPEC.samples_per_frame
    assert part.features is not None
    assert len(part.features) == sentence.frames


def test_a_closing_continues_the_sound_and_fades_it_to_silence(sentence: SentenceUtterance) -> None:
    closing = closing_utterance(LoudnessEngine(), sentence, 20)
    assert closing.frames == CLOSING_FRAMES
    assert closing.samples[0] == sentence.slice(20, 21).samples[0]
    fade = round(FADE_S * SPEC.fps * SPEC.samples_per_frame)
    assert not closing.samples[fade:].any()


def test_a_closing_ends_with_the_features_of_silence(sentence: SentenceUtterance) -> None:
    closing = closing_utterance(LoudnessEngine(), sentence, 20)
    assert closing.features is not None
    assert len(closing.features) == CLOSING_FRAMES
    assert closing.features[-1].tolist() == [0.0]


def test_a_sentence_that_is_nearly_over_is_completed(sentence: SentenceUtterance) -> None:
    frame = sentence.frames - CLOSING_FRAMES
    closing = closing_utterance(LoudnessEngine(), sentence, frame)
    rest = sentence.slice(frame, sentence.frames)
    assert np.array_equal(closing.samples, rest.samples)
    assert closing.features is not None and rest.features is not None
    assert np.array_equal(closing.features, rest.features)


def test_phonemes_after_a_stop_are_replaced_by_a_pause() -> None:
    spoken = (Phoneme("a", 0.0, 0.1), Phoneme("b", 0.1, 0.3), Phoneme("c", 0.3, 0.5))
    assert phonemes_until(spoken, 0.2, 0.6) == (
        Phoneme("a", 0.0, 0.1),
        Phoneme("b", 0.1, 0.2),
        Phoneme("", 0.2, 0.6),
    )


def test_a_fade_falls_without_a_step() -> None:
    faded = fade_out(np.ones(200, np.float32), 100)
    assert faded[0] == 1.0
    assert np.all(np.diff(faded) <= 0)
    assert np.abs(np.diff(faded)).max() < 0.02
    assert not faded[100:].any()
