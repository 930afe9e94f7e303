"""The caller of a request: the key that it was made with."""

from dataclasses import dataclass

from flask import g

from warm.keys.scopes import ALL_SCOPES, KeyScope


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request, as far as a key identifies it."""

    name: str
    """Name of the key; empty without one. It is the `owner` of what the caller makes."""
    scopes: frozenset[KeyScope]
    max_queued: int | None = None
    """Most places of a queue that the caller may take; None: no limit but that of the queue."""

    @property
    def is_admin(self) -> bool:
        """True if the caller may see and change what belongs to others."""
        return "admin" in self.scopes

    def has(self, scope: KeyScope) -> bool:
        """True if the caller may use routes of this scope."""
        return self.is_admin or scope in self.scopes

    def owns(self, owner: str) -> bool:
        """True if the caller may see and change what belongs to `owner`."""
        return self.is_admin or (bool(self.name) and self.name == owner)


LOCAL_CALLER = Caller(name="", scopes=ALL_SCOPES)
"""The caller of every request to a server without keys."""
NOBODY = Caller(name="", scopes=frozenset())
"""The caller of a public route without a valid key, on a server with keys."""


def set_caller(found: Caller) -> None:
    """Note the caller of the current request, before its view runs."""
    g.caller = found


def caller() -> Caller:
    """Return the caller of the current request. A server without keys has only LOCAL_CALLER."""
    found: Caller = g.get("caller", LOCAL_CALLER)
    return found
