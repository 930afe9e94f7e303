"""Events of a turn that is being answered, for any number of readers."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Condition

from warm.conversation.turn import Turn
from warm.render.jobs import FragmentCommitted

WATCHDOG_S = 0.5
"""Longest time between two batches."""


@dataclass(frozen=True, slots=True)
class TurnBegun:
    """The first event of a turn."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class TurnTokens:
    """A piece of the reply, with its markup."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnSentence:
    """A sentence is about to be heard."""

    index: int
    text: str
    start: int
    """First character of the reply that it was made from."""
    end: int
    start_s: float | None
    """Time at which it begins, in seconds of the film; None if it is not known yet."""


@dataclass(frozen=True, slots=True)
class TurnFragment:
    """A fragment of the film can be played."""

    committed: FragmentCommitted


@dataclass(frozen=True, slots=True)
class TurnDone:
    """The last event of a turn that was answered or cancelled."""

    turn: Turn


TurnEvent = TurnBegun | TurnTokens | TurnSentence | TurnFragment | TurnDone


class TurnEvents:
    """The events of one turn; all are kept. Any thread."""

    def __init__(self) -> None:
        self._events: list[TurnEvent] = []
        self._error: Exception | None = None
        self._is_over = False
        self._changed = Condition()

    def publish(self, event: TurnEvent) -> None:
        """Add an event; nothing follows `TurnDone` or an error."""
        with self._changed:
            if not self._is_over:
                self._events.append(event)
                self._is_over = isinstance(event, TurnDone)
                self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """End the events with an error."""
        with self._changed:
            if not self._is_over:
                self._error, self._is_over = error, True
                self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the turn; False on a timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over, timeout_s)

    def __iter__(self) -> Iterator[TurnEvent]:
        """Yield all events from the first one on; raises the error of the turn."""
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[TurnEvent]]:
        """Yield the events that have arrived since the last batch, at least every `WATCHDOG_S`.

        Raises the error of the turn after the last event.
        """
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_over or len(self._events) > seen,  # noqa: B023
                    WATCHDOG_S,
                )
                new, is_over, error = self._events[seen:], self._is_over, self._error
            seen += len(new)
            yield new
            if is_over and error is not None:
                raise error
            if is_over:
                return
