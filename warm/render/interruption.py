"""End of an interrupted sentence: the sound fades out and the mouth closes."""

from dataclasses import replace

import numpy as np

from session.film import SAMPLE_RATE_HZ
from tts.speech import Phoneme, Samples, Speech
from warm.engines.base import Engine
from warm.engines.excerpts import BEFORE_S
from warm.render.utterances import GivenUtterance, SentenceUtterance, Utterance, encode

FADE_S = 0.040
"""Length of the fade-out where a sentence is cut."""
MOUTH_HOLD_S = 0.060
"""Time for which the mouth follows the sentence after a cut before it starts to close."""
CLOSING_S = 0.200
"""Time from the cut to the first frame with the mouth at rest."""


def closing_utterance(engine: Engine, utterance: SentenceUtterance, frame: int) -> Utterance:
    """Replacement for a sentence from `frame` on: the sound fades out and the mouth closes.

    The engine closes the mouth: its input is the speech as if the speaker had stopped at `frame`.
    A sentence that ends sooner than the closing would is left unchanged.
    """
    sentence = utterance.sentence
    spec = sentence.spec
    frames = round(CLOSING_S * spec.fps)
    if sentence.is_complete and utterance.frames <= frame + frames:
        return utterance.slice(frame, utterance.frames)
    speech = speech_stopped_at(sentence.so_far(), frame / spec.fps, (frame + frames) / spec.fps)
    features = encode(engine, speech, frame, frame + frames, spec.fps)
    step = spec.samples_per_frame
    samples = continued(sentence.audio.known(), frame * step, frames * step)
    fade_length = round(FADE_S * spec.fps * step)
    return Utterance(frames=frames, samples=fade_out(samples, fade_length), features=features)


def closing_of_recording(engine: Engine, utterance: GivenUtterance, frame: int) -> Utterance:
    """Replacement for a recording from `frame` on: the sound fades out and the mouth closes."""
    sentence = utterance.sentence
    spec, step = sentence.spec, sentence.spec.samples_per_frame
    frames, first = round(CLOSING_S * spec.fps), max(0, frame - BEFORE_S * spec.fps)
    known = sentence.audio.samples(first * step, max(frame * step, sentence.audio.arrived))
    known = known[: (frame + frames - first) * step]
    at_s, end_s = (frame - first) / spec.fps, (frame + frames - first) / spec.fps
    stopped = speech_stopped_at(Speech("", known, SAMPLE_RATE_HZ, None), at_s, end_s)
    features = engine.encode_speech(stopped, frames=frame + frames - first, fps=spec.fps)
    samples = continued(known, (frame - first) * step, frames * step)
    fade_length = round(FADE_S * SAMPLE_RATE_HZ)
    return Utterance(
        frames=frames, samples=fade_out(samples, fade_length), features=features[frame - first :]
    )


def speech_stopped_at(speech: Speech, stop_s: float, end_s: float) -> Speech:
    """The sentence as if its speaker had stopped at `stop_s` and been silent until `end_s`."""
    rate_hz = speech.sample_rate_hz
    stop, end = round(stop_s * rate_hz), round(end_s * rate_hz)
    rest = continued(speech.samples, stop, end - stop)
    samples = np.concatenate([speech.samples[:stop], fade_out(rest, round(FADE_S * rate_hz))])
    phonemes = speech.phonemes
    if phonemes is not None:
        phonemes = phonemes_until(phonemes, stop_s + MOUTH_HOLD_S, end_s)
    return replace(speech, samples=samples, phonemes=phonemes)


def continued(sound: Samples, start: int, length: int) -> Samples:
    """(length,) the sound from `start` on, continued backwards from its end.

    So a fade-out has no step where the rest of the sound has not arrived.
    """
    rest = sound[start : start + length]
    backwards = sound[::-1][: length - len(rest)]
    silence = np.zeros(length - len(rest) - len(backwards), np.float32)
    return np.concatenate([rest, backwards, silence])


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


def fade_out(samples: Samples, length: int) -> Samples:
    """Fade to silence over `length` samples with half a cosine, which has no corner at its ends."""
    gain = np.zeros(len(samples), np.float32)
    steps = np.arange(min(length, len(samples)))
    gain[: len(steps)] = 0.5 + 0.5 * np.cos(np.pi * steps / length)
    return samples * gain
