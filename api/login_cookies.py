"""The cookie of a page that has logged in with a key."""

import hmac
import json
import logging
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

from itsdangerous import BadSignature, URLSafeTimedSerializer

from session.disk import replace_file
from warm.keys.api_key import ApiKey
from warm.keys.key_ring import KeyRing

COOKIE = "warmtalk_login"
LOGIN_S = 7 * 24 * 3600
"""Life of a login, seconds."""
SECRET_NAME = "login_secret"
"""File in the folder of results; without it, all logins end."""
SECRET_BYTES = 32
DIGEST_CHARS = 16
"""Length of the part of a key's hash in the cookie. With it, a new key of the same name ends the
login."""
ENDED_NAME = "ended_logins.json"
"""File in the folder of results: logins that were ended before their time."""
MAX_ENDED = 10_000
"""Ended logins that are remembered; the oldest is forgotten first."""

log = logging.getLogger(__name__)


class LoginCookies:
    """Makes and checks the values of the cookie, which are signed. Any thread."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._lock = Lock()
        self._serializer: URLSafeTimedSerializer | None = None
        self._ended: dict[str, float] = {}
        """Time at which each ended login would have expired, by its id, seconds since the epoch."""

    def issue(self, key: ApiKey) -> str:
        """Return a new value for a key."""
        login = [key.name, key.digest.hex()[:DIGEST_CHARS], secrets.token_urlsafe(12)]
        return str(self._signer().dumps(login))

    def key_of(self, value: str, ring: KeyRing) -> ApiKey | None:
        """Return the key of a value; None if it is forged, expired, ended, or its key is gone."""
        login = self._login_of(value)
        if login is None:
            return None
        name, digest, login_id = login
        key = ring.named(name)
        if key is None or login_id in self._ended:
            return None
        return key if hmac.compare_digest(digest, key.digest.hex()[:DIGEST_CHARS]) else None

    def end(self, value: str) -> None:
        """Make a value invalid, also after a restart. Raises OSError."""
        login = self._login_of(value)
        if login is None:
            return
        now_s = time.time()
        with self._lock:
            kept = {each: end_s for each, end_s in self._ended.items() if end_s > now_s}
            kept[login[2]] = now_s + LOGIN_S
            self._ended = dict(list(kept.items())[-MAX_ENDED:])
            text = json.dumps(self._ended)
            replace_file(self._results / ENDED_NAME, text.encode("ascii"))

    def _login_of(self, value: str) -> tuple[str, str, str] | None:
        """Return name, hash and id of a valid login."""
        try:
            name, digest, login_id = self._signer().loads(value, max_age=LOGIN_S)
        except (BadSignature, ValueError, TypeError):
            return None
        return str(name), str(digest), str(login_id)

    def _signer(self) -> URLSafeTimedSerializer:
        with self._lock:
            if self._serializer is None:
                secret = read_secret(self._results / SECRET_NAME)
                self._ended = read_ended(self._results / ENDED_NAME)
                self._serializer = URLSafeTimedSerializer(secret, salt="warmtalk login")
            return self._serializer


def read_ended(path: Path) -> dict[str, float]:
    """Return the ended logins; none if there is no usable file."""
    try:
        content = json.loads(path.read_bytes())
        return {str(login_id): float(end_s) for login_id, end_s in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        log.error("%s: is damaged; logins that were ended are valid again", path)  # noqa: TRY400
        return {}


def read_secret(path: Path) -> bytes:
    """Return the secret of the signatures; makes one that only its owner can read if there is
    none. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
    secret = path.read_bytes()
    if len(secret) == SECRET_BYTES:
        return secret
    path.unlink()  # a crash cut it off
    return read_secret(path)
