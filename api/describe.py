"""How films and clips look in JSON, and where they are found."""

from typing import Any

from session.film import ClipRecord
from session.writers import Film
from warm.avatar import CANONICAL_EYES, CANONICAL_IOD, CANONICAL_SIZE, Avatar
from warm.sessions import DEFAULT_SESSION


def session_url(session_id: str) -> str:
    """Where what belongs to a session is found."""
    return "/session" if session_id == DEFAULT_SESSION else f"/sessions/{session_id}"


def film_url(session_id: str) -> str:
    """Where the growing film of a session is found."""
    return f"{session_url(session_id)}/full_session.mp4"


def describe_clip(clip: ClipRecord, fps: int) -> dict[str, Any]:
    """One clip and its place in the film."""
    return {
        "index": clip.index,
        "start_s": clip.first_frame / fps,
        "duration_s": clip.frames / fps,
        "frames": clip.frames,
        "text": clip.text,
    }


def describe_film(session_id: str, film: Film | None, avatar: Avatar) -> dict[str, Any]:
    """A session's film; None is one in which nothing has been said."""
    committed = film.committed if film else None
    frames = committed.frames if committed else 0
    width, height = avatar.size
    return {
        "session_id": session_id,
        "exists": film is not None,
        "video_path": str(film.path) if film else None,
        "video_url": film_url(session_id) if film else None,
        "stream_url": f"{session_url(session_id)}/stream",
        "codecs": film.codecs if film else None,
        "width": width,
        "height": height,
        "fps": avatar.fps,
        "frames": frames,
        "duration_s": frames / avatar.fps,
        "bytes": committed.bytes if committed else 0,
        "clips": [describe_clip(clip, avatar.fps) for clip in committed.clips] if committed else [],
        "avatar_id": avatar.id,
        "idle": {
            "url": f"/avatars/{avatar.id}/idle.mp4",
            "path_url": f"/avatars/{avatar.id}/path.json",
            "frames": avatar.period,
            "frame": frames % avatar.period,
        },
    }


def describe_path(avatar: Avatar) -> dict[str, Any]:
    """The face transforms of one turn of the idle loop.

    A pose `[a, b, x, y]` maps a point (u, v) of the upright crop to (a u - b v + x, b u + a v + y)
    of the frame.
    """
    width, height = avatar.size
    poses = avatar.path[:, (0, 1, 0, 1), (0, 0, 2, 2)]
    return {
        "width": width,
        "height": height,
        "crop": {"size": CANONICAL_SIZE, "eyes": CANONICAL_EYES, "eye_distance": CANONICAL_IOD},
        "poses": poses.round(4).tolist(),
    }
