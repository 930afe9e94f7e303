"""Results of espeak-ng: its languages, and the audio of a text with phoneme marks."""

from dataclasses import dataclass


class EspeakError(RuntimeError):
    """espeak-ng cannot be opened, or refused a call."""


class AudioTooLong(EspeakError):
    """The audio of a text exceeds the limit."""

    def __init__(self, max_s: float) -> None:
        super().__init__(f"takes more than {max_s:g} s to say")


@dataclass(frozen=True, slots=True)
class EspeakLanguage:
    """One entry of espeak's catalogue."""

    name: str
    identifier: str
    """Name in espeak's calls, such as `gmw/en-US`."""
    tags: tuple[tuple[int, str], ...]
    """(priority, language tag): a lower number is preferred; the first tag is the entry's own."""


@dataclass(frozen=True, slots=True)
class PhonemeMark:
    """The start of a phoneme."""

    sample: int
    """Index of its first sample."""
    symbol: str
    """espeak's spelling: IPA with stress and length marks, `""` for a pause, `(en)` for a switch of
    language. At most eight bytes, so a long symbol may be truncated."""
    begins_word: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SynthesizedSpeech:
    """The audio of a text."""

    pcm: bytes
    """Mono samples, int16 in the machine's byte order."""
    sample_rate_hz: int
    marks: tuple[PhonemeMark, ...]
    omitted: str = ""
    """Phonemes of given pronunciations that the language has no sound for."""


@dataclass(frozen=True, slots=True)
class PhonemeClause:
    """The phonemes of one clause of a text."""

    ipa: str
    """Phonemes with stress and length marks, words separated by spaces; `(en)` marks a switch of
    language."""
    source: str
    """The text of the clause, with its punctuation."""
