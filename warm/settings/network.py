"""Lists in the network settings: host names, origins of web pages, sources of frames.

A list is a string of words, separated by commas or spaces. A YAML file may also hold a sequence.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

ANY = "*"
DEFAULT_PORTS = {"http": 80, "https": 443}
FRAME_KEYWORDS = ("self", "none")
SEPARATORS = re.compile(r"[,\s]+")
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = rf"(?!.{{254}}){LABEL}(?:\.{LABEL})*"
HOST_NAME = re.compile(NAME, re.ASCII)
NAME_OR_DOMAIN = re.compile(rf"(?:\*?\.)?{NAME}", re.ASCII)
MAX_PORT = 65535

IpAddress = IPv4Address | IPv6Address


def words(value: str | None) -> tuple[str, ...]:
    """The words of a list."""
    return tuple(word for word in SEPARATORS.split(value or "") if word)


def joined(value: object) -> object:
    """A sequence of a YAML file as a list of words; any other value unchanged."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def read_address(host: str) -> IpAddress | None:
    """The address that a host is, with or without brackets; None for a name."""
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
    """An origin as browsers send it; None if it is none, as is everything with a path."""
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
    """The port as browsers send it: nothing for the scheme's own."""
    return "" if port in (None, DEFAULT_PORTS[scheme]) else f":{port}"


def origin_hint(word: str) -> str:
    """The closest origin, for a message."""
    meant = canonical_origin(word.lower().rstrip("/")) or canonical_origin(f"http://{word}")
    return f" (did you mean {meant!r}?)" if meant else ""
