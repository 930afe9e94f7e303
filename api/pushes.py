"""`/sessions/ID/push`: push the live feed of a session to other servers."""

from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import SecretStr

from api.answers.pushes import PushAnswer, PushesAnswer
from api.body import Body, read_body
from api.context import context, find_session
from api.example import example
from api.operation import operation
from api.serializers import push_json, session_url

pushes = Blueprint("pushes", __name__)


class PushBody(Body):
    """The body of `POST /sessions/ID/push`."""

    model_config = example(url="rtmps://live.example/app", key="abcd-1234")

    url: SecretStr
    """The address of the server: `rtmp://`, `rtmps://`, `srt://`, or that of an endpoint of
    WHIP."""
    key: SecretStr | None = None
    """The stream key (RTMP), the streamid (SRT) or the bearer token (WHIP), unless the address has
    it."""


@pushes.post("/sessions/<session_id>/push")
@operation(
    body=PushBody, answers={201: PushAnswer}, problems=(404, 409), tag="sessions", scope="speak"
)
def start(session_id: str) -> Response:
    """Push the live feed of a session to a server, whether it speaks or not."""
    session, body = find_session(session_id), read_body(PushBody)
    key = None if body.key is None else body.key.get_secret_value()
    push = context().pushes.start(session.id, body.url.get_secret_value(), key)
    response = jsonify(push_json(push))
    response.status_code = 201
    response.headers["Location"] = f"{session_url(session.id)}/push/{push['id']}"
    return response


@pushes.get("/sessions/<session_id>/push")
@operation(answers={200: PushesAnswer}, tag="sessions", scope="speak")
def show_all(session_id: str) -> dict[str, Any]:
    """The pushes of a session."""
    found = context().pushes.of_session(find_session(session_id).id)
    return {"pushes": [push_json(each) for each in found]}


@pushes.get("/sessions/<session_id>/push/<push_id>")
@operation(answers={200: PushAnswer}, problems=(404,), tag="sessions", scope="speak")
def show(session_id: str, push_id: str) -> dict[str, Any]:
    """One push of a session."""
    return push_json(context().pushes.show(find_session(session_id).id, push_id))


@pushes.delete("/sessions/<session_id>/push/<push_id>")
@operation(answers={200: PushAnswer}, problems=(404,), tag="sessions", scope="speak")
def stop(session_id: str, push_id: str) -> dict[str, Any]:
    """End a push and forget it; answers when the connection is closed."""
    return push_json(context().pushes.stop(find_session(session_id).id, push_id))
