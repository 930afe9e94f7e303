"""STUN and TURN servers that viewers and the live process use, with credentials for a time."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass

from warm.settings import Settings
from warm.settings.network import words

TURN_SCHEMES = ("turn:", "turns:")


@dataclass(frozen=True, slots=True, kw_only=True)
class IceServer:
    """One server; a STUN server has no credentials."""

    url: str
    username: str | None = None
    credential: str | None = None

    def link(self) -> str:
        """Value of a `Link` header (draft-ietf-wish-whep)."""
        link = f'<{self.url}>; rel="ice-server"'
        if self.username is None:
            return link
        return (
            f'{link}; username="{self.username}"; credential="{self.credential}";'
            ' credential-type="password"'
        )


def ice_servers(settings: Settings, user: str) -> list[IceServer]:
    """Return the servers of the settings, with credentials that are valid from now on.

    `user`: name in the log of a TURN server.
    """
    secret = settings.turn_secret and settings.turn_secret.get_secret_value()
    expires_s = int(time.time()) + settings.turn_ttl_s
    return list(named_servers(words(settings.ice_servers), secret or None, expires_s, user))


def named_servers(
    urls: Iterable[str], secret: str | None, expires_s: int, user: str
) -> Iterable[IceServer]:
    """Yield servers; those of TURN have credentials that end at `expires_s` (Unix time)."""
    for url in urls:
        if url.startswith(TURN_SCHEMES) and secret is not None:
            name = f"{expires_s}:{user}"
            yield IceServer(url=url, username=name, credential=turn_password(secret, name))
        else:
            yield IceServer(url=url)


def turn_password(secret: str, username: str) -> str:
    """Password of a user whose name begins with the time at which it expires: the scheme of TURN
    servers that share a secret (coturn's `use-auth-secret`)."""
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
