"""Errors of preparations by a server; each message says what the client can do."""

from warm.avatars.recipe import PreparationError
from warm.avatars.store import AvatarError


class UnreadableSource(PreparationError):
    """The photo or video cannot be decoded."""


class PreparationTooLarge(PreparationError):
    """The preparation needs more memory than it may take."""


class PreparationTimedOut(PreparationError):
    """The preparation takes longer than it may."""


class PreparationCrashed(PreparationError):
    """The process of the preparation ended before it was finished."""


class PreparationCancelled(RuntimeError):
    """The preparation was cancelled, or the server is stopping."""


class AvatarBeingPrepared(AvatarError):
    """Another preparation of the same avatar is waiting or running."""

    def __init__(self, avatar_id: str) -> None:
        super().__init__(
            f"avatar_id = {avatar_id!r}: is being prepared; wait for the end of that preparation, "
            f"or cancel it (GET /avatars/{avatar_id}/preparation names its job)"
        )


class AvatarInUse(AvatarError):
    """The avatar cannot be deleted, because something uses it."""

    def __init__(self, avatar_id: str, users: list[str]) -> None:
        super().__init__(
            f"avatar_id = {avatar_id!r}: is used by {', '.join(users)}; delete those or choose "
            "another avatar for them, then try again"
        )
        self.users = users
        """Its users, in words."""
