"""What a feed shows."""

from dataclasses import dataclass

from warm.avatars.avatar import Avatar


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FeedPlace:
    """A session, its avatar and the state of its film."""

    session_id: str
    avatar_key: str
    """Identity of the avatar, which changes when it is prepared again."""
    avatar: Avatar
    fps: int
    path: str
    """Of the film."""
    position: int
    """Frames of the film that were shown to a viewer who has always watched."""
    committed: int
    """Frames of the film on disk."""
