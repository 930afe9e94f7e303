"""A reply whose text is known: a greeting."""

from collections.abc import Iterator

from chat.errors import ReplyCancelled
from chat.model import Ending


class GivenReply:
    """A known text in place of the reply of a model."""

    def __init__(self, text: str) -> None:
        self.ending: Ending | None = None
        self._text = text
        self._is_cancelled = False

    def __iter__(self) -> Iterator[str]:
        """Yield the text."""
        if self._is_cancelled:
            raise ReplyCancelled("the greeting was cancelled")
        yield self._text
        self.ending = Ending(reason="stop", model="")

    def cancel(self) -> None:
        """Have the iteration raise ReplyCancelled, if it has not begun."""
        self._is_cancelled = True

    def close(self) -> None:
        """Do nothing: no resource is held."""
