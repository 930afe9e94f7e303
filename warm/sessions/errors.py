"""What can be wrong with a session, one class per cause."""


class BadSessionId(ValueError):
    """Not a name that a session can have."""

    def __init__(self, received: object) -> None:
        super().__init__(f"session_id = {received!r}: must be 1 to 64 letters, digits, '-' or '_'")


class UnknownSession(LookupError):
    """There is no session of that name, or nothing has been said in it."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session_id = {session_id!r}: nothing has been said in this session yet")


class UnusableSession(RuntimeError):
    """A session in which nothing can be said: its film or its avatar does not allow it."""

    def __init__(
        self, session_id: str, reason: str, remedy: str = "reset it to begin anew"
    ) -> None:
        super().__init__(f"session_id = {session_id!r} cannot be continued: {reason}; {remedy}")


class SessionExists(RuntimeError):
    """Something has been said in the session already, with other choices."""

    def __init__(self, session_id: str, field_name: str, has: object, asked: object) -> None:
        super().__init__(
            f"session_id = {session_id!r} exists with {field_name} = {has!r}, not {asked!r}, and "
            "something has been said in it; reset it with these choices, or take another id"
        )
