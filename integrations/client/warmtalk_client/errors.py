"""Errors of the client."""

from http import HTTPStatus


class WarmtalkError(RuntimeError):
    """Base class of the errors of this package."""


class ServerRefused(WarmtalkError):
    """The server answered a request with an error."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"Warmtalk answered {status}: {detail}")
        self.status = status
        self.detail = detail

    @property
    def is_lasting(self) -> bool:
        """True if another attempt will be refused, too; false while a server starts or is full."""
        is_fault_of_server = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return not is_fault_of_server and self.status != HTTPStatus.TOO_MANY_REQUESTS


class ConnectionLost(WarmtalkError):
    """The server cannot be reached, or the connection to it broke."""
