"""The answer of a model's server, passed on to a client while it is spoken."""

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from chat.model import Ending, Reply

POLL_S = 0.5

Content = dict[str, Any]


class Relay:
    """JSON objects on their way from the thread of a reply to that of a request."""

    def __init__(self) -> None:
        self._items: SimpleQueue[Content | Exception | None] = SimpleQueue()
        self.is_ended = False
        """True if the client has everything."""

    def put(self, content: Content) -> None:
        """Pass on an object. Thread of the reply."""
        self._items.put(content)

    def end(self, error: Exception | None) -> None:
        """Note that no object follows. Thread of the turn."""
        self._items.put(error)

    def contents(self, is_over: Callable[[], bool]) -> Iterator[Content]:
        """Yield the objects; raises the error of the reply.

        `is_over` is called while none arrives: True if none will.
        """
        while not self.is_ended:
            try:
                item = self._items.get(timeout=POLL_S)
            except Empty:
                item, self.is_ended = None, is_over()
                continue
            if isinstance(item, dict):
                yield item
                continue
            self.is_ended = True
            if item is not None:
                raise item


class RelayedReply:
    """A reply that reports its end to a relay."""

    def __init__(self, reply: Reply, relay: Relay) -> None:
        self._reply, self._relay = reply, relay

    @property
    def ending(self) -> Ending | None:
        """Set when the iteration has ended without an error."""
        return self._reply.ending

    @ending.setter
    def ending(self, ending: Ending | None) -> None:
        self._reply.ending = ending

    def __iter__(self) -> Iterator[str]:
        """Yield the text of the reply."""
        try:
            yield from self._reply
        except Exception as error:
            self._relay.end(error)
            raise
        self._relay.end(None)

    def cancel(self) -> None:
        """Cancel the reply. Any thread."""
        self._reply.cancel()

    def close(self) -> None:
        """Close the reply."""
        self._reply.close()
