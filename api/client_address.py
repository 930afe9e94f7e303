"""Address of the client of a request, in the form that identifies the client."""

import ipaddress

from flask import request

from api.caller import caller
from warm.sessions.shares import Client

LOCAL = "local"
"""Clients of a unix socket, which have no address."""
IPV6_PREFIX_BITS = 64
"""Prefix of the smallest network assigned to an IPv6 subscriber; the rest of an address varies."""


def client_address() -> str:
    """Return the address of the client of this request, as `normal_address` gives it."""
    return normal_address(request.remote_addr)


def request_client() -> Client:
    """Return the client of this request: its key, if it was made with one, else its address."""
    found = caller()
    return Client(address=client_address(), key=found.name or None, max_queued=found.max_queued)


def normal_address(peer: str | None) -> str:
    """Return one name for each client: an IPv4 address, the /64 network of an IPv6 address, or
    `LOCAL` for a peer without an IP address."""
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:
        return LOCAL
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address.is_loopback:
        return str(address)
    return str(ipaddress.IPv6Network((int(address), IPV6_PREFIX_BITS), strict=False))


def is_local(client: str) -> bool:
    """True for the name of a client on this machine, which may be a proxy for many clients."""
    return client == LOCAL or ("/" not in client and ipaddress.ip_address(client).is_loopback)
