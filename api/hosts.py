"""Refusal of requests for host names that are not this server's.

A page of another site can have its own name resolve to this server's address (DNS rebinding). A
browser then takes both for one origin, and the page could read and change everything. The name is
in the `Host` header, which no page can set.
"""

import re
import socket
from functools import cached_property

from flask import Flask, Request, request

from api.proxies import RECEIVED_HOST
from warm.settings import Settings
from warm.settings.network import ANY, IpAddress, canonical_host, host_words, read_address, words

AUTHORITY = re.compile(
    r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)(?::[0-9]{0,5})?", re.ASCII | re.IGNORECASE
)
LOOPBACK_NAMES = ("localhost", ".localhost", "ip6-localhost", "ip6-loopback")
"""Names that always resolve to this machine (RFC 6761, 6.3), and those of Debian's /etc/hosts."""


class BadHost(ValueError):
    """The request does not name one host."""

    def __init__(self, received: str) -> None:
        super().__init__(
            f"{received}: must be one host name or address, with or without a port; HTTP/1.1"
            " requires it"
        )


class UnknownHost(LookupError):
    """The request is meant for another host."""

    def __init__(self, received: str, host: str) -> None:
        super().__init__(
            f"{received}: is not a name of this server; use the address that it printed when"
            f" it started, or add {host!r} to the setting allowed_hosts"
        )


class KnownHosts:
    """The names and addresses of one server."""

    def __init__(self, settings: Settings) -> None:
        own = (*host_words(settings.host), *LOOPBACK_NAMES)
        allowed = words(settings.allowed_hosts)
        self._names = {canonical_host(word.removeprefix("*.")) for word in (*own, *allowed)}
        self._domains = tuple(
            canonical_host(word.removeprefix("*"))
            for word in (*LOOPBACK_NAMES, *allowed)
            if word.startswith((".", "*."))
        )
        self._is_open = ANY in allowed
        bound = [read_address(word) for word in host_words(settings.host)]
        self._is_everywhere = not bound or any(each and each.is_unspecified for each in bound)

    def __contains__(self, host: str) -> bool:
        """True for a host, in canonical form, by which clients may reach this server."""
        if self._is_open or host in self._names or f".{host}".endswith(self._domains):
            return True
        address = read_address(host)
        if address is not None:
            return address.is_loopback or (self._is_everywhere and is_own_address(address))
        return self._is_everywhere and host in self._machine_names

    @cached_property
    def _machine_names(self) -> frozenset[str]:
        name = canonical_host(socket.gethostname())
        short = name.partition(".")[0]
        return frozenset({name, short, f"{short}.local"})


def is_own_address(address: IpAddress) -> bool:
    """True if this machine has the address now: only then can it be bound."""
    if address.is_unspecified or address.is_multicast:
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def refuse_unknown_hosts(app: Flask, settings: Settings) -> None:
    """Check the host of every request before anything else reads it."""
    known = KnownHosts(settings)
    app.before_request(lambda: require_known_host(request, known))


def require_known_host(request: Request, known: KnownHosts) -> None:
    """Raise BadHost or UnknownHost unless all hosts that the request names are known.

    An HTTP/1.0 request may name none; browsers never send one.
    """
    named = dict(named_hosts(request))
    if not named and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0":
        raise BadHost("Host is missing")
    for source, authority in named.items():
        received = f"{source} = {authority!r}"
        match = AUTHORITY.fullmatch(authority)
        if match is None or (match[1].startswith("[") and not read_address(match[1])):
            raise BadHost(received)
        host = canonical_host(match[1])
        if host not in known:
            raise UnknownHost(received, host)


def named_hosts(request: Request) -> list[tuple[str, str]]:
    """Return each part of the request that names a host, with that host: `Host`, or a target URL.

    `Host` as received is included even if a proxy reports another one: a page whose name
    resolves to this server can send such reports from the machine of a trusted proxy.
    """
    replaced = request.environ.get(RECEIVED_HOST)
    reported = "Host" if replaced is None else "reported host"
    found = [(reported, request.environ.get("HTTP_HOST")), ("Host", replaced)]
    named = [(source, host) for source, host in found if host is not None]
    target = request.environ.get("RAW_URI", "")
    if not target.startswith("/") and "://" in target:
        named.append(("target", re.split(r"[/?#]", target.partition("://")[2], maxsplit=1)[0]))
    return named
