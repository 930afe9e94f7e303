"""Logins that were ended before their time: a file that several servers may share."""

import json
import logging
import time
from pathlib import Path
from threading import Lock

from session.disk import replace_file
from warm.keys.key_file import locked
from warm.keys.key_ring import Signature, is_settled, signature_of

MAX_ENDED = 10_000
"""Ended logins that are remembered; the oldest is forgotten first."""

log = logging.getLogger(__name__)


class EndedLogins:
    """The ended logins of all servers of a folder. Any thread.

    The file is read again when it has changed, so a login that ended at one server ends at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._signature: Signature | None = None
        self._ended: dict[str, float] = {}
        """Time at which each ended login would have expired, by its id, seconds since the epoch."""

    def __contains__(self, login_id: str) -> bool:
        """Return True if a login was ended, at any server."""
        signature = signature_of(self._path)
        if signature is not None and signature != self._signature:
            with self._lock:
                self._read(signature)
        return login_id in self._ended

    def add(self, login_id: str, end_s: float) -> None:
        """Note the end of a login, which would have expired at `end_s`. Raises OSError."""
        with self._lock, locked(self._path):  # another server may add one at the same time
            self._read(signature_of(self._path))
            now_s = time.time()
            kept = {each: until_s for each, until_s in self._ended.items() if until_s > now_s}
            kept[login_id] = end_s
            self._ended = dict(sorted(kept.items(), key=lambda item: item[1])[-MAX_ENDED:])
            replace_file(self._path, json.dumps(self._ended).encode("ascii"))

    def _read(self, signature: Signature | None) -> None:
        """Add the logins in the file; those that are known stay ended, whatever it contains."""
        self._ended = {**self._ended, **read_ended(self._path)}
        is_final = signature is not None and is_settled(signature)
        self._signature = signature if is_final else None


def read_ended(path: Path) -> dict[str, float]:
    """Return the ended logins in a file; none if there is no usable file."""
    try:
        content = json.loads(path.read_bytes())
        return {str(login_id): float(end_s) for login_id, end_s in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        log.error("%s: is damaged; logins that were ended are valid again", path)  # noqa: TRY400
        return {}
