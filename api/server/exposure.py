"""Refusal to start without keys where other machines can reach the server."""

import logging
from ipaddress import ip_address

from api.server.folder_lock import CannotStart
from api.server.listening import addresses_of
from warm.installation import own_command
from warm.keys.key_ring import KeyRing
from warm.settings import Settings
from warm.settings.network import UNIX_PREFIX, host_words

log = logging.getLogger(__name__)


def require_protection(settings: Settings, ring: KeyRing) -> None:
    """Raise CannotStart if other machines can reach the server and it has no keys."""
    exposed = [word for word in host_words(settings.host) or ("",) if is_exposed(word)]
    if not exposed or ring.count:
        return
    received = f"host = {settings.host!r}"
    if settings.insecure:
        log.warning("%s: anyone who can reach this server has full access to it", received)
        return
    raise CannotStart(
        f"{received}: other machines can reach this address, and there is no key. Make one with"
        f" `{own_command('keys', 'add', 'NAME')}`, or set WARMTALK_API_KEYS in the environment of"
        " a container, or listen on 127.0.0.1 behind a proxy with a login; --insecure true starts"
        " without keys: docs/security.md"
    )


def is_exposed(host: str) -> bool:
    """True if a host has an address that other machines can reach; raises CannotStart."""
    if host.startswith(UNIX_PREFIX):
        return False
    addresses = addresses_of(host or "0.0.0.0", 0)
    return not all(
        ip_address(address.partition("%")[0]).is_loopback for _, (address, _) in addresses
    )
