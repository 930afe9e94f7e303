"""Errors of sessions, one class per cause."""

from warm.sessions.shares import Limit


class BadSessionId(ValueError):
    """The value cannot be the id of a session."""

    def __init__(self, received: object) -> None:
        super().__init__(f"session_id = {received!r}: must be 1 to 64 letters, digits, '-' or '_'")


class UnknownSession(LookupError):
    """No session has this id, or nothing has been said in it."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session_id = {session_id!r}: nothing has been said in this session yet")


class UnusableSession(RuntimeError):
    """The film, record or avatar of a session prevents speech in it."""

    def __init__(
        self, session_id: str, reason: str, remedy: str = "reset it to start an empty film"
    ) -> None:
        super().__init__(f"session_id = {session_id!r} cannot be continued: {reason}; {remedy}")


class SessionBusy(RuntimeError):
    """Another change of the session does not end."""

    def __init__(self, session_id: str, waited_s: float) -> None:
        super().__init__(
            f"session_id = {session_id!r}: another change of this session has been waiting for the "
            f"disk for {waited_s:g} s; check the disk, and try again"
        )


class SessionExists(RuntimeError):
    """Something has been said in the session already, with other choices."""

    def __init__(self, session_id: str, field_name: str, has: object, asked: object) -> None:
        super().__init__(
            f"session_id = {session_id!r} exists with {field_name} = {has!r}, not {asked!r}, and "
            "something has been said in it; reset it with these choices, or use another id"
        )


class TooManySessions(RuntimeError):
    """The limit of sessions, or the share that a client has in it, is reached."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(f"{limit.describe('sessions exist')}; delete one first")
        self.limit = limit


class SessionFull(RuntimeError):
    """The film of a session has reached its maximum length or size."""


class DiskNearlyFull(RuntimeError):
    """The disk has less free space than `min_free_mb`."""
