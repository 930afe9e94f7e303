"""What espeak gives: its languages, and a text as sound with phoneme marks."""

from dataclasses import dataclass


class EspeakError(RuntimeError):
    """espeak-ng could not be opened, or refused a call."""


class TooMuchSound(EspeakError):
    """A text whose sound has no reasonable length."""

    def __init__(self, most_s: float) -> None:
        super().__init__(f"takes more than {most_s:g} s to say")


@dataclass(frozen=True, slots=True)
class EspeakLanguage:
    """One entry of espeak's catalogue."""

    name: str
    identifier: str
    """The name that espeak's calls take, such as `gmw/en-US`."""
    tags: tuple[tuple[int, str], ...]
    """(priority, language tag): a lower priority is a better fit; the first is the entry's own."""


@dataclass(frozen=True, slots=True)
class PhonemeMark:
    """Where espeak starts a phoneme."""

    sample: int
    symbol: str
    """As espeak writes it: IPA with stress and length marks, `""` for a pause, `(en)` for a switch
    of language. At most eight bytes, so a long one may be cut."""


@dataclass(frozen=True, slots=True, eq=False)
class SynthesizedSpeech:
    """A text as espeak speaks it."""

    pcm: bytes
    """Mono samples, int16 in the machine's byte order."""
    sample_rate_hz: int
    marks: tuple[PhonemeMark, ...]
