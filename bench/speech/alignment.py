"""Alignment of voices without times, measured on known times that are hidden and found again.

The mouth that follows from the found times is compared with that of the true ones, and so is the
mouth from the sound alone.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from bench.figure import Figure
from bench.speech.hidden_times import ENGLISH, OTHERS
from bench.speech.phoneme_pairs import phoneme_pairs
from tts.alignment.aligner import Aligner
from tts.alignment.references import ReferenceVoices
from tts.espeak.voices import EspeakVoices
from tts.family import VoiceFamily
from tts.heart.voices import HeartVoices
from tts.speech import Phoneme, Speech
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice
from warm.engines.viseme.audio_curves import mouth_track_from_audio
from warm.engines.viseme.phoneme_curves import mouth_track_from_phonemes
from warm.engines.viseme.shape import Shape

HEART = (("heart", 1.0), ("heart", 0.8), ("heart", 1.3))
ENGLISH_ESPEAK = (
    ("espeak:en-us+male", 0.8),
    ("espeak:en-us+m3", 1.2),
    ("espeak:en-gb+f2", 0.9),
    ("espeak:en-us", 1.0),
)
OTHER_VARIANTS = (("f3", 0.9), ("m3", 1.2), ("klatt2", 1.0))
"""Variants of espeak in other languages; those of the references are left out."""
FPS = 25
CONTACT_TOLERANCE_S = 0.020
LONGEST_CONTACT_S = 0.070
"""The lips of /p/ part at its burst."""


@dataclass(slots=True)
class Errors:
    """Errors of one kind of voice."""

    starts_s: list[float] = field(default_factory=list)
    contacts: list[bool] = field(default_factory=list)
    """True for each /p b m/ whose contact lies inside the true closure."""
    tracks: list[np.ndarray] = field(default_factory=list)
    """(3, frames) per sentence: OPEN from true times, from found times, from the sound alone."""
    refused: int = 0
    accepted: int = 0
    """Sentences that were taken for another text."""
    sound_s: float = 0.0
    processor_s: float = 0.0

    def add(self, truth: Speech, aligned: Speech) -> None:
        """Compare a sentence with the result of an alignment."""
        self.sound_s += truth.duration_s
        if truth.phonemes is None or aligned.phonemes is None:
            self.refused += 1
            return
        for true, found in phoneme_pairs(truth.phonemes, aligned.phonemes):
            self._add_sound(truth.phonemes[true], aligned.phonemes[found])
        frames = int(truth.duration_s * FPS)
        self.tracks.append(
            np.stack(
                [
                    mouth_track_from_phonemes(truth, frames=frames, fps=FPS)[:, Shape.OPEN],
                    mouth_track_from_phonemes(aligned, frames=frames, fps=FPS)[:, Shape.OPEN],
                    mouth_track_from_audio(truth, frames=frames, fps=FPS)[:, Shape.OPEN],
                ]
            )
        )

    def correlation(self, row: int) -> float:
        """Return the correlation of a row of `tracks` with the true one."""
        joined = np.concatenate(self.tracks, axis=1)
        return float(np.corrcoef(joined[0], joined[row])[0, 1])

    def _add_sound(self, truth: Phoneme, found: Phoneme) -> None:
        self.starts_s.append(found.start_s - truth.start_s)
        if truth.symbol[0] in "pbm" and found.symbol[0] in "pbm":
            middle = (found.start_s + _contact_end_s(found, 0.050)) / 2
            first = truth.start_s - CONTACT_TOLERANCE_S
            last = _contact_end_s(truth, LONGEST_CONTACT_S) + CONTACT_TOLERANCE_S
            self.contacts.append(first <= middle <= last)


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Measure `heart` by espeak, espeak by `heart` in English, and espeak by espeak elsewhere."""
    with ExitStack() as stack:
        heart = stack.enter_context(closing(HeartVoices()))
        espeak = stack.enter_context(closing(EspeakVoices()))
        english = tuple(product(("en-US",), ENGLISH))
        others = tuple((tag, text) for tag, texts in OTHERS.items() for text in texts)
        kinds = {
            "heart by espeak": measured(heart, HEART, english, espeak),
            "espeak by heart": measured(espeak, ENGLISH_ESPEAK, english, heart),
            "espeak by espeak, 10 languages": measured(espeak, OTHER_VARIANTS, others, espeak),
        }
    return [figure for name, errors in kinds.items() for figure in figures(name, errors)]


def measured(
    family: VoiceFamily,
    voices: Sequence[tuple[str, float]],
    texts: Sequence[tuple[str, str]],
    reference: VoiceFamily,
) -> Errors:
    """Say each text in each voice and speed, hide the times and find them again."""
    errors, align = Errors(), Aligner(ReferenceVoices([reference]))
    for speech, choice in spoken(family, voices, texts):
        before_s = time.thread_time()
        aligned = align(replace(speech, phonemes=None), choice, lambda: False)
        errors.processor_s += time.thread_time() - before_s
        errors.add(speech, aligned)
        other = replace(speech, phonemes=None, text=another(texts, choice.language, speech.text))
        errors.accepted += align(other, choice, lambda: False).phonemes is not None
    return errors


def another(texts: Sequence[tuple[str, str]], language: str, text: str) -> str:
    """Return the text of the same language whose length is most similar."""
    others = [each for tag, each in texts if tag == language and each != text]
    return min(others, key=lambda each: abs(len(each) - len(text)))


def spoken(
    family: VoiceFamily, voices: Sequence[tuple[str, float]], texts: Sequence[tuple[str, str]]
) -> Iterator[tuple[Speech, VoiceChoice]]:
    """Yield each text in each voice; the name of a variant is added to the language's voice."""
    for (language, text), (name, speed) in product(texts, voices):
        best = family.best_for(language)
        assert best is not None
        voice = name if ":" in name or name == best.id else f"{best.id}+{name}"
        choice = VoiceChoice(voice=voice, language=language, speed=speed)
        sentence = Sentence(text, is_end=True, start=0)
        speech = family.synthesize(sentence, choice, lambda: False)
        assert speech is not None
        yield speech.completed(), choice


def figures(name: str, errors: Errors) -> list[Figure]:
    """Return the figures of one kind of voice."""
    sentences, sounds = len(errors.tracks), len(errors.starts_s)
    said = sentences + errors.refused

    def percent(count: int) -> float:
        return 100 * count / said

    starts_ms, contacts = 1000 * np.abs(errors.starts_s), len(errors.contacts)
    right = 100 * float(np.mean(errors.contacts))
    prefix = f"alignment, {name}"
    correlation = "correlation of the mouth's opening"
    speed_ms = 1000 * errors.processor_s / errors.sound_s
    return [
        Figure.at_most(f"{prefix}: median error", float(np.median(starts_ms)), "ms", 25, sounds),
        Figure.at_most(f"{prefix}: p90", float(np.percentile(starts_ms, 90)), "ms", 80, sounds),
        Figure.at_least(f"{prefix}: contacts of the lips right", right, "%", 95, contacts),
        Figure.at_least(f"{prefix}: {correlation}", errors.correlation(1), "", 0.9, sentences),
        Figure.at_least(
            f"{prefix}: {correlation}, sound alone", errors.correlation(2), "", 0.5, sentences
        ),
        Figure.at_most(f"{prefix}: refused sentences", percent(errors.refused), "%", 2, said),
        Figure.at_most(f"{prefix}: other texts accepted", percent(errors.accepted), "%", 2, said),
        Figure.at_most(f"{prefix}: processor time per second", speed_ms, "ms", 100, sentences),
    ]


def _contact_end_s(phoneme: Phoneme, longest_s: float) -> float:
    """Return when the lips may part: /p/ has a burst and a breath before its end."""
    if phoneme.symbol[0] == "p":
        return min(phoneme.end_s, phoneme.start_s + longest_s)
    return phoneme.end_s
