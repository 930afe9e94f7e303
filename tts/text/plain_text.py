"""Text without markup: the styles of its parts, and the places of its characters in the source."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tts.text.draft import Draft, Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Style in which a part of a text is spoken; None: that of the rest."""

    language: str | None = None
    """BCP 47 tag."""
    voice: str | None = None
    rate: float = 1.0
    """Factor of the speed."""
    say_as: str | None = None
    """Kind of a number or word, as in SSML: `characters`, `ordinal`, `date:dmy`."""
    spoken: str | None = None
    """Spoken instead of the text, which is shown."""
    ipa: str | None = None
    """Pronunciation of the text, as `tts.text.pronunciation.plain_ipa` returns it."""


@dataclass(frozen=True, slots=True)
class Span:
    """The characters from `start` to `end`, spoken in a style."""

    start: int
    end: int
    style: Style


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence before the character at `index`."""

    index: int
    duration_s: float
    """0 joins what is before it and after it without the usual pause."""


@dataclass(frozen=True, slots=True, eq=False)
class PlainText:
    """A text to speak."""

    text: str
    origins: Sequence[int]
    """For each character, its index in the text that was sent."""
    spans: tuple[Span, ...] = ()
    """In order, without overlaps. Text outside them has the default style."""
    pauses: tuple[Pause, ...] = ()
    """In order."""
    remarks: tuple[str, ...] = ()
    """Markup that has no effect, for the client."""
    goes_on: bool = False
    """Its last sentence continues in another text."""
    before: str = ""
    """Text that was spoken just before it in the same sentence; empty for a new sentence."""

    @classmethod
    def of(cls, text: str) -> "PlainText":
        """Return a text that is spoken as it was sent."""
        return cls(text, range(len(text)))

    @property
    def fastest_rate(self) -> float:
        """The largest factor of the speed in the text, at least 1."""
        return max([1.0, *(span.style.rate for span in self.spans)])

    def edited(self, edits: Iterable[Edit]) -> "PlainText":
        """Return the text after edits, which must be in order and must not overlap."""
        return self.at(Draft.of(self.text).edited(edits))

    def at(self, draft: Draft) -> "PlainText":
        """Return the text of a draft that was made from this one."""
        places = draft.origins
        moved = [
            Span(bisect_left(places, span.start), bisect_left(places, span.end), span.style)
            for span in self.spans
        ]
        return replace(
            self,
            text=draft.text,
            origins=[self.origins[place] for place in places],
            spans=tuple(span for span in moved if span.start < span.end),
            pauses=tuple(
                replace(pause, index=bisect_left(places, pause.index)) for pause in self.pauses
            ),
        )

    def stripped(self) -> "PlainText":
        """Return the text without outer blanks."""
        start = len(self.text) - len(self.text.lstrip())
        end = len(self.text.rstrip())
        if start >= end:
            return replace(self, text="", origins=(), spans=(), pauses=())
        return self.edited([Edit(0, start, ""), Edit(end, len(self.text), "")])
