"""Text without markup, and where its characters are in the text that was sent."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class PlainText:
    """A text to speak."""

    text: str
    origins: Sequence[int]
    """For each character, its index in the text that was sent."""

    @classmethod
    def of(cls, text: str) -> "PlainText":
        """Return a text that is spoken as it was sent."""
        return cls(text, range(len(text)))

    def replaced(self, text: str) -> "PlainText":
        """Return the same text with other characters, one for one, and without outer blanks."""
        start = len(text) - len(text.lstrip())
        stripped = text.strip()
        return PlainText(stripped, self.origins[start : start + len(stripped)])
