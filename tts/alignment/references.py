"""Reference voices: those that know their phonemes' times and can say what another voice said."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tts.family import VoiceFamily
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import SentenceFailed, VoiceChoice, VoiceInfo, VoiceUnavailable


class ReferenceVoice(Protocol):
    """A voice that knows the times of its phonemes."""

    def __call__(self, text: str, speed: float, is_cancelled: Callable[[], bool]) -> Speech | None:
        """Say a text completely; None if it cannot. Raises RequestCancelled."""
        ...


References = Callable[[str], Iterator[ReferenceVoice]]
"""Yields the voices of a language (BCP 47), the best to compare with first."""


class ReferenceVoices:
    """Implements `References` with the voices of several families. Thread-safe."""

    def __init__(self, families: Sequence[VoiceFamily]) -> None:
        """`families`: the most natural ones first."""
        self._families = families

    def __call__(self, language: str) -> Iterator[ReferenceVoice]:
        """Yield the voices of each family's best match of a language.

        Male voices come first: espeak's male voice is closer to those of both men and women than
        its female one is.
        """
        for family in self._families:
            best = family.best_for(language)
            if best is None or best.phoneme_times != "own":
                continue
            same = [info for info in family.infos() if info.languages == best.languages]
            for info in sorted(same, key=lambda info: info.gender != "male"):
                yield _FamilyVoice(family, info)


@dataclass(frozen=True, slots=True)
class _FamilyVoice:
    family: VoiceFamily
    info: VoiceInfo

    def __call__(self, text: str, speed: float, is_cancelled: Callable[[], bool]) -> Speech | None:
        choice = VoiceChoice(voice=self.info.id, language=self.info.languages[0], speed=speed)
        sentence = Sentence(text, is_end=True, start=0)
        try:
            speech = self.family.synthesize(sentence, choice, is_cancelled)
            return None if speech is None else speech.completed()
        except (SentenceFailed, VoiceUnavailable):
            return None
