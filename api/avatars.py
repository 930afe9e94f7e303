"""Avatars: preparation, the list, and the files of each."""

from typing import Any

from flask import Blueprint, Response, jsonify, send_from_directory

from api.answers.avatars import AvatarDetails, AvatarsAnswer, PathAnswer
from api.answers.preparations import PreparationAnswer
from api.answers.sessions import DeletedAnswer
from api.context import context
from api.forms import read_form
from api.operation import HeaderName, operation
from api.preparations import (
    PrepareForm,
    find_preparation,
    preparation_json,
    submit_preparation,
)
from api.problem import NoPreparation
from api.serializers import avatar_details_json, avatar_json, avatar_path_json
from warm.avatars.store import IDLE_FILM, PREVIEW
from warm.preparer.errors import AvatarInUse
from warm.preparer.handler import read_face_picture

CONDITIONS: tuple[HeaderName, ...] = ("Range", "If-Range", "If-Match", "If-None-Match")
"""Headers of a request for a file."""

avatars = Blueprint("avatars", __name__)


@avatars.get("/avatars")
@operation(answers={200: AvatarsAnswer}, tag="avatars", scope="watch")
def list_all() -> dict[str, Any]:
    """All prepared avatars; the one in the settings is `active`."""
    active_id = context().settings.avatar_id
    return {"avatars": [avatar_json(each, active_id) for each in context().avatars.list()]}


@avatars.post("/avatars/prepare")
@operation(
    form=PrepareForm,
    answers={200: PreparationAnswer},
    headers=("Idempotency-Key",),
    problems=(404, 409, 503, 507),
    tag="avatars",
    scope="prepare",
)
def prepare() -> dict[str, Any]:
    """Prepare an avatar from a photo or video, as a job.

    An avatar that is up to date is not prepared again unless `force_recreate` is set. One that
    exists is replaced when the preparation has succeeded. Fields named `action_NAME` add actions;
    without `video_file`, to an avatar that exists.
    """
    form = read_form(PrepareForm)
    return preparation_json(submit_preparation(form))


@avatars.get("/avatars/<avatar_id>/preparation")
@operation(answers={200: PreparationAnswer}, problems=(503,), tag="avatars", scope="watch")
def show_preparation(avatar_id: str) -> dict[str, Any]:
    """The last preparation that a client requested for an avatar."""
    return preparation_json(find_preparation(avatar_id))


@avatars.get("/avatars/<avatar_id>/preparation/preview.jpg")
@operation(answers={200: "image/jpeg"}, problems=(503,), tag="avatars", scope="watch")
def preparation_preview(avatar_id: str) -> Response:
    """The current frame of a preparation, with box and landmarks."""
    picture = read_face_picture(context().jobs.folder(find_preparation(avatar_id)))
    if picture is None:
        raise NoPreparation(avatar_id, "the preparation has found no face yet; try again later")
    return Response(picture, mimetype="image/jpeg", headers={"Cache-Control": "no-store"})


@avatars.get("/avatars/<avatar_id>")
@operation(answers={200: AvatarDetails}, problems=(503,), tag="avatars", scope="watch")
def show(avatar_id: str) -> dict[str, Any]:
    """An avatar, with its quality and its users."""
    app_context = context()
    summary = app_context.avatars.summary(avatar_id)
    used_by = app_context.usage.users(avatar_id)
    return avatar_details_json(summary, app_context.settings.avatar_id, used_by)


@avatars.delete("/avatars/<avatar_id>")
@operation(answers={200: DeletedAnswer}, problems=(409, 503), tag="avatars", scope="prepare")
def delete(avatar_id: str) -> dict[str, str]:
    """Delete an avatar that nothing uses."""
    app_context = context()
    app_context.avatars.summary(avatar_id)
    if users := app_context.usage.users(avatar_id):
        raise AvatarInUse(avatar_id, users)
    app_context.avatars.delete(avatar_id)
    app_context.runtime.avatar_cache.forget(avatar_id)
    return {"status": "success", "message": f"avatar {avatar_id!r} was deleted"}


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
