"""Addresses of the public internet, and others that the operator allows."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from warm.settings.network import IpAddress, canonical_host, read_network, words

SPECIAL_IPV4 = tuple(
    IPv4Network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # services of Azure for its own machines
    )
)
"""Networks of the registry of special addresses (RFC 6890 and its successors), and multicast.
Python knows most of them, but not in every version."""
PUBLIC_IPV6 = IPv6Network("2000::/3")
"""All addresses that IANA has allocated; the rest is local, reserved or a translation of IPv4."""
NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses of translators: the last 32 bits are an IPv4 address (RFC 6052)."""
COMPATIBLE = IPv6Network("::/96")
"""IPv4-compatible addresses (RFC 4291); `::` and `::1` are among them."""
TUNNELS = tuple(
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocols of the IETF, Teredo and ORCHID among them (RFC 2928)
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address follows (RFC 3056)
        "3fff::/20",  # documentation
    )
)
"""Networks within PUBLIC_IPV6 that are tunnels, or lead nowhere."""


def is_public(address: IpAddress) -> bool:
    """True for a unicast address of the public internet, as far as the address shows."""
    if isinstance(address, IPv6Address):
        embedded = embedded_ipv4(address)
        if embedded is not None:
            return address in NAT64 and is_public(embedded)
        in_tunnel = any(address in network for network in TUNNELS)
        return address in PUBLIC_IPV6 and address.is_global and not in_tunnel
    return address.is_global and not any(address in network for network in SPECIAL_IPV4)


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address in a translated or compatible address; None for others."""
    if address in NAT64 or address in COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def normal(text: str) -> IpAddress:
    """Parse an address that a resolver has returned; an IPv4-mapped one becomes IPv4.

    Raises ValueError, also for an address with a zone.
    """
    if "%" in text:
        raise ValueError(f"{text!r} has a zone")
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


class AllowedNetworks:
    """The hosts and networks of the setting `fetch_allowed_networks`."""

    def __init__(self, value: str | None) -> None:
        found = words(value)
        self._networks = [each for word in found if (each := read_network(word)) is not None]
        self._hosts = {canonical_host(word) for word in found if read_network(word) is None}

    def has_host(self, host: str) -> bool:
        """True for a host whose name is in the list."""
        return canonical_host(host) in self._hosts

    def has_address(self, address: IpAddress) -> bool:
        """True for an address in one of the networks."""
        return any(address in network for network in self._networks)

    def permits(self, host: str, address: IpAddress) -> bool:
        """True if a connection to `host` at this address is allowed."""
        return is_public(address) or self.has_host(host) or self.has_address(address)
