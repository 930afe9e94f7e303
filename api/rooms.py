"""Faces for rooms of LiveKit: what the routes of the several services have in common."""

import secrets

from flask import request

from api.access import KeyRequired, challenge
from api.context import context, find_session
from api.credentials import sent_secrets
from warm.avatars.store import AvatarMissing
from warm.rooms.room_request import RoomRequest

DEFAULT_FACE = "default"
"""Id of an agent that stands for the avatar of the settings, unless an avatar is called that."""
DEFAULT_RATE_HZ = 24_000
SESSION_PREFIX = "room-"


def key_for_worker() -> str | None:
    """Return the caller's key as it was sent: the worker uses this server with it.

    None for a server without keys. Raises KeyRequired for a caller who has logged in on the page.
    """
    ring = context().access.ring
    if not ring.is_required:
        return None
    for secret in sent_secrets(request.headers):
        if ring.find([secret]) is not None:
            return secret
    raise KeyRequired(challenge(request))


def face_of(agent_id: str) -> str:
    """Return the id of the avatar that an agent's id names; raises AvatarMissing, BadAvatarId."""
    app_context = context()
    try:
        return app_context.avatars.summary(agent_id).id
    except AvatarMissing:
        default = app_context.settings.avatar_id
        if agent_id not in (DEFAULT_FACE, default):
            raise
        return default


def room_request(
    *,
    livekit_url: str,
    token: str,
    avatar_id: str,
    session_id: str | None = None,
    sample_rate_hz: int = DEFAULT_RATE_HZ,
) -> RoomRequest:
    """Return the request for a face in a room; without a session, it gets one of its own.

    Raises BadSessionId and KeyRequired.
    """
    is_temporary = session_id is None
    name = f"{SESSION_PREFIX}{secrets.token_hex(8)}" if session_id is None else session_id
    return RoomRequest(
        livekit_url=livekit_url,
        token=token,
        session_id=find_session(name).id,
        avatar_id=avatar_id,
        is_temporary=is_temporary,
        sample_rate_hz=sample_rate_hz,
        api_key=key_for_worker(),
    )
