"""What a clip shows and sounds like, line by line; each is made when it is needed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from tts.speech import Phoneme, Speech
from tts.voice import Voices
from warm.engines.base import Engine
from warm.media.resampling import film_audio
from warm.render.jobs import SpeakJob, SpeechReady

TAIL_FRAMES = 3
"""Still, silent frames after a clip: players end the sound up to 56 ms before the picture."""
FADE_S = 0.040
"""How long the sound of a sentence goes on where it is cut, growing fainter."""
MOUTH_GOES_ON_S = 0.060
"""How long the mouth goes on with the sentence before it closes for good."""
CLOSING_S = 0.200
"""From the cut to the first frame that shows a mouth at rest."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Utterance:
    """A sentence, the end of one that was cut, or the stillness after the last."""

    sound: NDArray[np.float32]
    """(frames * samples per frame,) 48 kHz."""
    features: NDArray[np.float32] | None = None
    """(frames, …) what the engine wants for each frame; None where nobody speaks."""
    speech: Speech | None = None
    """The sentence that begins here."""


def utterances(
    voices: Voices, engine: Engine, job: SpeakJob, spec: FilmSpec
) -> Iterator[Utterance]:
    """The sentences of a job, each spoken when it is taken."""
    for number, speech in enumerate(voices.speak(job.text, job.choice)):
        if job.timings.tts_first_s is None:
            job.timings.tts_first_s = job.age_s()
        job.tell(SpeechReady(sentence=number, text=speech.text, duration_s=speech.duration_s))
        sound = film_audio(speech, spec)
        frames = len(sound) // spec.samples_per_frame
        features = engine.encode_speech(speech, frames=frames, fps=spec.fps)
        yield Utterance(sound=sound, features=features, speech=speech)


def stillness(frames: int, spec: FilmSpec) -> Utterance:
    """Frames in which nothing is said."""
    return Utterance(sound=np.zeros(frames * spec.samples_per_frame, np.float32))


def closing(engine: Engine, utterance: Utterance, frame: int, spec: FilmSpec) -> Utterance:
    """What comes instead of a sentence from its `frame` on: it fades, and the mouth closes.

    The engine closes the mouth by itself, over the speech as it would be, had the speaker stopped
    there. Near its end a sentence is let be.
    """
    assert utterance.speech is not None and utterance.features is not None
    frames, left = round(CLOSING_S * spec.fps), len(utterance.features) - frame
    start = frame * spec.samples_per_frame
    if left <= frames:
        return Utterance(sound=utterance.sound[start:], features=utterance.features[frame:])
    speech = stopped(utterance.speech, frame / spec.fps, (frame + frames) / spec.fps)
    features = engine.encode_speech(speech, frames=frame + frames, fps=spec.fps)[frame:]
    sound = utterance.sound[start : start + frames * spec.samples_per_frame]
    return Utterance(
        sound=faded(sound, round(FADE_S * spec.fps * spec.samples_per_frame)), features=features
    )


def stopped(speech: Speech, at_s: float, until_s: float) -> Speech:
    """The sentence as if its speaker had stopped at `at_s` and were silent until `until_s`."""
    rate_hz = speech.sample_rate_hz
    cut, fade = round(at_s * rate_hz), round(FADE_S * rate_hz)
    samples = speech.samples[: round(until_s * rate_hz)].copy()
    samples[cut:] = faded(samples[cut:], fade)
    phonemes = speech.phonemes
    if phonemes is not None:
        phonemes = said_until(phonemes, at_s + MOUTH_GOES_ON_S, until_s)
    return replace(speech, samples=samples, phonemes=phonemes)


def said_until(phonemes: tuple[Phoneme, ...], cut_s: float, until_s: float) -> tuple[Phoneme, ...]:
    """The phonemes up to `cut_s`, and a pause from there until `until_s`."""
    said = [
        replace(phoneme, end_s=min(phoneme.end_s, cut_s))
        for phoneme in phonemes
        if phoneme.start_s < cut_s
    ]
    return (*said, Phoneme("", cut_s, until_s))


def faded(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """`samples` that fall to silence within `length`, without a corner at either end."""
    gain = np.zeros(len(samples), np.float32)
    steps = np.arange(min(length, len(samples)))
    gain[: len(steps)] = 0.5 + 0.5 * np.cos(np.pi * steps / length)
    return samples * gain
