"""Faults of pushes."""


class BadPush(ValueError):
    """A request for a push is not usable: its address is malformed, or not allowed."""

    def __init__(self, field: str, message: str) -> None:
        """`field` is the member of the request; `message` has no secrets."""
        super().__init__(f"{field} {message}")
        self.field = field


class PushFailed(RuntimeError):
    """A connection could not be made, or has ended. The message is the reason in plain words."""


class PushRefused(PushFailed):
    """The server refused the push: its key, its format, or a stream that is there already."""


class PushForbidden(PushFailed):
    """The host leads to an address that is not allowed; the push is not retried."""


class UnknownPush(LookupError):
    """A session has no push with this id."""

    def __init__(self, session_id: str, push_id: str) -> None:
        super().__init__(
            f"push_id = {push_id[:64]!r}: session {session_id!r} has no such push; "
            f"GET /sessions/{session_id}/push lists them"
        )


class TooManyPushes(RuntimeError):
    """As many pushes run as the settings allow."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} pushes run, which is the limit (max_pushes); delete one, or raise the setting"
        )
