"""Utterances: spoken sentences with their speech features, and the silence after them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from tts.speech import Speech
from warm.engines.base import Engine
from warm.render.jobs import SpeakJob
from warm.render.speech_feed import Sentence, SpeechFeed

TAIL_FRAMES = 3
"""Still, silent frames after a clip: players stop the sound up to 56 ms before the picture."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Utterance:
    """A sentence, the closing of a cut one, the silence after the last, or a slice of these."""

    frames: int
    samples: NDArray[np.float32]
    """(frames * samples per frame,) 48 kHz."""
    features: NDArray[np.float32] | None = None
    """(frames, …) speech features, one row per frame; None: the avatar's own frames are shown."""
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


def utterances(feed: SpeechFeed, engine: Engine, job: SpeakJob) -> Iterator[Utterance]:
    """Yield the sentences of a job as they are taken from `feed`."""
    for number, sentence in enumerate(iter(feed.take, None)):
        speech = sentence.speech
        job.add_speech(number, speech)
        yield spoken_utterance(engine, sentence, feed.spec)


def spoken_utterance(engine: Engine, sentence: Sentence, spec: FilmSpec) -> Utterance:
    """A sentence with its speech features."""
    speech, samples = sentence.speech, sentence.samples
    frames = len(samples) // spec.samples_per_frame
    features = engine.encode_speech(speech, frames=frames, fps=spec.fps)
    return Utterance(frames=frames, samples=samples, features=features, speech=speech)


def silent_utterance(frames: int, spec: FilmSpec) -> Utterance:
    """Silence over the avatar's own frames."""
    return Utterance(frames=frames, samples=np.zeros(frames * spec.samples_per_frame, np.float32))
