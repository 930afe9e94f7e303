"""The cookie of a page that has logged in with a key."""

import hmac
import os
import secrets
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

from itsdangerous import BadSignature, URLSafeTimedSerializer

from api.ended_logins import EndedLogins
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


class LoginCookies:
    """Makes and checks the values of the cookie, which are signed. Any thread."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._lock = Lock()
        self._serializer: URLSafeTimedSerializer | None = None
        self._ended = EndedLogins(results / ENDED_NAME)

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
        """Make a value invalid, also after a restart and at other servers of the folder.

        Raises OSError.
        """
        login = self._login_of(value)
        if login is not None:
            self._ended.add(login[2], time.time() + LOGIN_S)

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
                self._serializer = URLSafeTimedSerializer(secret, salt="warmtalk login")
            return self._serializer


def read_secret(path: Path) -> bytes:
    """Return the secret of the signatures; makes one that only its owner can read if there is
    none. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        secret = path.read_bytes()
        if len(secret) == SECRET_BYTES:
            return secret
        path.unlink()  # a crash cut it off
    make_secret(path)
    return path.read_bytes()


def make_secret(path: Path) -> None:
    """Store a secret, whole from the beginning, unless another server has done so meanwhile."""
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # has mode 600
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
