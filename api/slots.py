"""Slots for long responses: a limit for all clients, and a share of it for one client."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from api.client_address import is_local

SHARES = 2
"""One client may have one part in this many of the slots."""
CROWDED_S = 10.0
"""Time after a refusal for which the slots count as crowded."""


class Slots:
    """Slots that clients take and give back. Any thread.

    Clients on this machine may take all: a proxy may serve many clients.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._lock = Lock()
        self._taken: Counter[str] = Counter()
        self._refused_s = float("-inf")

    @property
    def share(self) -> int:
        """Number of slots that one client of another machine may have."""
        return max(1, self.limit // SHARES)

    @property
    def taken(self) -> int:
        """Number of slots in use."""
        return self._taken.total()

    @property
    def is_crowded(self) -> bool:
        """True if a client was refused a short time ago because all slots were taken."""
        return self._clock() - self._refused_s <= CROWDED_S

    @contextmanager
    def hold(self, client: str, full: Callable[[int, str], Exception]) -> Iterator[None]:
        """Take a slot for the block; raise `full`, called with a limit and its scope, if none is
        free for the client."""
        with self._lock:
            self._require_free(client, full)
            self._taken[client] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[client] -= 1
                self._taken += Counter()  # removes zeros

    def _require_free(self, client: str, full: Callable[[int, str], Exception]) -> None:
        if self._taken.total() >= self.limit:
            self._refused_s = self._clock()
            raise full(self.limit, "in total")
        if self._taken[client] >= self.share and not is_local(client):
            raise full(self.share, "for one client")
