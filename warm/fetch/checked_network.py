"""Connections whose address is checked when they are made, with one deadline for all steps."""

import socket
import ssl
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import Any

from httpcore2 import (
    SOCKET_OPTION,
    ConnectError,
    ConnectTimeout,
    NetworkBackend,
    NetworkStream,
    ReadTimeout,
    SyncBackend,
)

from warm.fetch.addresses import AllowedNetworks, normal
from warm.fetch.errors import FetchFailed, ForbiddenAddress
from warm.settings.network import IpAddress

CONNECT_S = 10.0
"""Longest time for one connection."""
MAX_TRIED = 4
"""Addresses of one host that are tried."""
RESOLVERS = 8
PORTS = frozenset({80, 443, 8080, 8443})
"""Ports of hosts that the operator does not allow by name or network."""

_resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolver")
"""The system's resolver has no time limit of its own."""


class Deadline:
    """The time at which a request must have ended."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._end_s = time.monotonic() + total_s

    def left_s(self) -> float:
        """Return the remaining time; raises FetchFailed if there is none."""
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise FetchFailed(f"was not answered within {self._total_s:g} s; try again, or later")
        return left_s


class CheckedBackend(NetworkBackend):
    """Connects to permitted addresses only. The address that was checked is the one connected to.

    One request has one backend. Unix sockets are not supported.
    """

    def __init__(self, allowed: AllowedNetworks, deadline: Deadline) -> None:
        self._allowed, self._deadline = allowed, deadline
        self._network = SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline applies
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        """Connect to a host; raises ForbiddenAddress and FetchFailed."""
        addresses = self._permitted(host, port)
        failure: Exception | None = None
        for address in addresses[:MAX_TRIED]:
            try:
                stream = self._network.connect_tcp(
                    str(address),
                    port,
                    timeout=min(CONNECT_S, self._deadline.left_s()),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (ConnectError, ConnectTimeout) as error:
                failure = error
            else:
                return BoundedStream(stream, self._deadline)
        raise FetchFailed(f"cannot be reached: no connection to {host}:{port}") from failure

    def _permitted(self, host: str, port: int) -> list[IpAddress]:
        """Return the addresses of a host; raises ForbiddenAddress if one is not permitted."""
        addresses = self._resolve(host, port)
        if not all(self._allowed.permits(host, address) for address in addresses):
            raise ForbiddenAddress(
                f"leads to {host}, which is not a host of the public internet; the operator may"
                " allow it (fetch_allowed_networks)"
            )
        is_known = self._allowed.has_host(host) or all(map(self._allowed.has_address, addresses))
        if port not in PORTS and not is_known:
            raise ForbiddenAddress(
                f"leads to port {port} of {host}; allowed: {', '.join(map(str, sorted(PORTS)))},"
                " and others for hosts in fetch_allowed_networks"
            )
        return addresses

    def _resolve(self, host: str, port: int) -> list[IpAddress]:
        """Return the addresses of a host in the order of the system; raises FetchFailed."""
        return resolved(host, port, min(CONNECT_S, self._deadline.left_s()))


def resolved(host: str, port: int, timeout_s: float) -> list[IpAddress]:
    """Return the addresses of a host in the order of the system.

    Raises FetchFailed, and ForbiddenAddress for an address with a zone.
    """
    future: Future[list[Any]] = _resolvers.submit(
        socket.getaddrinfo, host, port, type=socket.SOCK_STREAM
    )
    try:
        addresses = [normal(each[4][0]) for each in future.result(timeout_s)]
    except (OSError, UnicodeError) as error:
        raise FetchFailed(f"has a host that cannot be found: {host}") from error
    except TooLate:
        future.cancel()
        raise FetchFailed(f"has a host that cannot be found in time: {host}") from None
    except ValueError as error:
        raise ForbiddenAddress(f"leads to an address of {host} that is local") from error
    return list(dict.fromkeys(addresses))


class BoundedStream(NetworkStream):
    """A connection whose steps all end at the deadline of the request."""

    def __init__(self, stream: NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Receive bytes; raises FetchFailed at the deadline."""
        try:
            return self._stream.read(max_bytes, self._deadline.left_s())
        except ReadTimeout:
            self._deadline.left_s()
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send bytes; raises FetchFailed at the deadline."""
        self._stream.write(buffer, self._deadline.left_s())

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> NetworkStream:
        """Continue with TLS on the same connection."""
        left_s = min(CONNECT_S, self._deadline.left_s())
        stream = self._stream.start_tls(ssl_context, server_hostname, left_s)
        return BoundedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection."""
        return self._stream.get_extra_info(info)
