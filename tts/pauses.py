"""Silence before and after a sentence, added to speech that may still be arriving."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tts.pending import PendingPieces
from tts.speech import PendingAudio, Phoneme, Samples, Speech

LEAD_S = 0.06
"""Silence before the first sound, in which the lips can close for an initial /p/."""
SENTENCE_PAUSE_S, CLAUSE_PAUSE_S = 0.32, 0.14
"""Silence after a sentence, and after a piece whose sentence continues, at speed 1.0."""


def _resized(audio: PendingAudio, samples: int) -> Iterator[Samples]:
    """Yield pending audio with silence after it, or without its last samples."""
    left = samples
    for piece in audio:
        kept = piece[:left]
        left -= len(kept)
        if len(kept):
            yield kept
    if left:
        yield np.zeros(left, np.float32)


def with_pauses(
    speech: Speech, *, before_s: float, after_s: float | None, usual_s: float
) -> Speech:
    """Return speech with `before_s` more silence before it and `after_s` after it.

    `after_s` None keeps the silence after it. `usual_s` is the length of that silence if the
    phonemes are not known.
    """
    if before_s > 0:
        speech = _started_later(speech, round(before_s * speech.sample_rate_hz))
    if after_s is None:
        return speech
    change_s = after_s - _pause_s(speech, usual_s)
    return _lengthened(speech, round(change_s * speech.sample_rate_hz))


def _pause_s(speech: Speech, usual_s: float) -> float:
    """Return the silence at the end of a sentence."""
    if not speech.phonemes:
        return usual_s
    last = speech.phonemes[-1]
    return last.end_s - last.start_s if last.symbol == "" else 0.0


def _started_later(speech: Speech, samples: int) -> Speech:
    silence = np.zeros(samples, np.float32)
    shift_s = samples / speech.sample_rate_hz
    phonemes = speech.phonemes
    if phonemes:
        moved = [
            replace(each, start_s=each.start_s + shift_s, end_s=each.end_s + shift_s)
            for each in phonemes
        ]
        if moved[0].symbol == "":
            moved[0] = replace(moved[0], start_s=0.0)
        else:
            moved.insert(0, Phoneme("", 0.0, shift_s))
        phonemes = tuple(moved)
    return replace(speech, samples=np.concatenate([silence, speech.samples]), phonemes=phonemes)


def _lengthened(speech: Speech, change: int) -> Speech:
    """Return speech with `change` more samples of silence at its end; fewer if it is negative."""
    is_pending = speech.pending is not None
    available = speech.pending.samples if speech.pending else len(speech.samples)
    change = max(change, -available)
    phonemes = _ended_at(speech.phonemes, (speech.total_samples + change) / speech.sample_rate_hz)
    if is_pending:
        assert speech.pending is not None
        samples = available + change
        pending = PendingPieces(_resized(speech.pending, samples), samples)
        return replace(speech, pending=pending, phonemes=phonemes)
    if change < 0:
        return replace(speech, samples=speech.samples[:change], phonemes=phonemes)
    silence = np.zeros(change, np.float32)
    return replace(speech, samples=np.concatenate([speech.samples, silence]), phonemes=phonemes)


def _ended_at(phonemes: tuple[Phoneme, ...] | None, end_s: float) -> tuple[Phoneme, ...] | None:
    """Return phonemes whose last pause ends at `end_s`."""
    if not phonemes:
        return phonemes
    last = phonemes[-1]
    if last.symbol != "":
        return (*phonemes, Phoneme("", last.end_s, end_s)) if end_s > last.end_s else phonemes
    rest = phonemes[:-1]
    return (*rest, replace(last, end_s=end_s)) if end_s > last.start_s else rest
