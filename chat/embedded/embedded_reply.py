"""A reply of the embedded model, which may have to be fetched or loaded first."""

import threading
from collections.abc import Callable, Generator, Iterator

from chat.embedded.model_server import ModelServer
from chat.embedded.place import Place
from chat.errors import ChatError, ModelFailed, ModelUnreachable, ReplyBroken
from chat.model import Ending, Reply

EXIT_WAIT_S = 2.0
"""Time for a process to end after its connection has ended."""
ATTEMPTS = 2
"""A reply whose process died before its first word is requested once more."""


class EmbeddedReply:
    """A reply; it waits for the model when it is iterated."""

    def __init__(self, place: Place, ask: Callable[[], Reply]) -> None:
        self.ending: Ending | None = None
        self._place, self._ask = place, ask
        self._lock = threading.Lock()
        self._delegate: Reply | None = None
        self._is_cancelled = False
        self._has_place = False

    def __iter__(self) -> Iterator[str]:
        """Yield the text as it is written; raises ChatError."""
        try:
            for attempt in range(1, ATTEMPTS + 1):
                is_last = attempt == ATTEMPTS
                if (yield from self._attempt(is_last=is_last)):
                    return
        finally:
            self.close()

    def cancel(self) -> None:
        """End the reply: its iteration raises ReplyCancelled at once. Any thread."""
        with self._lock:
            self._is_cancelled = True
            delegate = self._delegate
        if delegate is not None:
            delegate.cancel()
        self._place.wake()

    def close(self) -> None:
        """Release the connection, and leave the place to the next reply. Any thread."""
        self.cancel()
        self._leave()

    def _attempt(self, *, is_last: bool) -> Generator[str, None, bool]:
        """Yield the text; False if the process died before the first word. Raises ChatError."""
        server = self._place.enter(self, lambda: self._is_cancelled)
        with self._lock:
            self._has_place = True
        has_text = False
        try:
            for piece in self._asked():
                has_text = True
                yield piece
            self.ending = self._delegate.ending if self._delegate else None
        except (ModelUnreachable, ReplyBroken, ModelFailed) as error:
            if not server.has_ended(EXIT_WAIT_S):
                raise
            if has_text or is_last:
                raise died(server, has_text=has_text) from error
            return False
        finally:
            self._leave()
        return True

    def _leave(self) -> None:
        with self._lock:
            had_place, self._has_place = self._has_place, False
        if had_place:
            self._place.leave(self)

    def _asked(self) -> Reply:
        """Ask the server; the returned reply raises ReplyCancelled if this one is cancelled."""
        delegate = self._ask()
        with self._lock:
            self._delegate = delegate
            is_cancelled = self._is_cancelled
        if is_cancelled:
            delegate.cancel()
        return delegate


def died(server: ModelServer, *, has_text: bool) -> ChatError:
    """Return the error of a reply whose process has ended."""
    how = f"The process of the embedded model {server.how_it_ended()}"
    if has_text:
        return ReplyBroken(f"{how} in the middle of its reply. Ask again.")
    return ModelFailed(
        f"{how} before its reply, twice. Rephrase the question; if that does not help, set "
        "chat_url to another server."
    )
