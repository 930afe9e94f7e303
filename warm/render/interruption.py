"""End of an interrupted sentence: the sound fades out and the mouth closes."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from tts.speech import Phoneme, Speech
from warm.engines.base import Engine
from warm.render.utterances import Utterance

FADE_S = 0.040
"""Length of the fade-out where a sentence is cut."""
MOUTH_HOLD_S = 0.060
"""Time for which the mouth follows the sentence after a cut before it starts to close."""
CLOSING_S = 0.200
"""Time from the cut to the first frame with the mouth at rest."""


def closing_utterance(
    engine: Engine, utterance: Utterance, frame: int, spec: FilmSpec
) -> Utterance:
    """Replacement for a sentence from `frame` on: the sound fades out and the mouth closes.

    The engine closes the mouth: its input is the speech as if the speaker had stopped at `frame`.
    A sentence that ends sooner than the closing would is left unchanged.
    """
    assert utterance.speech is not None and utterance.features is not None
    frames = round(CLOSING_S * spec.fps)
    if utterance.frames - frame <= frames:
        return utterance.slice(frame, utterance.frames)
    speech = speech_stopped_at(utterance.speech, frame / spec.fps, (frame + frames) / spec.fps)
    features = engine.encode_speech(speech, frames=frame + frames, fps=spec.fps)[frame:]
    samples = utterance.slice(frame, frame + frames).samples
    fade_length = round(FADE_S * spec.fps * spec.samples_per_frame)
    return Utterance(frames=frames, samples=fade_out(samples, fade_length), features=features)


def speech_stopped_at(speech: Speech, stop_s: float, end_s: float) -> Speech:
    """The sentence as if its speaker had stopped at `stop_s` and been silent until `end_s`."""
    rate_hz = speech.sample_rate_hz
    stop = round(stop_s * rate_hz)
    samples = speech.samples[: round(end_s * rate_hz)].copy()
    samples[stop:] = fade_out(samples[stop:], round(FADE_S * rate_hz))
    phonemes = speech.phonemes
    if phonemes is not None:
        phonemes = phonemes_until(phonemes, stop_s + MOUTH_HOLD_S, end_s)
    return replace(speech, samples=samples, phonemes=phonemes)


def phonemes_until(
    phonemes: tuple[Phoneme, ...], stop_s: float, end_s: float
) -> tuple[Phoneme, ...]:
    """The phonemes up to `stop_s`, followed by a pause until `end_s`."""
    kept = [
        replace(phoneme, end_s=min(phoneme.end_s, stop_s))
        for phoneme in phonemes
        if phoneme.start_s < stop_s
    ]
    return (*kept, Phoneme("", stop_s, end_s))


def fade_out(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Fade to silence over `length` samples with half a cosine, which has no corner at its ends."""
    gain = np.zeros(len(samples), np.float32)
    steps = np.arange(min(length, len(samples)))
    gain[: len(steps)] = 0.5 + 0.5 * np.cos(np.pi * steps / length)
    return samples * gain
