"""Avatars: the list, and the files of each."""

from typing import Any

from flask import Blueprint, Response, jsonify, send_from_directory

from api.answers.avatars import AvatarsAnswer, PathAnswer
from api.context import context
from api.operation import HeaderName, operation
from api.serializers import avatar_json, avatar_path_json
from warm.avatars.store import IDLE_FILM, PREVIEW

CONDITIONS: tuple[HeaderName, ...] = ("Range", "If-Range", "If-Match", "If-None-Match")
"""Headers of a request for a file."""

avatars = Blueprint("avatars", __name__)


@avatars.get("/avatars")
@operation(answers={200: AvatarsAnswer}, tag="avatars", scope="watch")
def list_all() -> dict[str, Any]:
    """All prepared avatars; the one in the settings is `active`."""
    active_id = context().settings.avatar_id
    return {"avatars": [avatar_json(each, active_id) for each in context().avatars.list()]}


@avatars.get("/avatars/<avatar_id>/preview.png")
@operation(
    answers={200: "image/png", 206: "image/png", 304: ""},
    headers=CONDITIONS,
    problems=(409, 416),
    tag="avatars",
    scope="watch",
)
def preview(avatar_id: str) -> Response:
    """A picture of the result of the preparation: box, landmarks, mask."""
    return file(avatar_id, PREVIEW, "image/png")


@avatars.get("/avatars/<avatar_id>/idle.mp4")
@operation(
    answers={200: "video/mp4", 206: "video/mp4", 304: ""},
    headers=CONDITIONS,
    problems=(409, 416),
    tag="avatars",
    scope="watch",
)
def idle(avatar_id: str) -> Response:
    """One period of the idle loop, without sound."""
    return file(avatar_id, IDLE_FILM, "video/mp4")


@avatars.get("/avatars/<avatar_id>/path.json")
@operation(answers={200: PathAnswer}, problems=(409,), tag="avatars", scope="watch")
def path(avatar_id: str) -> Response:
    """The head poses of one period of the idle loop; the page aligns film and loop with them."""
    response = jsonify(avatar_path_json(context().avatars.open(avatar_id)))
    response.headers["Cache-Control"] = "no-cache"
    return response


def file(avatar_id: str, name: str, mimetype: str) -> Response:
    """Return a file of an avatar; clients revalidate it, as avatars can be prepared again."""
    store = context().avatars
    store.summary(avatar_id)
    response = send_from_directory(store.folder(avatar_id).resolve(), name, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-cache"
    return response
