"""`/clips/presenters`: the avatars as presenters."""

from typing import Any

import cv2
from flask import Response, request

from api.answers.did import DriversAnswer, PresenterAnswer, PresentersAnswer
from api.context import context
from api.did.errors import UnknownPresenter, did_blueprint
from api.did.film_routes import MAX_LISTED, ListQuery
from api.did.lenient import read_lenient_query
from api.operation import operation
from api.serializers import absolute_url
from warm.avatars.summary import AvatarSummary

DRIVER_ID = "default"
"""The only driver of a presenter: its own movements."""

presenters = did_blueprint("presenters")


@presenters.get("/clips/presenters", strict_slashes=False)
@operation(query=ListQuery, answers={200: PresentersAnswer}, tag="did", scope="watch")
def list_all() -> dict[str, Any]:
    """The avatars that can speak."""
    page, token = presenter_page()
    return {"presenters": [presenter_json(each) for each in page], "token": token}


@presenters.get("/clips/presenters/<presenter_id>", strict_slashes=False)
@operation(answers={200: PresenterAnswer}, tag="did", scope="watch")
def show(presenter_id: str) -> dict[str, Any]:
    """One avatar."""
    return presenter_json(find_presenter(presenter_id))


@presenters.get("/clips/presenters/<presenter_id>/drivers", strict_slashes=False)
@operation(answers={200: DriversAnswer}, tag="did", scope="watch")
def drivers(presenter_id: str) -> dict[str, Any]:
    """The drivers of an avatar, of which there is one."""
    found = find_presenter(presenter_id)
    driver = {
        "driver_id": DRIVER_ID,
        "presenter_id": found.id,
        "preview_url": absolute_url(f"/avatars/{found.id}/idle.mp4"),
    }
    return {"clips_drivers": [driver], "token": None}


@presenters.get("/clips/presenters/<presenter_id>/image.png")
@operation(
    answers={200: "image/png", 304: ""}, headers=("If-None-Match",), tag="did", scope="watch"
)
def image(presenter_id: str) -> Response:
    """The first picture of an avatar's loop, as it is filmed."""
    avatar = context().avatars.open(find_presenter(presenter_id).id)
    _, encoded = cv2.imencode(".png", avatar.frames[0])
    response = Response(encoded.tobytes(), mimetype="image/png")
    response.set_etag(avatar.digest)
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


def presenter_page() -> tuple[list[AvatarSummary], str | None]:
    """Return a page of avatars by id, and the token of the next one: the last id of this one."""
    query = read_lenient_query(ListQuery)
    after = query.token or ""
    ready = [each for each in context().avatars.list() if each.state == "ready"]
    left = [each for each in ready if each.id > after]
    page = left[: min(query.limit, MAX_LISTED)]
    return page, page[-1].id if len(left) > len(page) else None


def find_presenter(presenter_id: str) -> AvatarSummary:
    """Return a ready avatar; raises UnknownPresenter."""
    for each in context().avatars.list():
        if each.id == presenter_id and each.state == "ready":
            return each
    raise UnknownPresenter(presenter_id)


def presenter_json(avatar: AvatarSummary) -> dict[str, Any]:
    """JSON of an avatar as a presenter."""
    picture = absolute_url(f"/clips/presenters/{avatar.id}/image.png")
    idle = absolute_url(f"/avatars/{avatar.id}/idle.mp4")
    return {
        "presenter_id": avatar.id,
        "name": avatar.id,
        "gender": "unknown",
        "preview_url": idle,
        "talking_preview_url": idle,
        "thumbnail_url": picture,
        "image_url": picture,
        "created_at": utc(avatar.created),
        "modified_at": utc(avatar.created),
        "driver_id": DRIVER_ID,
        "width": avatar.size[0],
        "height": avatar.size[1],
    }


def utc(time: str) -> str:
    """A time of a manifest as ISO 8601 with milliseconds and Z."""
    date, _, _ = time.partition("+")
    head, _, fraction = date.removesuffix("Z").partition(".")
    return f"{head}.{fraction[:3]:0<3}Z" if head else ""
