"""Errors of conversations, one class per cause."""

from warm.jobs.errors import shorten


class UnknownTurn(LookupError):
    """No turn has this id, or it belongs to another caller."""

    def __init__(self, turn_id: str) -> None:
        super().__init__(
            f"id = {shorten(turn_id)}: no such turn; GET /chat/history lists those of a session"
        )


class UnknownPersona(LookupError):
    """No persona has this id."""

    def __init__(self, persona_id: str, known: list[str]) -> None:
        super().__init__(
            f"persona = {shorten(persona_id)}: is not known; allowed: {', '.join(known)}"
        )


class SessionAnswering(RuntimeError):
    """The session is answering, and the request does not want to wait."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session_id = {session_id!r}: is answering, and when_busy = 'refuse'; send the text"
            " again when the answer has ended, or with when_busy = 'queue' or 'interrupt'"
        )


class BadUserText(ValueError):
    """A text cannot be answered."""


class NoRoomForReply(RuntimeError):
    """The film of the session has become full in the middle of a reply."""

    def __init__(self, session_id: str, setting: str) -> None:
        super().__init__(
            f"session_id = {session_id!r}: its film is full ({setting}), and the rest of the reply"
            " was not said; reset the session, or raise the setting"
        )


class TurnNotReady(RuntimeError):
    """A turn has no video yet, or ended without one."""

    def __init__(self, turn_id: str, state: str, reason: str = "") -> None:
        hint = reason or "ask again once its status is 'done'"
        super().__init__(f"id = {turn_id!r}: is {state!r} and has no video; {hint}")


class TurnGone(LookupError):
    """The film of a turn was reset or deleted."""

    def __init__(self, turn_id: str) -> None:
        super().__init__(
            f"id = {turn_id!r}: its session was reset, and its part of the film is gone; archives"
            " of the film, if any, are listed by GET /archives"
        )
