"""Faults of faces in rooms."""

INSTALL = (
    "make a virtual environment, install integrations/client and integrations/livekit in it with"
    " pip, and set livekit_worker to its folder: docs/voice-agents.md"
)


class BadRoom(ValueError):
    """A request for a face in a room is not usable."""

    def __init__(self, field: str, fault: str) -> None:
        """`fault` is a predicate without secrets."""
        super().__init__(f"{field}{'' if fault.startswith(' =') else ':'} {fault.lstrip()}")
        self.field = field


class WorkerMissing(RuntimeError):
    """The program that joins rooms is not installed, or not configured."""

    def __init__(self, value: str | None, reason: str = "is not a program") -> None:
        named = "is not set, so faces cannot join rooms of LiveKit"
        fault = f" = {value!r}: {reason}" if value else f": {named}"
        super().__init__(f"livekit_worker{fault}; {INSTALL}")


class NoAddress(RuntimeError):
    """The server does not listen on a port, and a worker cannot reach it."""

    def __init__(self) -> None:
        super().__init__(
            "host: the server listens on unix sockets only, and workers need a port; add 127.0.0.1"
        )


class TooManyRooms(RuntimeError):
    """As many faces are in rooms as the settings allow."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} faces are in rooms, which is the limit (max_rooms); try again when one has"
            " left, or raise the setting"
        )


class JoinFailed(RuntimeError):
    """The worker could not join the room."""


class JoinTimedOut(RuntimeError):
    """The worker has not joined the room in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the room was not joined within {seconds:.0f} s; check transport.server_url and the"
            " network between this machine and the LiveKit server"
        )
