"""Utterances: spoken sentences with their speech features, closings of cut sentences, silence."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from tts.speech import Phoneme, Speech
from tts.voice import Voices
from warm.engines.base import Engine
from warm.media.film_audio import film_audio
from warm.render.jobs import SpeakJob, SpeechReady

TAIL_FRAMES = 3
"""Still, silent frames after a clip: players stop the sound up to 56 ms before the picture."""
FADE_S = 0.040
"""Length of the fade-out where a sentence is cut."""
MOUTH_HOLD_S = 0.060
"""How long the mouth follows the sentence after a cut before it starts to close."""
CLOSING_S = 0.200
"""Time from the cut to the first frame with the mouth at rest."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Utterance:
    """A sentence, the closing of a cut one, the silence after the last, or a slice of these."""

    frames: int
    samples: NDArray[np.float32]
    """(frames * samples per frame,) 48 kHz."""
    features: NDArray[np.float32] | None = None
    """(frames, …) speech features, one row a frame; None: the avatar's own frames are shown."""
    speech: Speech | None = None
    """The sentence that starts with the first frame."""

    def slice(self, start: int, stop: int) -> "Utterance":
        """Frames `start` to `stop`, as views."""
        step = len(self.samples) // self.frames
        return Utterance(
            frames=stop - start,
            samples=self.samples[start * step : stop * step],
            features=None if self.features is None else self.features[start:stop],
            speech=None if start else self.speech,
        )


def utterances(
    voices: Voices, engine: Engine, job: SpeakJob, spec: FilmSpec
) -> Iterator[Utterance]:
    """Yield the sentences of a job; each is synthesized when it is taken."""
    for number, speech in enumerate(voices.speak(job.text, job.choice)):
        if job.timings.tts_first_s is None:
            job.timings.tts_first_s = job.age_s()
        job.publish(SpeechReady(sentence=number, text=speech.text, duration_s=speech.duration_s))
        yield spoken_utterance(engine, speech, spec)


def spoken_utterance(engine: Engine, speech: Speech, spec: FilmSpec) -> Utterance:
    """A sentence with its speech features."""
    samples = film_audio(speech, spec)
    frames = len(samples) // spec.samples_per_frame
    features = engine.encode_speech(speech, frames=frames, fps=spec.fps)
    return Utterance(frames=frames, samples=samples, features=features, speech=speech)


def silent_utterance(frames: int, spec: FilmSpec) -> Utterance:
    """Silence over the avatar's own frames."""
    return Utterance(frames=frames, samples=np.zeros(frames * spec.samples_per_frame, np.float32))


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
