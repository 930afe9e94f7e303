"""Actions of a request: which one, and when it begins; and the speech of a request without text."""

from dataclasses import dataclass
from typing import Literal

When = Literal["now", "sentence", "silence"]
"""Beginning of an action while something is said: with the next picture that can show it, with the
next sentence, or after the speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAction:
    """An action to be shown."""

    name: str
    when: When = "sentence"

    @property
    def may_join(self) -> bool:
        """True if it may be shown while something is said."""
        return self.when != "silence"


class NoSpeech:
    """The sound of a request that only shows an action."""

    @property
    def awaits_text(self) -> bool:
        """False: it has no text."""
        return False

    def close_text(self) -> None:
        """Do nothing."""

    def next_piece(self) -> None:
        """Return None: nothing is said."""

    def cancel(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""
