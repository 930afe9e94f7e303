"""Interface of one family of voices, such as espeak's or those of a remote server."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from tts.languages import look_up
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice, VoiceInfo


class VoiceFamily(Protocol):
    """Voices that are synthesized in the same way. Thread-safe.

    A family checks no request and selects no voice: `tts.registry` does both, and hands it
    sentences in a language that the voice speaks.
    """

    prefix: str
    """The part of a voice's id before the colon, as in `espeak:en-us`."""

    def infos(self) -> Sequence[VoiceInfo]:
        """Return the voices to list, also those that have a `problem`. Must not block."""
        ...

    def find(self, name: str) -> VoiceInfo | None:
        """Return the voice with this id, an alias of it, or a valid id that is not listed."""
        ...

    def best_for(self, language: str) -> VoiceInfo | None:
        """Return the best usable voice for a BCP 47 tag (see `best_voice`), or None."""
        ...

    def prepare(self, voice: str) -> None:
        """Start to load a voice, so that its first sentence takes no longer than others.

        Returns at once; a failure is reported by `synthesize`.
        """
        ...

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Return one sentence or piece of one; None if it has no sound.

        `choice.voice` is an id of this family. Raises SentenceFailed, VoiceUnavailable, and
        RequestCancelled soon after `is_cancelled` becomes true. `is_cancelled` also stops the
        audio that is pending when this returns.
        """
        ...

    def close(self) -> None:
        """Stop all processes and connections; sentences in progress and later ones fail."""
        ...


def best_voice(infos: Iterable[VoiceInfo], language: str) -> VoiceInfo | None:
    """Return the usable voice whose languages match a tag best; the first of equal ones.

    Implements `VoiceFamily.best_for` for most families.
    """
    best, best_length = None, 0
    for info in infos:
        tag = look_up(language, info.languages)
        if tag is not None and info.problem is None and info.is_live and len(tag) > best_length:
            best, best_length = info, len(tag)
    return best
