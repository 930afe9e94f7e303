"""Number of connections that the server keeps open, in all and for one client."""

import resource
from collections import Counter
from pathlib import Path

from api.client_address import LOCAL, is_local, normal_address
from api.server.request_reader import Address
from warm.settings.network import TrustedProxies

MIN_CONNECTIONS = 16
"""Kept even if the limit on open files is very low."""
FILES_PER_CONNECTION = 2
"""A connection, and the film that is sent on it."""
FILES_PER_SPEAKER = 4
"""Files of a film that is being written."""
SHARES = 2
"""One client may have one of so many shares of the connections."""
OPEN_FILES = Path("/proc/self/fd")


def connection_limit(wanted: int, *, speakers: int) -> int:
    """Return the number of connections that the limit on open files has room for."""
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = soft_limit - open_files() - FILES_PER_SPEAKER * speakers
    return max(MIN_CONNECTIONS, min(wanted, spare // FILES_PER_CONNECTION))


def open_files() -> int:
    """Number of files that this process has open; 0 if the system does not report it."""
    return sum(1 for _ in OPEN_FILES.iterdir()) if OPEN_FILES.is_dir() else 0


def client_of(address: Address) -> str:
    """Return the name by which the client at an address is told apart."""
    return normal_address(address[0] if isinstance(address, tuple) else None)


def is_proxy(address: Address, proxies: TrustedProxies) -> bool:
    """True for a proxy that speaks for many clients, whose connections have no share."""
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

    def has_too_many(self, client: str) -> bool:
        """True if this client has more than its share; clients of this machine have none."""
        return self._open[client] > self._share and not is_local(client)

    def add(self, client: str) -> None:
        """Count a connection."""
        self._open[client] += 1

    def remove(self, client: str) -> None:
        """Count a closed connection."""
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]
