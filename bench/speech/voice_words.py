"""Word error rate of Whisper's transcripts of `heart` and of espeak.

A list of all errors is written next to the plots, because some of them are spellings.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.figure import Figure
from bench.speech.heart_speech import HeartSpeaker
from bench.speech.whisper_judge import WhisperJudge, word_errors
from bench.speech.word_sentences import MEASURED
from tts.espeak.voices import EspeakVoices
from tts.speech import Speech
from tts.text.plain_text import PlainText
from tts.text.reading import spoken_sentences
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice

Speak = Callable[[Sentence], Speech | None]
_LANGUAGE = "en-US"
_ESPEAK = VoiceChoice(voice="espeak:en-us", language=_LANGUAGE, speed=1.0)
_HEART_GOAL, _ESPEAK_GOAL = 4.5, 25.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One sentence, what was heard, and how many words of it are wrong."""

    said: str
    heard: str
    words: int
    errors: int


def measure(out: Path) -> list[Figure]:
    """Transcribe both voices with Whisper; write the errors to `voice_words_*.txt`."""
    with WhisperJudge() as whisper, closing(EspeakVoices()) as espeak:
        return [
            _figure("heart", _heart(HeartSpeaker()), _HEART_GOAL, whisper, out),
            _figure("espeak", _espeak(espeak), _ESPEAK_GOAL, whisper, out),
        ]


def _heart(speaker: HeartSpeaker) -> Speak:
    return lambda sentence: speaker.say(sentence.text)


def _espeak(voices: EspeakVoices) -> Speak:
    return lambda sentence: voices.synthesize(sentence, _ESPEAK, lambda: False)


def listen(texts: Sequence[str], speak: Speak, whisper: WhisperJudge) -> Iterator[Heard]:
    """Yield what Whisper hears of each text."""
    for text in texts:
        sentences = spoken_sentences(PlainText.of(text), _LANGUAGE, lambda _voice: _LANGUAGE)
        parts = [speech for each in sentences if (speech := speak(each)) is not None]
        sound = np.concatenate([speech.samples for speech in parts])
        heard = whisper.heard(sound, parts[0].sample_rate_hz)
        words = whisper.words(text)
        yield Heard(text, heard, len(words), word_errors(words, whisper.words(heard)))


def _figure(name: str, speak: Speak, goal: float, whisper: WhisperJudge, out: Path) -> Figure:
    results = list(listen(MEASURED, speak, whisper))
    wrong = [f"{each.errors}\t{each.said}\n\t{each.heard}\n" for each in results if each.errors]
    (out / f"voice_words_{name}.txt").write_text("".join(wrong), "utf-8")
    words = sum(each.words for each in results)
    rate = 100 * sum(each.errors for each in results) / words
    return Figure.at_most(f"voice_words: word error rate, {name}", rate, "%", goal, words)
