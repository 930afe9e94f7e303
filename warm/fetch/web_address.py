"""Parsing of an http or https address, strictly, so that all parts of the server agree on it."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote, urljoin, urlsplit

from warm.fetch.errors import BadAddress
from warm.settings.network import DEFAULT_PORTS, HOST_NAME

MAX_CHARS = 2048
MAX_SHOWN_CHARS = 80
NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
"""A last label of this form makes a host an IPv4 address, in one of several notations."""
FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\<>\"^`{|}\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """An http or https address."""

    scheme: str
    host: str
    """A name in ASCII, an IPv4 address, or an IPv6 address without brackets."""
    port: int
    target: str
    """Path and query, in ASCII."""

    @property
    def authority(self) -> str:
        """Host and port as in the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def joined(self, location: str) -> "WebAddress":
        """Return the address of a redirect; raises BadAddress."""
        return parse_address(urljoin(str(self), location))


def parse_address(url: str) -> WebAddress:
    """Parse an address; raises BadAddress for anything but http and https."""
    if len(url) > MAX_CHARS:
        raise BadAddress(f"has {len(url)} characters; at most {MAX_CHARS} are allowed")
    shown = repr(url[:MAX_SHOWN_CHARS])
    if FORBIDDEN.search(url):
        raise BadAddress(f"= {shown}: has a character that must be percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"= {shown}: is not an address ({error})") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise BadAddress(f"= {shown}: must begin with http:// or https://")
    if "@" in parts.netloc:
        raise BadAddress("has a user name or password; send an address without them")
    return WebAddress(
        scheme=parts.scheme,
        host=parse_host(parts.hostname or "", parts.netloc),
        port=DEFAULT_PORTS[parts.scheme] if port is None else port,
        target=target_of(parts.path, parts.query),
    )


def parse_host(host: str, netloc: str) -> str:
    """Return a host in ASCII; raises BadAddress."""
    if netloc.startswith("["):
        return parse_ipv6(host)
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise BadAddress(f"has the host {host[:MAX_SHOWN_CHARS]!r}, which is not a name") from None
    name = name.removesuffix(".")
    if NUMBER.fullmatch(name.rpartition(".")[2]):
        return parse_ipv4(name)
    if not HOST_NAME.fullmatch(name):
        raise BadAddress(f"has the host {host[:MAX_SHOWN_CHARS]!r}, which is not a name or address")
    return name


def parse_ipv4(host: str) -> str:
    """Return an IPv4 address; raises BadAddress for other notations than four decimal numbers."""
    try:
        return str(ip_address(host))
    except ValueError:
        raise BadAddress(
            f"has the host {host[:MAX_SHOWN_CHARS]!r}; write an IPv4 address as four decimal"
            " numbers, such as 192.0.2.1"
        ) from None


def parse_ipv6(host: str) -> str:
    """Return an IPv6 address; raises BadAddress, also for one with a zone."""
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if not isinstance(address, IPv6Address) or address.scope_id is not None:
        raise BadAddress(
            f"has the host {host[:MAX_SHOWN_CHARS]!r}, which is not an IPv6 address, or has a zone"
        )
    return str(address)


def target_of(path: str, query: str) -> str:
    """Return path and query for the request line; other characters than ASCII are encoded."""
    path = quote(path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(query, safe='/%:@!$&()*+,;=~-._?')}" if query else path
