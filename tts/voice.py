"""Interface of all voices, and the error of a bad request for speech."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from tts.speech import Speech

PhonemeTimes = Literal["own", "aligned", "heard"]
"""Source of the lips' timing: the voice itself, an alignment of its sound with a voice that knows
the times, or its sound alone."""
Gender = Literal["female", "male", "neutral", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceInfo:
    """A voice as `GET /voices` lists it."""

    id: str
    name: str
    languages: tuple[str, ...]
    """BCP 47 tags, the default one first."""
    gender: Gender
    licence: str
    sample_rate_hz: int
    phoneme_times: PhonemeTimes = "own"
    streams: bool = False
    """True if the audio of a sentence arrives in pieces before it is complete."""
    is_live: bool = True
    """False if it is too slow on this machine to speak while people listen."""
    is_remote: bool = False
    """True if texts are sent to another server."""
    loads: bool = False
    """True if it is loaded in the background: its first sentence may wait for that."""
    problem: str | None = None
    """Why it cannot speak at present, and the remedy; None if it can."""

    @property
    def knows_phonemes(self) -> bool:
        """True if the voice itself reports its phonemes and their times."""
        return self.phoneme_times == "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceChoice:
    """A checked choice of voice, language and speed."""

    voice: str
    language: str
    speed: float
    """1.0 is the voice's normal speed."""
    patience_s: float = 0.0
    """Time for which the sentences of all listeners who hear them live may go first."""
    ahead_s: float = 0.0
    """Sound that the listener still has to hear before this text."""


_SHOWN_CHARS = 40


class BadSpeechRequest(ValueError):
    """A field of a request for speech is invalid.

    `field` is its name; the message also states the value received, what is allowed, and what to
    do.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class UnspeakableSentence(BadSpeechRequest):
    """A voice cannot speak one sentence of a text."""

    def __init__(
        self, *, voice: str, number: int, start: int, sentence: str, reason: str, remedy: str
    ) -> None:
        """`number` counts from 1, `start` from 0; `reason` is a predicate: "takes too long"."""
        shown = repr(sentence[:_SHOWN_CHARS]) + ("…" if len(sentence) > _SHOWN_CHARS else "")
        super().__init__(
            "text",
            f"the voice {voice} cannot speak sentence {number} of the text, which begins at "
            f"character {start + 1}, {shown}: it {reason}. {remedy}",
        )
        self.start = start
        """Index of the first character of the sentence."""
        self._parts = (voice, number, sentence, reason, remedy)

    def moved_to(self, start: int) -> "UnspeakableSentence":
        """Return the error for the same sentence at another place."""
        voice, number, sentence, reason, remedy = self._parts
        return UnspeakableSentence(
            voice=voice, number=number, start=start, sentence=sentence, reason=reason, remedy=remedy
        )


class SentenceFailed(RuntimeError):
    """A voice cannot speak a sentence; the message is a predicate, such as "takes too long"."""


class VoiceUnavailable(RuntimeError):
    """A voice cannot speak at present, whatever the text."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Time after which another attempt may succeed, whole seconds."""


@runtime_checkable
class CancellableSpeech(Protocol):
    """Optional interface of the iterator that `Voices.speak` returns."""

    def cancel(self) -> None:
        """Make a running call of `next` raise soon. Called by another thread."""
        ...


@runtime_checkable
class RehearsableVoices(Protocol):
    """Optional interface of `Voices`, some of which must be used only on request."""

    def for_rehearsal(self, choice: VoiceChoice) -> VoiceChoice | None:
        """Return what to warm up with if `choice` is the default; None: no voice."""
        ...


@runtime_checkable
class PreparableVoices(Protocol):
    """Optional interface of `Voices`, some of which are loaded by their first sentence."""

    def prepare(self, voice: str) -> None:
        """Start to load a voice; returns at once."""
        ...


class Voices(Protocol):
    """The voices to choose from. Thread-safe: each thread may speak a text of its own."""

    def infos(self) -> Sequence[VoiceInfo]:
        """Return all voices."""
        ...

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        """Check a request and apply the defaults; raises BadSpeechRequest."""
        ...

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        """Yield one `Speech` per sentence of `text`, each synthesized on demand.

        If synthesis may take longer than 0.1 s, the iterator should be a `CancellableSpeech`.
        """
        ...
