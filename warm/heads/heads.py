"""The heads of one results folder, seen from one of them."""

import logging
import zlib
from pathlib import Path
from threading import Event

from warm.heads.claims import Claims
from warm.heads.errors import HeldElsewhere, LocksNotShared
from warm.heads.head import Head, HeadNewer, decoded
from warm.heads.key_homes import KeyHomes
from warm.heads.lock_file import is_held, read_note
from warm.heads.membership import FOLDER, SUFFIX, others, relay_secret
from warm.heads.peers import Peers

log = logging.getLogger(__name__)


class Heads:
    """This head, the others, and the claims of this one. Any thread."""

    def __init__(self, results: Path, own: Head, *, key_life_s: float) -> None:
        """`results` is the shared folder; `key_life_s`: that of `KeyHomes`. Raises OSError."""
        self.own = own
        self.key_homes = KeyHomes(results, own, life_s=key_life_s)
        self.peers = Peers(own, relay_secret(results))
        self.claims = LeavingClaims(results, self)
        self._results = results
        self._draining = Event()

    @property
    def is_draining(self) -> bool:
        """True if this head takes no more sessions."""
        return self._draining.is_set()

    def drain(self) -> None:
        """Take no more sessions."""
        self._draining.set()

    def others(self) -> list[Head]:
        """Return the other heads that run; raises OSError."""
        return others(self._results, self.own.name)

    def other(self, name: str) -> Head | None:
        """Return another head that runs; None if it does not. Raises OSError."""
        return next((head for head in self.others() if head.name == name), None)

    def successor(self, session_id: str) -> Head | None:
        """Return the head that a session goes to if this one cannot take it; None if it is alone.

        All heads choose the same one while the same heads run.
        """
        found = [head for head in self.others() if not self.peers.is_silent(head)]
        return max(found, key=lambda head: weight(head, session_id), default=None)

    def require_shared_locks(self) -> None:
        """Raise LocksNotShared if a head runs whose lock this one could take, and HeadNewer if a
        head of a newer release runs."""
        for path in (self._results / FOLDER).glob(f"*{SUFFIX}"):
            try:
                note = decoded(read_note(path))
            except HeadNewer:
                if is_held(path):
                    raise
                continue
            if note is None or note[0].name == self.own.name or is_held(path):
                continue
            if self.peers.is_running(note[0]):
                raise LocksNotShared(str(path), note[0])


class LeavingClaims(Claims):
    """Claims of a head, which takes no sessions while it drains or cannot write."""

    def __init__(self, results: Path, heads: Heads) -> None:
        super().__init__(results, heads.own, holds=heads.peers.holds)
        self._heads = heads

    def take(self, session_id: str) -> None:
        """Claim a session; a head that drains, or cannot write to the folder, refers to its
        successor, if there is one."""
        if self._heads.is_draining:
            self._refer(session_id)
        try:
            super().take(session_id)
        except OSError as error:
            log.exception("a session is left to another head", extra={"session_id": session_id})
            self._refer(session_id, error)
            raise

    def _refer(self, session_id: str, cause: OSError | None = None) -> None:
        """Raise HeldElsewhere for the successor, if there is one."""
        successor = self._heads.successor(session_id)
        if successor is not None:
            raise HeldElsewhere(session_id, successor) from cause


def weight(head: Head, session_id: str) -> int:
    """Return the rank of a head for a session (rendezvous hashing)."""
    return zlib.crc32(f"{head.name}\0{session_id}".encode())
