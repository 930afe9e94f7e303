"""Errors of live watching, as the worker raises them."""

UNKNOWN_AVATAR = "unknown-avatar"
"""Kind of `LiveRefused` that `LiveHub.call` handles itself."""


class LiveUnavailable(RuntimeError):
    """The live process cannot answer now; the request may be sent again."""

    def __init__(self, reason: str, retry_after_s: int = 2) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class LiveRefused(ValueError):
    """A handler of the live process refused a request.

    Handlers raise it in the live process, and `LiveHub.call` raises it again in the worker.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        """Short name of the cause, by which a view chooses the status of its answer."""
        self.detail = detail


class LiveFailed(RuntimeError):
    """A handler of the live process failed with an unexpected error."""
