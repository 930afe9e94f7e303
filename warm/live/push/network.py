"""Connections to the servers of pushes: names are resolved here, and addresses are checked."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from warm.fetch.addresses import normal
from warm.fetch.checked_http import tls_context
from warm.live.push.allowed_hosts import PushHosts
from warm.live.push.destination import Destination
from warm.live.push.errors import PushFailed
from warm.settings.network import IpAddress

RESOLVE_S = 5.0
CONNECT_S = 5.0
"""Longest time for a connection, and for its TLS."""
MAX_TRIED = 4
"""Addresses of one host that are tried."""
RESOLVERS = 4
UNSENT_BYTES = 1 << 15
"""Data that waits in the kernel although the network could take it; the rest waits in our queue,
which is bounded by its duration."""


class PushNetwork:
    """Connects to permitted addresses only: the address that was checked is connected to."""

    def __init__(self, hosts: PushHosts, tls: Callable[[], ssl.SSLContext] = tls_context) -> None:
        self.hosts, self.tls = hosts, tls
        self._resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="push-resolver")

    async def resolve(
        self, destination: Destination, kind: socket.SocketKind = socket.SOCK_STREAM
    ) -> list[IpAddress]:
        """Return the addresses of a host, all permitted; raises PushFailed and PushForbidden."""
        host, port = destination.host, destination.port
        loop = asyncio.get_running_loop()
        query = loop.run_in_executor(self._resolvers, lambda: lookup(host, port, kind))
        try:
            found = await asyncio.wait_for(query, RESOLVE_S)
            addresses = list(dict.fromkeys(normal(each[4][0]) for each in found))
        except TimeoutError:
            raise PushFailed(f"the name {host} was not resolved within {RESOLVE_S:g} s") from None
        except (OSError, UnicodeError, ValueError):
            raise PushFailed(f"the host {host} is not known to the name service") from None
        self.hosts.require(destination, addresses)
        return addresses[:MAX_TRIED]

    async def open_stream(
        self, destination: Destination, *, is_tls: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect by TCP, and TLS with the name of the host; raises PushFailed and its kinds."""
        connection = await self._connect(destination)
        try:
            return await asyncio.open_connection(
                sock=connection,
                ssl=self.tls() if is_tls else None,
                server_hostname=destination.host if is_tls else None,
                ssl_handshake_timeout=CONNECT_S if is_tls else None,
            )
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise PushFailed(
                f"the certificate of {destination.host} is not trusted ({error.verify_message})"
            ) from None
        except OSError as error:  # ssl.SSLError is one
            connection.close()
            raise PushFailed(f"TLS with {destination.host} failed ({reason_of(error)})") from None

    async def _connect(self, destination: Destination) -> socket.socket:
        failure = "no address"
        for address in await self.resolve(destination):
            connection = socket.socket(
                socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM
            )
            try:
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                limit_unsent(connection)
                loop = asyncio.get_running_loop()
                target = (str(address), destination.port)
                await asyncio.wait_for(loop.sock_connect(connection, target), CONNECT_S)
            except (OSError, TimeoutError) as error:
                connection.close()
                failure = reason_of(error)
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise PushFailed(f"no connection to {destination.host}:{destination.port} ({failure})")


def lookup(host: str, port: int, kind: socket.SocketKind) -> list[Any]:
    """Resolve a host with the resolver of the system; blocks."""
    return socket.getaddrinfo(host, port, type=kind)


def limit_unsent(connection: socket.socket) -> None:
    """Have the kernel hold little unsent data, where it can."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def reason_of(error: BaseException) -> str:
    """Return the reason of a fault of the network in a few words."""
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "protocol error").replace("_", " ").lower()
    if isinstance(error, ConnectionResetError):
        return "connection reset by peer"  # asyncio raises it without a number
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if number else type(error).__name__
