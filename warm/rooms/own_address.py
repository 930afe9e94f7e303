"""The address of this server for workers on the same machine."""

from ipaddress import IPv6Address

from warm.settings.network import UNIX_PREFIX, host_words, read_address


def own_url(host: str, port: int) -> str | None:
    """Return the address for the settings `host` and `port`; None without a port."""
    words = [word for word in host_words(host) or ("",) if not word.startswith(UNIX_PREFIX)]
    if not words:
        return None
    return f"http://{reachable(words[0])}:{port}"


def reachable(host: str) -> str:
    """Return a host that reaches a server that listens on `host`, as it is written in a URL."""
    address = read_address(host)
    if address is None:
        return host or "127.0.0.1"
    if address.is_unspecified:
        return "[::1]" if isinstance(address, IPv6Address) else "127.0.0.1"
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)
