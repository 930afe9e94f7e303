"""`/launch` and `/v1/runtime-tokens/request`: a face joins a room of LiveKit, as LiveKit's plugin
for bitHuman asks for it."""

from dataclasses import replace
from typing import Annotated, Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from pydantic import ConfigDict, Field

from api.answers.rooms import RoomAnswer
from api.context import AppContext, context
from api.forms import FilePart, Form, read_form
from api.operation import operation
from api.rooms import DEFAULT_FACE, face_of, room_request
from warm.preparer.face_id import face_id
from warm.rooms.room_request import RoomRequest
from warm.rooms.rooms import Prepare
from warm.uploads.upload import Upload

bithuman = Blueprint("bithuman", __name__)


class LaunchForm(Form):
    """The body of `POST /launch`: a form, or JSON. Other fields have no effect."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    livekit_url: Annotated[str, Field(max_length=2048)]
    """Address of the LiveKit server."""
    livekit_token: Annotated[str, Field(min_length=1, max_length=8192, repr=False)]
    """Access token of the room."""
    room_name: str = ""
    """No effect: the token names the room."""
    avatar_id: str = ""
    """An avatar. Default: that of the settings, or the one that is made of the picture."""
    agent_id: str = ""
    """The same, as the JSON form of the request has it."""
    avatar_image: Annotated[
        Upload | None, FilePart("picture", "video", url="avatar_image_url", data="image")
    ] = None
    """A picture of a face, also in Base64 as `image`, or its address in `avatar_image_url`. An
    avatar is made of it once."""


launching = operation(
    form=LaunchForm,
    answers={200: RoomAnswer, 202: RoomAnswer},
    problems=(404, 409, 501, 502, 503, 504, 507),
    tag="rooms",
    scope="speak",
)


@bithuman.post("/launch")
@launching
def launch() -> ResponseReturnValue:
    """Have a face join a room; 202 if its avatar must be made of the picture first."""
    return launched()


@bithuman.post("/v1/runtime-tokens/request")
@launching
def request_token() -> ResponseReturnValue:
    """Have a face join a room, as `POST /launch` does; the path of bitHuman's own server."""
    return launched()


def launched() -> ResponseReturnValue:
    """Have a face join the room in the body."""
    form, app_context = read_form(LaunchForm), context()
    app_context.rooms.check("livekit_url", form.livekit_url)
    image = form.avatar_image
    named = form.avatar_id or form.agent_id
    avatar_id = face_of(named or DEFAULT_FACE) if image is None else face_id(image.sha256)
    request = room_request(
        livekit_url=form.livekit_url, token=form.livekit_token, avatar_id=avatar_id
    )
    if image is None or app_context.preparer.is_ready(avatar_id, image.sha256):
        app_context.rooms.join(request)
        return room_json(request, "joined"), 200
    app_context.rooms.join_later(prepared(app_context, image, request))
    return room_json(request, "preparing"), 202


def prepared(app_context: AppContext, image: Upload, request: RoomRequest) -> Prepare:
    """Return the function that makes the avatar of a picture, then returns the request."""

    def prepare(is_cancelled: Any) -> RoomRequest:
        with app_context.uploads.hold(image.id):
            made = app_context.preparer.ensure(image, lambda *_: None, is_cancelled)
        return replace(request, avatar_id=made)

    return prepare


def room_json(request: RoomRequest, status: str) -> Any:
    """JSON of a face in a room, or on its way there."""
    return jsonify(
        {"status": status, "session_id": request.session_id, "avatar_id": request.avatar_id}
    )
