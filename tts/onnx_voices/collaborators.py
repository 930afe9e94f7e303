"""Interfaces of the objects that the families of voices in files use."""

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

from isolation.protocol import Message
from tts.espeak.results import PhonemeClause


class Phonemizer(Protocol):
    """Interface of `IsolatedEspeak` for phonemes."""

    def phonemize(
        self, text: str, *, voice: str, is_cancelled: Callable[[], bool] = ...
    ) -> tuple[PhonemeClause, ...]:
        """Return the phonemes of a text."""
        ...


class Streams(Protocol):
    """Interface of `StreamClient`."""

    def start(self) -> None:
        """Start the process in the background."""
        ...

    def stream(
        self,
        request: Mapping[str, Any],
        is_cancelled: Callable[[], bool] = ...,
        *,
        patience_s: float = ...,
    ) -> Generator[Message, None, None]:
        """Yield the messages of a request."""
        ...

    def close(self) -> None:
        """Stop the process."""
        ...
