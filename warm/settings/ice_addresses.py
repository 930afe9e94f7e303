"""Addresses of STUN and TURN servers (RFC 7064, RFC 7065)."""

import re

from warm.settings.network import HOST_NAME, canonical_host, read_address, words

ADDRESS = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9a-fA-F:.]+\]|[^:?\[\]]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)

TRANSPORTS = {
    "stun": (None,),
    "stuns": (None,),
    "turn": (None, "udp", "tcp"),
    "turns": (None, "tcp"),
}
"""Transports of each scheme; no browser speaks TURN over DTLS, `turns` with `udp`."""


def check_ice_servers(value: str | None) -> None:
    """Raise ValueError for a word that is not the address of a STUN or TURN server."""
    for word in words(value):
        found = ADDRESS.fullmatch(word)
        if not found or not is_host(found["host"]) or not is_usable(found):
            raise ValueError(
                f"{word!r} is not an ICE server; allowed: stun:HOST:PORT,"
                " turn:HOST:PORT?transport=udp or =tcp, turns:HOST:PORT?transport=tcp"
            )


def require_no_turn_server(value: str | None) -> None:
    """Raise ValueError for a TURN server: browsers refuse TURN servers without credentials."""
    for word in words(value):
        if word.startswith("turn"):
            raise ValueError(
                f"is missing, and browsers use {word!r} of ice_servers with credentials only;"
                " allowed: the secret that the TURN servers share with this one (coturn:"
                " static-auth-secret)"
            )


def is_host(host: str) -> bool:
    """True for a name or an address."""
    return read_address(host) is not None or bool(HOST_NAME.fullmatch(canonical_host(host)))


def is_usable(found: re.Match[str]) -> bool:
    """True if the port is one, and the transport is one that the scheme has."""
    has_transport = found["transport"] in TRANSPORTS[found["scheme"]]
    return 0 < int(found["port"] or 3478) < 1 << 16 and has_transport
