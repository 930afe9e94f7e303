"""Errors of the client."""


class WarmtalkError(RuntimeError):
    """Base class of the errors of this package."""


class ServerRefused(WarmtalkError):
    """The server answered a request with an error."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"Warmtalk answered {status}: {detail}")
        self.status = status
        self.detail = detail


class ConnectionLost(WarmtalkError):
    """The server cannot be reached, or the connection to it broke."""
