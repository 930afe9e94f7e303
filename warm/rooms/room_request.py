"""A face that is to join a room."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRequest:
    """The room, the face, and the sound."""

    livekit_url: str
    token: str = field(repr=False)
    """Access token of the room."""
    session_id: str
    """Session whose face speaks."""
    avatar_id: str
    """Face of the session, if it is new."""
    is_temporary: bool
    """True: the session is deleted when the face has left the room."""
    sample_rate_hz: int
    api_key: str | None = field(default=None, repr=False)
    """Key with which the worker uses this server; None for a server without keys."""

    def job(self, warmtalk_url: str) -> dict[str, Any]:
        """Return the job of the worker: `Job` of integrations/livekit."""
        return {
            "livekit_url": self.livekit_url,
            "token": self.token,
            "warmtalk_url": warmtalk_url,
            "session_id": self.session_id,
            "avatar_id": self.avatar_id,
            "api_key": self.api_key,
            "sample_rate": self.sample_rate_hz,
        }
