"""Hosts that pushes may go to: the setting `push_urls`."""

from collections.abc import Sequence

from warm.fetch.addresses import is_public
from warm.live.push.destination import Destination
from warm.live.push.errors import BadPush, PushForbidden
from warm.settings.network import (
    IpAddress,
    canonical_host,
    read_address,
    read_network,
    words,
)

PUBLIC = "public"
"""Word of the setting that stands for all hosts of the public internet."""
FIRST_FREE_PORT = 1024
PUBLIC_PORTS = (80, 443)
"""Ports below `FIRST_FREE_PORT` of hosts that are not listed; others serve mail and the like."""


class PushHosts:
    """The hosts and networks of the setting `push_urls`. Any thread."""

    def __init__(self, value: str | None) -> None:
        found = words(value)
        self._is_off = not found
        self._has_public = PUBLIC in found
        self._networks = [each for word in found if (each := read_network(word)) is not None]
        self._names = {canonical_host(word) for word in found if read_network(word) is None}

    def check(self, destination: Destination) -> None:
        """Raise BadPush for a destination that is refused whatever its name resolves to."""
        if self._is_off:
            raise BadPush("url", "cannot be used: pushes are off; name its host in push_urls")
        address = read_address(destination.host)
        try:
            if address is not None:
                self.require(destination, [address])
            elif not (self._has_public or self._networks or self.is_named(destination.host)):
                raise self._forbidden(destination)
        except PushForbidden as error:
            raise BadPush("url", str(error)) from None

    def require(self, destination: Destination, addresses: Sequence[IpAddress]) -> None:
        """Raise PushForbidden unless a push may go to all of these addresses of its host."""
        if not all(self.permits(destination, address) for address in addresses):
            raise self._forbidden(destination)

    def permits(self, destination: Destination, address: IpAddress) -> bool:
        """True if a push may send to an address on behalf of its destination."""
        if self.is_named(destination.host) or any(address in each for each in self._networks):
            return True
        port, is_plain_http = destination.port, destination.scheme == "http"
        is_usual = port >= FIRST_FREE_PORT or port in PUBLIC_PORTS
        return self._has_public and is_public(address) and is_usual and not is_plain_http

    def permits_media(self, destination: Destination, address: IpAddress) -> bool:
        """True if media may be sent to an address that the server of a destination names."""
        if self.is_named(destination.host) or any(address in each for each in self._networks):
            return True
        return self._has_public and is_public(address)

    def is_named(self, host: str) -> bool:
        """True for a host whose name is in the list."""
        return canonical_host(host) in self._names

    def _forbidden(self, destination: Destination) -> PushForbidden:
        plain = "; http:// needs it" if destination.scheme == "http" else ""
        return PushForbidden(
            f"leads to port {destination.port} of {destination.host}, which push_urls does not "
            f"allow; the operator may list the host there{plain}"
        )
