"""LiveKit servers that faces may join: the setting `livekit_servers`."""

from urllib.parse import urlsplit

from warm.fetch.addresses import AllowedNetworks, is_public
from warm.fetch.checked_network import resolved
from warm.fetch.errors import FetchError
from warm.fetch.web_address import parse_address
from warm.rooms.errors import BadRoom
from warm.settings.network import IpAddress, words

HTTP = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
PUBLIC = "public"
"""Word of the setting that stands for all hosts of the public internet."""
RESOLVE_S = 5.0


class LiveKitHosts:
    """The hosts and networks of the setting. Any thread."""

    def __init__(self, value: str) -> None:
        self._has_public = PUBLIC in words(value)
        self._allowed = AllowedNetworks(value)

    def check(self, field: str, url: str) -> None:
        """Raise BadRoom unless a LiveKit server at this address may be joined."""
        try:
            scheme = urlsplit(url).scheme.lower()
        except ValueError:
            scheme = ""
        if scheme not in HTTP:
            raise BadRoom(field, "must be the address of a LiveKit server: wss:// or ws://")
        try:
            address = parse_address(HTTP[scheme] + url[len(scheme) :])
            found = resolved(address.host, address.port, RESOLVE_S)
        except FetchError as error:
            raise BadRoom(field, f" {error}") from None
        if not all(self._permits(address.host, each) for each in found):
            raise BadRoom(
                field,
                f"leads to {address.host}, which livekit_servers does not allow; the operator may"
                " list the host there",
            )

    def _permits(self, host: str, address: IpAddress) -> bool:
        is_listed = self._allowed.has_host(host) or self._allowed.has_address(address)
        return is_listed or (self._has_public and is_public(address))
