"""Parameters of a transport that shows the pictures as they are, without scaling them."""

from typing import Any

from warmtalk_client import Address, ensure_session, frame_size

FPS = 25


async def picture_params(
    url: str,
    *,
    session_id: str = "default",
    avatar_id: str | None = None,
    api_key: str | None = None,
) -> dict[str, Any]:
    """Return the arguments of `TransportParams` for the pictures of a session.

    The session is made if it does not exist. Without these arguments Pipecat scales every picture,
    and shows 30 a second. Raises ServerRefused and ConnectionLost.
    """
    address = Address(url, session_id, api_key)
    await ensure_session(address, avatar_id)
    width, height = await frame_size(address)
    return {
        "audio_out_enabled": True,
        "video_out_enabled": True,
        "video_out_is_live": True,
        "video_out_width": width,
        "video_out_height": height,
        "video_out_framerate": FPS,
    }
