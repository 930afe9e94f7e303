"""A sound file or a text as what the engine needs, a passage at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, FilmSpec
from tts.speech import Speech
from tts.voice import VoiceChoice, Voices
from warm.engines.base import Engine
from warm.media.audio import open_audio
from warm.media.resampling import film_audio

WINDOW_S = 30
"""A passage of a sound file. It is heard together with the one before and the one after, so the
mouth does not know where it begins; and it is as long as the neural engine listens at once, so its
passages are cut where that of the whole file would be."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some of a film."""

    features: NDArray[np.float32]
    """One row a frame, as `Engine.encode_speech` gives them."""
    samples: Samples
    """What is heard with these frames: 48 kHz, as long as they last."""


def chunks_from_audio(path: Path, engine: Engine, spec: FilmSpec) -> Iterator[Chunk]:
    """The passages of a sound file; never more than three windows of it are in memory.

    Silence fills up the last frame. Raises MediaError.
    """
    before = np.zeros(0, np.float32)
    for now, after in with_next(windows(path)):
        heard = np.concatenate([before, now, after])
        speech = Speech(text="", samples=heard, sample_rate_hz=SAMPLE_RATE_HZ, phonemes=None)
        first = len(before) // spec.samples_per_frame
        rows = engine.encode_speech(speech, frames=frames_of(len(heard), spec), fps=spec.fps)
        count = frames_of(len(now), spec)
        samples = np.zeros(count * spec.samples_per_frame, np.float32)
        np.clip(now, -1.0, 1.0, out=samples[: len(now)])
        yield Chunk(rows[first : first + count], samples)
        before = now


def chunks_from_text(
    text: str, choice: VoiceChoice, voices: Voices, engine: Engine, spec: FilmSpec
) -> Iterator[Chunk]:
    """The sentences of a text."""
    for speech in voices.speak(text, choice):
        samples = film_audio(speech, spec)
        frames = len(samples) // spec.samples_per_frame
        yield Chunk(engine.encode_speech(speech, frames=frames, fps=spec.fps), samples)


def frames_of_text(text: str, choice: VoiceChoice, voices: Voices, spec: FilmSpec) -> int:
    """How many frames `chunks_from_text` will make; speaks it once."""
    return sum(
        len(film_audio(speech, spec)) // spec.samples_per_frame
        for speech in voices.speak(text, choice)
    )


def frames_of(samples: int, spec: FilmSpec) -> int:
    """Frames that so much sound takes, a begun one counted."""
    return -(-samples // spec.samples_per_frame)


def windows(path: Path) -> Iterator[Samples]:
    """A sound file at 48 kHz in windows of WINDOW_S; the last is what is left."""
    size, waiting, count = WINDOW_S * SAMPLE_RATE_HZ, [], 0
    with open_audio(path, rate_hz=SAMPLE_RATE_HZ) as sound:
        for piece in sound.chunks():
            waiting.append(piece)
            count += len(piece)
            if count >= size:
                joined = np.concatenate(waiting)
                yield joined[:size]
                waiting, count = [joined[size:]], count - size
    if count:
        yield np.concatenate(waiting)


def with_next(every: Iterator[Samples]) -> Iterator[tuple[Samples, Samples]]:
    """Each with the one after it, which is empty behind the last."""
    now = next(every, None)
    while now is not None:
        after = next(every, None)
        yield now, after if after is not None else np.zeros(0, np.float32)
        now = after
