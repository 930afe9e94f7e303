"""Avatars: list them, look at them."""

from typing import Any

from flask import Blueprint, Response, jsonify, send_from_directory

from api.context import running
from api.serializers import describe_path
from warm.avatars.store import IDLE_FILM, PREVIEW, AvatarSummary

avatars = Blueprint("avatars", __name__)


@avatars.get("/avatars")
def list_all() -> dict[str, Any]:
    """Every prepared avatar; the one that speaks is `active`."""
    return {"avatars": [describe(summary) for summary in running().avatars.list()]}


@avatars.get("/avatars/<avatar_id>/preview.png")
def preview(avatar_id: str) -> Response:
    """What preparation found: box, landmarks, mask."""
    return file(avatar_id, PREVIEW, "image/png")


@avatars.get("/avatars/<avatar_id>/idle.mp4")
def idle(avatar_id: str) -> Response:
    """One whole turn of the idle loop, without sound."""
    return file(avatar_id, IDLE_FILM, "video/mp4")


@avatars.get("/avatars/<avatar_id>/path.json")
def path(avatar_id: str) -> Response:
    """How the head goes in one turn of the idle loop; the page joins film and idle face by it."""
    response = jsonify(describe_path(running().avatars.open(avatar_id)))
    response.headers["Cache-Control"] = "no-cache"
    return response


def file(avatar_id: str, name: str, mimetype: str) -> Response:
    """A file in an avatar's folder; avatars never change, but one may be made anew."""
    avatars = running().avatars
    avatars.summary(avatar_id)
    folder = avatars.folder(avatar_id)
    response = send_from_directory(folder.resolve(), name, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-cache"
    return response


def describe(summary: AvatarSummary) -> dict[str, Any]:
    """An avatar as JSON."""
    width, height = summary.size
    return {
        "id": summary.id,
        "active": summary.id == running().settings.avatar_id,
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
        "preview_url": f"/avatars/{summary.id}/{PREVIEW}",
        "idle_url": f"/avatars/{summary.id}/{IDLE_FILM}",
    }
