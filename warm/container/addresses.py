"""Addresses to listen on, checked before the start, so that a fault names its variable."""

import errno
import os
import socket
from collections.abc import Callable
from ipaddress import IPv6Address

from warm.container.errors import ContainerError
from warm.settings.network import UNIX_PREFIX, canonical_host, host_words, read_address

LOCALHOST = "localhost"
MISSING_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
Label = Callable[[str], str]
"""A setting with its value as the user has written it."""


def check_addresses(host: str, port: int, label: Label) -> None:
    """Raise ContainerError for an address that the server could not listen on."""
    for word in host_words(host):
        if not word.startswith(UNIX_PREFIX) and canonical_host(word) != LOCALHOST:
            check_address(word, port, label)


def check_address(host: str, port: int, label: Label) -> None:
    """Listen on one host for an instant; raises ContainerError if none of its addresses works."""
    faults = []
    for family, address in addresses_of(host, port, label):
        try:
            socket.create_server(address, family=family).close()
        except OSError as error:
            faults.append(error)
        else:
            return
    fault = faults[0]
    reason = os.strerror(fault.errno) if fault.errno else str(fault)
    if fault.errno in MISSING_FAMILY:
        raise ContainerError(
            f"{label('host')}: {host} is not an address of this container ({reason}); 0.0.0.0"
            " stands for all its addresses"
        )
    if fault.errno == errno.EACCES:
        raise ContainerError(
            f"{label('port')}: only root may listen on this port; use one above 1023, and publish"
            f" it: docker run -p {port}:8000 …"
        )
    raise ContainerError(f"{label('port')}: cannot listen on {host} ({reason}); choose another")


def addresses_of(
    host: str, port: int, label: Label
) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    """Family and address of each of a host's addresses; raises ContainerError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise ContainerError(
            f"{label('host')}: {host!r} is not an address of this container ({error}); 0.0.0.0"
            " stands for all its addresses"
        ) from None
    return [(family, (str(address[0]), port)) for family, *_, address in found]


def is_exposed(host: str, port: int, label: Label) -> bool:
    """True if a host has an address that other machines or containers can reach."""
    for word in host_words(host):
        if word.startswith(UNIX_PREFIX) or canonical_host(word) == LOCALHOST:
            continue
        for _, (address, _) in addresses_of(word, port, label):
            parsed = read_address(address.partition("%")[0])
            if parsed is None or not parsed.is_loopback:
                return True
    return False


def probed_address(host: str, port: int) -> str:
    """The address for the health check: HOST:PORT, or the path of a unix socket."""
    word = (host_words(host) or ("0.0.0.0",))[0]
    if word.startswith(UNIX_PREFIX):
        return word.removeprefix(UNIX_PREFIX)
    address = read_address(word)
    if address is None:
        return f"{word}:{port}"
    if address.is_unspecified:
        return f"[::1]:{port}" if isinstance(address, IPv6Address) else f"127.0.0.1:{port}"
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"
