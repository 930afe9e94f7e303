"""The interface of a recogniser of speech: samples in, a transcript out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
"""Sample rate of all recognisers."""

Samples = NDArray[np.float32]
"""Mono samples at 16 kHz: `(n,) float32` within ±1."""
RecogniserKind = Literal["embedded", "remote", "none"]
RecogniserPhase = Literal[
    "ready", "unloaded", "loading", "fetching", "absent", "unreachable", "unknown", "off"
]
"""Phase of a recogniser.

ready: it can work now. unloaded: the next recording loads it. absent: its files are not on this
machine. unreachable: its server gave no answer the last time. unknown: its server has not been
asked yet. off: the settings switch it off.
"""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording that was recognised in one step, and its words."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The words of a recording."""

    text: str
    """Empty if nobody speaks in it."""
    language: str | None
    """BCP 47 tag; None if it is not known."""
    model: str
    """Name of the model that recognised it."""
    duration_s: float
    speech_s: float
    """Duration of the speech in it; 0 if nobody speaks."""
    segments: tuple[Segment, ...] = ()
    """Its parts in order, with their times; empty if the recogniser reports none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniserState:
    """What is known of a recogniser, for people; reading it starts nothing."""

    name: str
    kind: RecogniserKind
    phase: RecogniserPhase
    progress: float | None = None
    """Share of the files that has been fetched, 0…1, while they are being fetched."""
    detail: str = ""
    """The reason of the phase and the next step, as a sentence; empty if all is well."""
    licence: str = ""
    languages: tuple[str, ...] = ()
    """BCP 47 tags of the languages that it knows; empty if that is not known."""


class Utterance(Protocol):
    """One recording, which may still be arriving. Used by one thread."""

    def add(self, samples: Samples) -> None:
        """Add samples; work that does not need the rest may begin. Raises SpeechError."""
        ...

    def finish(self) -> Transcript:
        """Recognise what is left and return the transcript; waits a bounded time.

        Raises SpeechError.
        """
        ...

    def close(self) -> None:
        """Forget the recording; it may be called at any time, and more than once."""
        ...


class Recogniser(Protocol):
    """A recogniser of speech. All methods may be called from any thread."""

    def listen(
        self, language: str | None = None, is_cancelled: Callable[[], bool] = lambda: False
    ) -> Utterance:
        """Begin a recording in a language, a BCP 47 tag; None: the recogniser decides.

        Raises SpeechError. Waits of the utterance end with RequestCancelled soon after
        `is_cancelled` becomes true.
        """
        ...

    def state(self) -> RecogniserState:
        """Return the state; returns at once."""
        ...

    def prepare(self) -> None:
        """Fetch and load the model in the background, if it is not ready; returns at once."""
        ...

    def close(self) -> None:
        """Release everything; open recordings fail."""
        ...


def transcribe(recogniser: Recogniser, samples: Samples, language: str | None = None) -> Transcript:
    """Return the transcript of a complete recording; raises SpeechError."""
    utterance = recogniser.listen(language)
    try:
        utterance.add(samples)
        return utterance.finish()
    finally:
        utterance.close()
