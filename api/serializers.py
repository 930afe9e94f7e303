"""JSON of sessions, clips, archives and avatars, and their URLs."""

from dataclasses import asdict
from typing import Any

from flask import current_app, request

from api.iso_time import iso_time
from session.film import ClipRecord
from tts.voice import BadSpeechRequest, VoiceChoice
from warm.avatars.action import Action
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD, CANONICAL_SIZE, Avatar
from warm.avatars.face_report import face_report_json
from warm.avatars.mouth_report import mouth_json
from warm.avatars.store import IDLE_FILM, PREVIEW
from warm.avatars.summary import AvatarSummary
from warm.avatars.verdict import verdict_json
from warm.live.push.pushes import Pushes
from warm.runtime import Runtime
from warm.sessions.archive import ArchivedFilm
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session, SessionView

LIMITS = ("max_session_s", "max_session_mb", "session_idle_s")


def url(path: str) -> str:
    """URL of a resource from the root of the host, also below the path prefix of a proxy."""
    return f"{request.script_root}{path}"


def absolute_url(path: str) -> str:
    """Absolute URL of a resource: below `public_url`, else below the host of the request."""
    public = current_app.config["PUBLIC_URL"]
    return f"{(public or request.host_url).rstrip('/')}{path if public else url(path)}"


def session_url(session_id: str) -> str:
    """Common prefix of the URLs of a session's resources."""
    return url("/session" if session_id == DEFAULT_SESSION else f"/sessions/{session_id}")


def film_url(session_id: str) -> str:
    """URL of the growing film of a session."""
    return f"{session_url(session_id)}/full_session.mp4"


def clip_json(clip: ClipRecord, fps: int) -> dict[str, Any]:
    """JSON of one clip and its place in the film."""
    return {
        "index": clip.index,
        "start_s": clip.first_frame / fps,
        "duration_s": clip.frames / fps,
        "frames": clip.frames,
        "text": clip.text,
        "whole": clip.is_whole,
    }


def session_json(session: Session, runtime: Runtime, *, clips_from: int = 0) -> dict[str, Any]:
    """JSON of a session, its voice and its film, with the clips from `clips_from` on."""
    view = runtime.sessions.compatibility.view(session)
    voice, problem = voice_of(session, runtime)
    return {
        "session_id": view.id,
        **film_json(view, clips_from),
        "avatar_id": view.avatar_id,
        "idle": idle_json(view),
        "voice": voice.voice if voice else view.choices.voice,
        "language": voice.language if voice else view.choices.language,
        "speed": voice.speed if voice else view.choices.speed,
        "chosen": asdict(view.choices),
        "state": view.state,
        "problem": view.problem or problem,
        "created": view.created,
        "last_spoken": view.last_spoken,
        "limits": {name: getattr(runtime.sessions.limits, name) for name in LIMITS},
        "archives": [archive_json(film) for film in runtime.archive.all(view.id)],
    }


def voice_of(session: Session, runtime: Runtime) -> tuple[VoiceChoice | None, str]:
    """Return the voice of a session and an empty string, or None and the reason."""
    try:
        return runtime.choose(session), ""
    except BadSpeechRequest as error:
        return None, str(error)


def film_json(view: SessionView, clips_from: int) -> dict[str, Any]:
    """JSON of a session's film, or of the film that it will have."""
    film = view.film
    committed = film.committed if film else None
    spec = film.spec if film else view.facts.spec if view.facts else None
    frames = committed.frames if committed else 0
    clips = committed.clips[clips_from:] if committed else ()
    return {
        "exists": film is not None,
        "film": film.film_id if film else None,
        "video_path": str(film.path) if film else None,
        "video_url": film_url(view.id) if film else None,
        "stream_url": f"{session_url(view.id)}/stream",
        "codecs": film.codecs if film else None,
        "width": spec.width if spec else None,
        "height": spec.height if spec else None,
        "fps": spec.fps if spec else None,
        "frames": frames,
        "duration_s": frames / spec.fps if spec else 0.0,
        "bytes": committed.bytes if committed else 0,
        "damage": list(film.damage) if film else [],
        "clips": [clip_json(clip, spec.fps) for clip in clips] if spec else [],
    }


def idle_json(view: SessionView) -> dict[str, Any] | None:
    """JSON of the avatar's idle loop and its next frame; None if the avatar is not available."""
    if view.facts is None:
        return None
    frames = view.film.committed.frames if view.film else 0
    return {
        "url": url(f"/avatars/{view.facts.id}/idle.mp4"),
        "path_url": url(f"/avatars/{view.facts.id}/path.json"),
        "frames": view.facts.period,
        "frame": frames % view.facts.period,
    }


def archive_json(film: ArchivedFilm) -> dict[str, Any]:
    """JSON of an archived film."""
    film_at = url(f"/archives/{film.session_id}/{film.name}")
    return {
        "session_id": film.session_id,
        "name": film.name,
        "url": film_at,
        "captions_url": f"{film_at.removesuffix('.mp4')}.vtt",
        "bytes": film.bytes,
        "archived": film.archived,
    }


def avatar_json(summary: AvatarSummary, active_id: str) -> dict[str, Any]:
    """JSON of an avatar; `active_id` is the one in the settings."""
    width, height = summary.size
    return {
        "id": summary.id,
        "active": summary.id == active_id,
        "state": summary.state,
        "problem": summary.problem,
        "width": width,
        "height": height,
        "fps": summary.fps,
        "frames": summary.frames,
        "loop": summary.loop,
        "source": summary.source,
        "created": summary.created,
        "bytes": summary.bytes,
        "notes": summary.notes,
        "verdict": verdict_json(summary.verdict) if summary.verdict else None,
        "mouth": mouth_json(summary.mouth) if summary.mouth else None,
        "actions": [
            action_json(summary.actions[name], summary.fps) for name in sorted(summary.actions)
        ],
        "preview_url": url(f"/avatars/{summary.id}/{PREVIEW}"),
        "idle_url": url(f"/avatars/{summary.id}/{IDLE_FILM}"),
    }


def action_json(action: Action, fps: int) -> dict[str, Any]:
    """JSON of an action clip."""
    return {
        "name": action.name,
        "frames": action.frames,
        "duration_s": action.frames / fps,
        "mouth_share": round(action.mouth_frames / action.frames, 3),
        "source": action.source,
    }


def avatar_details_json(
    summary: AvatarSummary, active_id: str, used_by: list[str]
) -> dict[str, Any]:
    """JSON of an avatar with the report of its face, and of its users."""
    face, verdict = summary.face, summary.verdict
    return {
        **avatar_json(summary, active_id),
        "face": {**face_report_json(face), "certainty": face.certainty} if face else None,
        "warnings": [
            *([summary.problem] if summary.problem else []),
            *([remark.message for remark in verdict.remarks] if verdict else []),
        ],
        "used_by": used_by,
    }


def push_json(push: dict[str, Any]) -> dict[str, Any]:
    """JSON of a push."""
    times = {name: iso_time(push[name]) for name in ("since", "created")}
    return push | times


def pushes_json(pushes: Pushes) -> dict[str, Any]:
    """JSON of all pushes, with their counters."""
    return {**pushes.counts(), "pushes": [push_json(each) for each in pushes.all()]}


def avatar_path_json(avatar: Avatar) -> dict[str, Any]:
    """JSON of the face transforms of one period of the idle loop.

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
