"""The interface of a model that runs in the recognition process."""

from dataclasses import dataclass
from typing import Protocol

from stt.recogniser import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The words of one piece of sound."""

    text: str
    language: str | None
    score: float
    """Mean of the logarithms of the probabilities of its tokens: 0 is certain."""


class SpeechModel(Protocol):
    """A model that recognises pieces of sound. Used by one thread."""

    def recognise(self, samples: Samples, language: str | None) -> Recognised:
        """Return the words of a piece of speech of at most `pieces.LONGEST_S`."""
        ...
