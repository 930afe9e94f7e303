"""Listening sockets for addresses, names and unix sockets, opened before anything is loaded."""

import errno
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from ipaddress import IPv6Address
from pathlib import Path

from api.server.folder_lock import CannotStart
from warm.settings.network import UNIX_PREFIX, canonical_host, host_words, read_address

BACKLOG = 128
MISSING_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""Errors of an address that this machine does not have, such as `::1` without IPv6."""
PROBE_S = 2.0
"""Longest wait for a server that may own an existing unix socket."""


class Listeners(AbstractContextManager["Listeners"]):
    """Open listening sockets; the end of the block closes those that were not handed over."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self.sockets = tuple(sockets)

    def detach(self) -> list[int]:
        """Hand over the file descriptors; the caller closes them."""
        return [each.detach() for each in self.sockets]

    def __exit__(self, *_: object) -> None:
        for each in self.sockets:
            each.close()


def listen(host: str, port: int, *, socket_mode: str = "660") -> Listeners:
    """Return the listening sockets of a list of hosts; raises CannotStart.

    A host is an address, a name, or `unix:` with the path of a socket that gets the permissions
    `socket_mode` (octal). `::` includes IPv4, and a name all its addresses.
    """
    with ExitStack() as opened:
        sockets = []
        for word in host_words(host) or ("",):
            for each in open_sockets(word, port, int(socket_mode, 8)):
                sockets.append(opened.enter_context(each))
        opened.pop_all()
    return Listeners(sockets)


def open_sockets(host: str, port: int, mode: int) -> Iterator[socket.socket]:
    """Yield the sockets of one host; raises CannotStart."""
    if host.startswith(UNIX_PREFIX):
        yield open_unix_socket(Path(host.removeprefix(UNIX_PREFIX)), mode)
        return
    missing: OSError | None = None
    is_open = False
    for family, address in addresses_of(host, port):
        try:
            yield open_tcp_socket(family, address)
            is_open = True
        except OSError as error:
            if error.errno not in MISSING_FAMILY:
                raise cannot_listen(host, port, error) from error
            missing = error
    if not is_open and missing is not None:
        raise cannot_listen(host, port, missing) from missing


def addresses_of(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    """Return family and address of each of a host's addresses; raises CannotStart."""
    if canonical_host(host) == "localhost":  # both, whatever the resolver says
        return [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port))]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise CannotStart(
            f"host = {host!r}: is not an address of this machine ({error})"
        ) from error
    return list(dict.fromkeys((family, address[:2]) for family, *_, address in found))  # type: ignore[misc]


def open_tcp_socket(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    """Return a listening socket; one on `::` accepts IPv4 as well."""
    is_dual = family == socket.AF_INET6 and read_address(address[0]) == IPv6Address("::")
    return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=is_dual)


def cannot_listen(host: str, port: int, error: OSError) -> CannotStart:
    """Return the error of an address that cannot be bound."""
    reason = error.strerror or str(error)
    if error.errno in MISSING_FAMILY:
        return CannotStart(f"host = {host!r}: is not an address of this machine ({reason})")
    return CannotStart(
        f"port = {port}: cannot listen on {host} ({reason}); "
        "stop the program that uses it, or choose another with --port"
    )


def open_unix_socket(path: Path, mode: int) -> socket.socket:
    """Return a listening unix socket; one that a dead server has left is replaced."""
    name = f"host = {UNIX_PREFIX + str(path)!r}"
    try:
        remove_stale_socket(path, name)
        return bound_unix_socket(path, mode)
    except OSError as error:
        raise CannotStart(
            f"{name}: cannot listen there ({error.strerror or error}); choose a path in a folder"
            " that this user can write, of at most 107 bytes"
        ) from error


def bound_unix_socket(path: Path, mode: int) -> socket.socket:
    """Return a socket that listens on a path; no client can connect before it has permissions."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        path.chmod(mode)
        listener.listen(BACKLOG)
        opened.pop_all()
    return listener


def remove_stale_socket(path: Path, name: str) -> None:
    """Remove a socket on which no program listens; raises CannotStart for anything else there."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise CannotStart(f"{name}: is not a socket; remove it, or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                path.unlink()
            return
        except OSError as error:
            raise CannotStart(f"{name}: is in use ({error}); choose another path") from error
    raise CannotStart(f"{name}: another program listens there; stop it, or choose another path")


def shown_addresses(host: str, port: int) -> list[str]:
    """Return the addresses to print: those that a browser on this machine can open."""
    return [shown_address(word, port) for word in host_words(host) or ("0.0.0.0",)]


def shown_address(host: str, port: int) -> str:
    """Return the address of one host."""
    if host.startswith(UNIX_PREFIX):
        return host
    address = read_address(host)
    if address is None:
        return f"http://{host}:{port}"
    shown = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    if not address.is_unspecified:
        return f"http://{shown}:{port}"
    loopback = "[::1]" if isinstance(address, IPv6Address) else "127.0.0.1"
    return f"http://{loopback}:{port} (and at every other address of this machine)"
