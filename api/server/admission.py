"""Number of connections that the server keeps open, in total and for one client."""

import resource
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from api.client_address import LOCAL, is_local, normal_address
from api.server.request_reader import Address
from warm.settings.network import TrustedProxies

MIN_CONNECTIONS = 16
"""Kept even if the limit on open files is very low."""
EXTRA_CONNECTIONS = 8
"""Connections over the limit, on which only probes and interruptions are answered."""
FILES_PER_CONNECTION = 2
"""A connection, and the film that is sent on it."""
FILES_PER_SESSION = 2
"""A film and its journal, which stay open."""
FILES_PER_SPEAKER = 6
"""The files of a film that is being written, and of the voice."""
OTHER_FILES = 32
"""Speech workers, files that are being read, exports."""
SHARES = 2
"""One client may have one part in this many of the connections."""
OPEN_FILES = Path("/proc/self/fd")


def connection_limit(wanted: int, *, sessions: int, speakers: int) -> int:
    """Return the number of connections that the limit on open files allows in addition to films.

    If the limit on open files is low, the films get half of what is left.
    """
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = max(0, soft_limit - open_files() - EXTRA_CONNECTIONS)
    films = FILES_PER_SESSION * sessions + FILES_PER_SPEAKER * speakers + OTHER_FILES
    left = spare - min(films, spare // 2)
    return max(MIN_CONNECTIONS, min(wanted, left // FILES_PER_CONNECTION))


def fit_slots(limits: Sequence[int], connections: int) -> list[int]:
    """Return limits of long responses that leave a part of the connections for short ones."""
    room = connections - max(MIN_CONNECTIONS // 2, connections // 8)
    total = sum(limits)
    return [max(1, min(limit, limit * room // total)) for limit in limits]


def open_files() -> int:
    """Number of files that this process has open; 0 if the system does not report it."""
    return sum(1 for _ in OPEN_FILES.iterdir()) if OPEN_FILES.is_dir() else 0


def client_of(address: Address) -> str:
    """Return the name that identifies the client at an address."""
    return normal_address(address[0] if isinstance(address, tuple) else None)


def is_proxy(address: Address, proxies: TrustedProxies) -> bool:
    """True for a trusted proxy: its connections belong to many clients, so no share applies."""
    return (address[0] if isinstance(address, tuple) else LOCAL) in proxies


class Admission:
    """Counts the connections of each client. Owned by the event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._share = max(1, limit // SHARES)
        self._open: Counter[str] = Counter()

    def is_full(self) -> bool:
        """True if all clients together have more connections than allowed."""
        return self._open.total() > self.limit

    def is_overfull(self) -> bool:
        """True if even the extra connections, for requests that must not wait, are in use."""
        return self._open.total() > self.limit + EXTRA_CONNECTIONS

    def has_too_many(self, client: str | None) -> bool:
        """True if this client has more than its share.

        No share applies to clients on this machine, nor to a proxy (None).
        """
        return client is not None and self._open[client] > self._share and not is_local(client)

    def add(self, client: str) -> None:
        """Count a connection."""
        self._open[client] += 1

    def remove(self, client: str) -> None:
        """Count a closed connection."""
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]
