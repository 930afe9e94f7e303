"""The bounded queue between HTTP threads and the render thread."""

from collections import deque
from collections.abc import Callable
from threading import Event, Lock
from typing import Generic, TypeVar

Work = TypeVar("Work")
Order = TypeVar("Order")


class QueueFull(RuntimeError):
    """There is no room for one more request.

    `retry_after_s` is when there is likely to be some.
    """

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(
            f"{limit} requests are waiting, which is the limit (max_queue); "
            f"try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s


class WorkQueue(Generic[Work, Order]):
    """Work, at most `limit` long and in order, and orders, which go before it and take no time.

    Any thread may call anything. `bell` rings when something is put in.
    """

    def __init__(self, limit: int, bell: Event) -> None:
        self.limit = limit
        self._bell = bell
        self._waiting: deque[Work] = deque()
        self._orders: list[Order] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def ring(self) -> None:
        """Have who takes look here."""
        self._bell.set()

    def put(self, work: Work, *, retry_after_s: int = 1) -> None:
        """Queue `work`; raises QueueFull."""
        with self._lock:
            if len(self._waiting) >= self.limit:
                raise QueueFull(self.limit, retry_after_s)
            self._waiting.append(work)
        self._bell.set()

    def order(
        self, order: Order, *, instead_of: Callable[[Work], bool] = lambda _work: False
    ) -> list[Work]:
        """Put an order before all that waits, whatever the limit, and take work out for it.

        Work that is put in later comes behind the order. Returns what was taken out.
        """
        with self._lock:
            dropped = [work for work in self._waiting if instead_of(work)]
            self._waiting = deque(work for work in self._waiting if not instead_of(work))
            self._orders.append(order)
        self._bell.set()
        return dropped

    def take_orders(self) -> list[Order]:
        """All orders."""
        with self._lock:
            orders, self._orders = self._orders, []
        return orders

    def take(self, fits: Callable[[Work], bool] = lambda _work: True) -> Work | None:
        """The first piece of work that fits; None where none does."""
        with self._lock:
            for index, work in enumerate(self._waiting):
                if fits(work):
                    del self._waiting[index]
                    return work
        return None

    def waiting(self) -> list[Work]:
        """All work, in order; it stays."""
        with self._lock:
            return list(self._waiting)

    def drain(self) -> list[Work | Order]:
        """Take out everything."""
        with self._lock:
            everything: list[Work | Order] = [*self._orders, *self._waiting]
            self._orders.clear()
            self._waiting.clear()
        return everything
