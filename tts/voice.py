"""The interface of every voice, and what can be wrong with a request for one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tts.speech import Speech


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice as `GET /voices` lists it."""

    id: str
    name: str
    languages: tuple[str, ...]
    """BCP 47 tags, the default one first."""
    knows_phonemes: bool
    streams: bool
    """Whether it hands out a sentence in pieces before the sentence is finished."""
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceChoice:
    """A voice, language and speed that have been checked against what there is."""

    voice: str
    language: str
    speed: float
    """1.0 is the voice's own pace."""


class BadSpeechRequest(ValueError):
    """Something in a request for speech cannot be used.

    `field` names the part of the request; the message also says the value received, what is
    allowed, and what to do.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Voices(Protocol):
    """A family of voices. `choose` and `infos` from any thread; `speak` from one at a time."""

    def infos(self) -> Sequence[VoiceInfo]:
        """Every voice that can be asked for."""
        ...

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        """Check a request and fill in the defaults; raises BadSpeechRequest."""
        ...

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        """Say `text`, one `Speech` a sentence, each made when the one before was taken."""
        ...
