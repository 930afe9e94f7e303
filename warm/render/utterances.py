"""Utterances: the frames of spoken sentences, of closings and of silence, with their sound."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from tts.speech import Speech
from warm.engines.base import Engine, StreamingEngine
from warm.engines.excerpts import listener_of
from warm.render.given_sentence import GivenSentence
from warm.render.spoken_sentence import SpokenSentence

TAIL_FRAMES = 3
"""Still, silent frames after a clip: players stop the sound up to 56 ms before the picture."""

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Utterance:
    """Frames with their sound: part of a sentence, the closing of a cut one, or silence."""

    frames: int
    samples: NDArray[np.float32]
    """(frames * samples per frame,) 48 kHz."""
    features: Features | None = None
    """(frames, …) speech features, one row per frame; None: the avatar's own frames are shown."""

    @property
    def ready(self) -> int:
        """Number of frames that `slice` can return: all of them."""
        return self.frames

    def slice(self, start: int, stop: int) -> "Utterance":
        """Frames `start` to `stop`, as views."""
        step = len(self.samples) // self.frames
        return Utterance(
            frames=stop - start,
            samples=self.samples[start * step : stop * step],
            features=None if self.features is None else self.features[start:stop],
        )


class SentenceUtterance:
    """A sentence, some of whose frames may not be ready because their sound is missing.

    Owned by the render thread.
    """

    def __init__(self, sentence: SpokenSentence, engine: Engine) -> None:
        self.sentence = sentence
        self._engine = engine

    @property
    def frames(self) -> int:
        """Frames of the whole sentence."""
        return self.sentence.frames

    @property
    def ready(self) -> int:
        """Number of frames that `slice` can return, from the first one on."""
        return self.sentence.ready_frames

    def slice(self, start: int, stop: int) -> Utterance:
        """Frames `start` to `stop`, which must be ready."""
        step = self.sentence.spec.samples_per_frame
        return Utterance(
            frames=stop - start,
            samples=self.sentence.audio.samples[start * step : stop * step],
            features=self._features(start, stop),
        )

    def _features(self, start: int, stop: int) -> Features:
        if math.isinf(self.sentence.lookahead_s):
            return self._all_features[start:stop]
        return encode(self._engine, self.sentence.so_far(), start, stop, self.sentence.spec.fps)

    @cached_property
    def _all_features(self) -> Features:
        speech, fps = self.sentence.so_far(), self.sentence.spec.fps
        return self._engine.encode_speech(speech, frames=self.frames, fps=fps)


class GivenUtterance:
    """A recording, whose frames become ready as its sound arrives. Owned by the render thread."""

    def __init__(self, sentence: GivenSentence, engine: Engine) -> None:
        self.sentence = sentence
        self._listener = listener_of(engine, sentence.spec.fps)

    @property
    def is_open(self) -> bool:
        """True if more frames may follow."""
        return not self.sentence.is_complete

    @property
    def frames(self) -> int:
        """Frames so far, all of them once it is not open."""
        return self.sentence.frames

    @property
    def ready(self) -> int:
        """Number of frames that `slice` can return, from the first one on."""
        return self.sentence.ready_frames

    def slice(self, start: int, stop: int) -> Utterance:
        """Frames `start` to `stop`, which must be ready and follow the last ones."""
        sentence, step = self.sentence, self.sentence.spec.samples_per_frame
        utterance = Utterance(
            frames=stop - start,
            samples=sentence.audio.samples(start * step, stop * step),
            features=self._listener.features(sentence.audio, start, stop),
        )
        sentence.take(stop)
        return utterance


def lookahead_s(engine: Engine, speech: Speech) -> float:
    """Sound after a frame without which an engine cannot draw it, seconds. Any thread."""
    return engine.lookahead_s(speech) if isinstance(engine, StreamingEngine) else math.inf


def encode(engine: Engine, speech: Speech, start: int, stop: int, fps: int) -> Features:
    """The features of frames `start` to `stop` of a speech."""
    if isinstance(engine, StreamingEngine) and math.isfinite(lookahead_s(engine, speech)):
        return engine.encode_part(speech, start=start, stop=stop, fps=fps)
    return engine.encode_speech(speech, frames=stop, fps=fps)[start:]


def silent_utterance(frames: int, spec: FilmSpec) -> Utterance:
    """Silence over the avatar's own frames."""
    return Utterance(frames=frames, samples=np.zeros(frames * spec.samples_per_frame, np.float32))
