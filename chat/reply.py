"""A reply that one thread receives and another one reads, with a bound on every wait."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chat.errors import ChatError, EmptyReply, ModelFailed, ModelTimeout, ReplyCancelled
from chat.limits import ReplyLimits
from chat.model import Ending

TOKENS_S = 1.0
"""Time to wait for the token counts, which some servers send after the end of the reply."""


class Thought:
    """The model reasons: this shows that it works, but is not part of the reply."""


@dataclass(frozen=True, slots=True)
class Finishing:
    """The model has ended its reply; token counts may follow."""

    ending: Ending


Item = str | Thought | Finishing | Ending | Exception
Receive = Callable[["ReplyFeed"], Ending]


class ReplyFeed:
    """The receiving side of a reply. Owned by its thread, except for `cancel`."""

    def __init__(self) -> None:
        self.items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._shut: Callable[[], None] = lambda: None

    @property
    def is_cancelled(self) -> bool:
        """True if the reply was cancelled."""
        return self._is_cancelled

    def put(self, item: str | Thought | Finishing) -> None:
        """Pass an item to the reader."""
        self.items.put(item)

    def attach(self, shut: Callable[[], None]) -> None:
        """Make `cancel` call `shut`, which must wake the thread that waits for the server."""
        with self._lock:
            self._shut = shut
            is_late = self._is_cancelled
        if is_late:
            shut()

    def cancel(self) -> None:
        """Wake the reader with ReplyCancelled, and the receiving thread through `attach`."""
        with self._lock:
            if self._is_cancelled:
                return
            self._is_cancelled = True
            shut = self._shut
        self.items.put(ReplyCancelled("the reply was cancelled"))
        shut()


class ThreadedReply:
    """A reply received by a thread of its own.

    Waits for sockets and name servers cannot delay its reader beyond the limits.
    """

    def __init__(
        self,
        receive: Receive,
        limits: ReplyLimits,
        *,
        server: str,
        model: Callable[[], str] = str,
        may_be_empty: bool = False,
    ) -> None:
        """`receive` passes the pieces to the feed and returns the ending; it may raise ChatError.

        `server`: its name for messages. `model`: returns the name of the model, for a reply that
        is cut off here. `may_be_empty`: a reply without text is not an error.
        """
        self.ending: Ending | None = None
        self._feed, self._limits, self._server = ReplyFeed(), limits, server
        self._model, self._may_be_empty = model, may_be_empty
        self._started_s = time.monotonic()
        self._thread = threading.Thread(
            target=_run, args=(receive, self._feed), name="chat-reply", daemon=True
        )
        self._thread.start()

    def __iter__(self) -> Iterator[str]:
        """Yield the text as it arrives; raises ChatError."""
        try:
            yield from self._pieces()
        finally:
            self.close()

    def cancel(self) -> None:
        """End the reply: its iteration raises ReplyCancelled at once. Any thread."""
        self._feed.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._feed.cancel()

    def join(self, timeout_s: float) -> None:
        """Wait for the receiving thread, which may be resolving a host name."""
        self._thread.join(timeout_s)

    def _pieces(self) -> Iterator[str]:
        chars = 0
        for text in self._texts():
            kept = text[: self._limits.max_chars - chars]
            chars += len(kept)
            if kept:
                yield kept
            if chars >= self._limits.max_chars:
                self.ending = Ending(reason="length", model=self._model())
                return
        if not chars and not self._may_be_empty:
            raise empty_reply(self._server)

    def _texts(self) -> Iterator[str]:
        """Yield the text, and store the ending."""
        item: Item | None = None
        while not isinstance(item, Ending):
            item = self._next(item)
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Finishing):
                item = self._next_or(item.ending)
            if isinstance(item, str):
                yield item
        self.ending = item

    def _next(self, last: Item | None) -> Item:
        """Wait for the item after `last`; raises ModelTimeout."""
        limits = self._limits
        pause_s = limits.first_token_s if last is None else limits.token_s
        left_s = self._started_s + limits.reply_s - time.monotonic()
        try:
            return self._feed.items.get(timeout=max(0.0, min(pause_s, left_s)))
        except queue.Empty:
            if left_s <= pause_s:
                raise too_long(self._server, limits.reply_s) from None
            raise too_slow(self._server, pause_s, has_begun=last is not None) from None

    def _next_or(self, ending: Ending) -> Item:
        """Wait a moment for the token counts; errors no longer matter."""
        try:
            item = self._feed.items.get(timeout=TOKENS_S)
        except queue.Empty:
            return ending
        return ending if isinstance(item, Exception) else item


def too_slow(server: str, pause_s: float, *, has_begun: bool) -> ModelTimeout:
    """Return the error of a pause that was too long."""
    when = "in the middle of its reply" if has_begun else "before its first word"
    setting = "chat_token_s" if has_begun else "chat_first_token_s"
    return ModelTimeout(
        f"{server} sent nothing for {pause_s:g} s {when} ({setting}). Check whether the model is "
        "still being loaded or the machine is overloaded, and try again."
    )


def too_long(server: str, reply_s: float) -> ModelTimeout:
    """Return the error of a reply that does not end."""
    return ModelTimeout(
        f"{server} did not end its reply within {reply_s:g} s (chat_reply_s). Lower "
        "chat_max_tokens, or use a faster model."
    )


def empty_reply(server: str, detail: str = "") -> EmptyReply:
    """Return the error of a reply without text."""
    cause = f" ({detail})" if detail else ""
    return EmptyReply(
        f"{server} ended its reply without a word{cause}. Ask again, or rephrase it; a model that "
        "reasons needs a larger chat_max_tokens."
    )


def _run(receive: Receive, feed: ReplyFeed) -> None:
    """Receive a reply; the last item is its ending or its error."""
    try:
        feed.items.put(receive(feed))
    except ChatError as error:
        feed.items.put(error)
    except Exception as error:  # noqa: BLE001 - the top of a thread; the reader raises it
        failed = ModelFailed(f"the reply could not be received ({type(error).__name__}: {error})")
        failed.__cause__ = error
        feed.items.put(failed)
