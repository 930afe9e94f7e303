"""Network settings that are lists (hosts, origins, proxies) or paths.

A list is a string of words, separated by commas or spaces. A YAML file may also hold a sequence.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

ANY = "*"
DEFAULT_PORTS = {"http": 80, "https": 443}
FRAME_KEYWORDS = ("self", "none")
SEPARATORS = re.compile(r"[,\s]+")
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = rf"(?!.{{254}}){LABEL}(?:\.{LABEL})*"
HOST_NAME = re.compile(NAME, re.ASCII)
NAME_OR_DOMAIN = re.compile(rf"(?:\*?\.)?{NAME}", re.ASCII)
UNIX_PREFIX = "unix:"
"""Beginning of a `host` that is the path of a unix socket."""
UNIX = "unix"
"""The peer of a unix socket, in `trusted_proxies`."""
PATH_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", re.ASCII)

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


def words(value: str | None) -> tuple[str, ...]:
    """The words of a list."""
    return tuple(word for word in SEPARATORS.split(value or "") if word)


def host_words(value: str) -> tuple[str, ...]:
    """The hosts to listen on, separated by commas only: the path of a socket may have spaces."""
    return tuple(word.strip() for word in value.split(",") if word.strip())


def joined(value: object) -> object:
    """A sequence of a YAML file as a list of words; any other value unchanged."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def read_address(host: str) -> IpAddress | None:
    """Parse a host as an address, with or without brackets; None for a name."""
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def canonical_host(host: str) -> str:
    """A host in the form in which hosts are compared: lower case, no brackets, no final dot."""
    address = read_address(host)
    return str(address) if address else host.lower().removesuffix(".")


def check_hosts(value: str | None) -> None:
    """Raise ValueError for a word that is neither a name, an address, `.DOMAIN` nor `*`."""
    for word in words(value):
        host = canonical_host(word)
        if word != ANY and not read_address(host) and not NAME_OR_DOMAIN.fullmatch(host):
            raise ValueError(
                f"{word!r} is not a host; allowed: names, IP addresses, .DOMAIN for a domain with"
                " its subdomains, * for every host, without scheme and port"
            )


def check_origins(value: str | None) -> None:
    """Raise ValueError for a word that is neither an origin as browsers send it nor `*`."""
    for word in words(value):
        if word != ANY and word != canonical_origin(word):
            raise ValueError(
                f"{word!r} is not an origin{origin_hint(word)}; allowed: http://HOST:PORT or"
                " https://HOST:PORT in lower case, without path and default port, or * for every"
                " origin"
            )


def check_frame_ancestors(value: str) -> None:
    """Raise ValueError unless the words are origins, or one of `self`, `none` and `*`."""
    found = frame_words(value)
    if not found or ("none" in found and len(found) > 1):
        raise ValueError("must be none alone, or a list; allowed: self, none, *, origins of pages")
    check_origins(" ".join(word for word in found if word not in FRAME_KEYWORDS))


def frame_words(value: str) -> tuple[str, ...]:
    """The words of `frame_ancestors`; keywords may have the quotes that they have in HTTP."""
    return tuple(word.strip("'") for word in words(value))


def canonical_origin(origin: str) -> str | None:
    """An origin as browsers send it; None for anything else, such as a URL with a path."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    host = canonical_host(parts.hostname or "")
    address = read_address(host)
    if parts.scheme not in DEFAULT_PORTS or not (address or HOST_NAME.fullmatch(host)):
        return None
    if parts.username is not None or parts.query or parts.fragment or parts.path:
        return None
    shown = f"[{host}]" if isinstance(address, IPv6Address) else host
    return f"{parts.scheme}://{shown}{origin_port(parts.scheme, port)}"


def origin_port(scheme: str, port: int | None) -> str:
    """The port as browsers send it: empty for the default of the scheme."""
    return "" if port in (None, DEFAULT_PORTS[scheme]) else f":{port}"


def origin_hint(word: str) -> str:
    """The closest origin, for a message."""
    meant = canonical_origin(word.lower().rstrip("/")) or canonical_origin(f"http://{word}")
    return f" (did you mean {meant!r}?)" if meant else ""


def read_network(word: str) -> IpNetwork | None:
    """Parse a network such as `10.0.0.0/8`, or a single address; None for other words."""
    try:
        return ip_network(word)
    except ValueError:
        return None


class TrustedProxies:
    """The peers in a list of addresses, networks and `unix`."""

    def __init__(self, value: str | None) -> None:
        found = words(value)
        self._trusts_unix = UNIX in found
        self._networks = [network for word in found if (network := read_network(word))]

    def __contains__(self, peer: str) -> bool:
        """True for an address in the list, and for a peer without one if `unix` is in it."""
        address = read_address(peer)
        if address is None:
            return self._trusts_unix
        return any(address in network for network in self._networks)


def check_proxies(value: str | None) -> None:
    """Raise ValueError for a word that is neither an address, a network nor `unix`."""
    for word in words(value):
        if word != UNIX and read_network(word) is None:
            raise ValueError(
                f"{word!r} is not a proxy; allowed: IP addresses, networks such as 10.0.0.0/8"
                " (without host bits), unix for peers of a unix socket"
            )


def check_networks(value: str | None, *, has_public: bool) -> None:
    """Raise ValueError for a word that is neither a name, an address nor a network.

    `has_public`: the word `public` has a meaning in this list.
    """
    public = ", public for all hosts of the internet" if has_public else ""
    for word in words(value):
        if read_network(word) is None and not HOST_NAME.fullmatch(canonical_host(word)):
            raise ValueError(
                f"{word!r} is not a host or network{host_hint(word)}; allowed: names, IP addresses,"
                f" networks such as 10.0.0.0/8 (without host bits){public}; without scheme, port"
                " and wildcards"
            )


def host_hint(word: str) -> str:
    """The network, or the host in an address with a scheme or a port, for a message."""
    meant = network_without_host_bits(word) or host_of_address(word)
    return f" (did you mean {meant!r}?)" if meant else ""


def network_without_host_bits(word: str) -> str | None:
    """The network of `10.0.0.5/8`; None for other words."""
    try:
        return str(ip_network(word, strict=False))
    except ValueError:
        return None


def host_of_address(word: str) -> str | None:
    """The host of an address such as `rtmp://a.example/live` or `a.example:80`; None without it."""
    has_scheme = "://" in word
    if "/" in word and not has_scheme:
        return None  # the mask of a network, such as 10.0.0.0/99
    try:
        host = canonical_host(urlsplit(word if has_scheme else f"//{word}").hostname or "")
    except ValueError:
        return None
    return host if read_address(host) or HOST_NAME.fullmatch(host) else None


def check_public_url(value: str | None) -> None:
    """Raise ValueError unless the value is an http or https address, with or without a path."""
    if value is None:
        return
    try:
        parts = urlsplit(value)
        origin = canonical_origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        origin = None
    if origin is None or parts.query or parts.fragment:
        raise ValueError(
            "must be an address without query, such as https://talk.example or"
            " https://example.com/talk"
        )


def checked_head_url(value: str | None) -> str | None:
    """Return a head's address without a trailing slash; raises ValueError if it has a path."""
    if value is None:
        return None
    check_public_url(value)
    if urlsplit(value).path.strip("/"):
        raise ValueError("must be an address without a path, such as http://10.0.0.5:8000")
    return value.rstrip("/")


def canonical_prefix(value: str | None) -> str:
    """A path prefix without final slash; empty for none."""
    return (value or "").rstrip("/")


def check_prefix(value: str | None) -> None:
    """Raise ValueError unless the value is a path of plain segments."""
    prefix = canonical_prefix(value)
    if prefix and not PATH_PREFIX.fullmatch(prefix):
        raise ValueError(
            "must be a path; allowed: / and segments of letters, digits, -, _, ~ and ., such as"
            " /talk"
        )
