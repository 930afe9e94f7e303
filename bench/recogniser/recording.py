"""Lips of a recorded person: `python -m bench.recogniser.recording talk.wav talk.txt` (English).

PocketSphinx finds the phonemes of the text in the sound; it was trained on recordings
of people, independently of the recogniser.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.figure import Figure
from bench.recogniser.sound_lips import Comparison
from bench.recogniser.speakers import ARPABET
from bench.speech.arpabet import phrases_of
from bench.speech.forced_alignment import SAMPLE_RATE_HZ, ForcedAligner, Phone
from bench.speech.heart_speech import HeartSpeaker
from tts.loudness import normalize_loudness
from tts.speech import Phoneme, Speech
from tts.text.sentences import split_sentences
from warm.media.audio import open_audio

_SHORTEST_PAUSE_S = 0.02


class CannotFollow(ValueError):
    """The text does not fit the sound."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of one recording."""
    parser = argparse.ArgumentParser(prog="python -m bench.recogniser.recording")
    parser.add_argument("sound", type=Path)
    parser.add_argument("text", type=Path)
    given = parser.parse_args(arguments)
    said = recorded(given.sound, given.text.read_text("utf-8"))
    for figure in figures(said):
        print(f"{figure.name:40} {figure.value:8.3g} {figure.unit:3} of {figure.n}")
    return 0


def recorded(path: Path, text: str) -> Speech:
    """Return a recording with the phonemes of its text; raises CannotFollow."""
    with open_audio(path, rate_hz=SAMPLE_RATE_HZ) as file:
        samples = np.concatenate(list(file.chunks()))
    speaker = HeartSpeaker()
    spoken = [speaker.say(sentence.text) for sentence in split_sentences(text)]
    symbols = [each.symbol for speech in spoken for each in speech.phonemes or ()]
    words = [[phone.name for phone in phrase] for phrase in phrases_of(symbols)]
    phones = ForcedAligner().align(samples, words)
    if phones is None:
        raise CannotFollow(f"the text does not fit the sound of {path}")
    phonemes = tuple(phonemes_of(phones, len(samples) / SAMPLE_RATE_HZ))
    level = normalize_loudness(samples, SAMPLE_RATE_HZ)
    return Speech(text, level, SAMPLE_RATE_HZ, phonemes)


def phonemes_of(phones: Sequence[Phone], duration_s: float) -> Iterator[Phoneme]:
    """Yield the phonemes of phones in order, with pauses between them and at both ends."""
    at_s = 0.0
    for phone in phones:
        if phone.start_s > at_s + _SHORTEST_PAUSE_S:
            yield Phoneme("", at_s, phone.start_s)
            at_s = phone.start_s
        yield Phoneme(ARPABET[phone.name.lower()], at_s, phone.end_s)
        at_s = phone.end_s
    if at_s < duration_s:
        yield Phoneme("", at_s, duration_s)


def figures(said: Speech) -> Iterator[Figure]:
    """Yield the figures of a recording with phonemes."""
    comparison = Comparison()
    comparison.add(said, replace(said, phonemes=None))
    found = 100 * comparison.found / max(comparison.closures, 1)
    right = 100 * comparison.right / max(comparison.pressed, 1)
    yield Figure.at_least("recording: r, 1-7 Hz", comparison.correlation(), "", 0.7, 1)
    yield Figure.at_most("recording: lag", abs(comparison.lag_ms()), "ms", 20, 1)
    yield Figure.at_least("recording: /p b m/ found", found, "%", 85, comparison.closures)
    yield Figure.at_least("recording: right presses", right, "%", 80, comparison.pressed)


if __name__ == "__main__":
    sys.exit(main())
