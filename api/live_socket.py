"""`GET /sessions/ID/live`: a WebSocket for sound in, and pictures, sound and events out."""

import base64
import logging
import secrets
import socket
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, request
from pydantic import Field

from api.body import MAX_NUMBER, LooseQuery, read_loose_query
from api.caller import caller
from api.client_address import client_address, request_client
from api.context import context, find_session
from api.open_sockets import OpenSocket, OpenSockets
from api.operation import operation
from api.problem import BadQuery, TooManyViewers
from api.server.handover import Handover, handover_of
from api.websocket import accept_websocket, close_frame
from warm.live.errors import LiveUnavailable
from warm.live.hub import LiveHub

PICTURES = ("none", "raw", "jpeg", "h264")
SOUNDS = ("none", "pcm")
RATES_HZ = (16_000, 24_000, 48_000)
TRY_AGAIN = 1013
"""Close code of a server that cannot serve now (RFC 6455's registry)."""

live_socket = Blueprint("live_socket", __name__)
log = logging.getLogger(__name__)


class LiveQuery(LooseQuery):
    """The query of the live socket."""

    pictures: str = Field(
        "none", description="The pictures that are sent.", json_schema_extra={"enum": [*PICTURES]}
    )
    sound: str = Field(
        "none", description="The sound that is sent.", json_schema_extra={"enum": [*SOUNDS]}
    )
    rate: int = Field(
        24_000,
        ge=RATES_HZ[0],
        le=MAX_NUMBER,
        description="Samples per second of the sound, and of all positions.",
        json_schema_extra={"enum": [*RATES_HZ]},
    )


@live_socket.get("/sessions/<session_id>/live")
@live_socket.get("/sessions/<session_id>/live", websocket=True)
@operation(query=LiveQuery, answers={101: ""}, problems=(426,), tag="live", scope="watch")
def connect(session_id: str) -> Response:
    """Open a WebSocket that takes sound to be spoken, and sends what a live viewer sees and hears.

    Its messages are described in docs/live-socket.md. Sending needs the scope `speak`.
    """
    wishes = read_wishes()
    accepted = accept_websocket(request)
    handover = handover_of(request.environ)
    if handover is None:
        raise LiveUnavailable("this server cannot hand over connections; start it with app.py")
    app_context, session = context(), find_session(session_id)
    app_context.runtime.check_ready()
    with ExitStack() as held:
        held.enter_context(app_context.viewers.hold(client_address(), TooManyViewers))
        held.enter_context(app_context.audience.watching(session.id, lingers=False))
        app_context.live.call("socket.prepare", {"session_id": session.id})
        found = OpenSocket(
            id=f"socket_{secrets.token_hex(8)}",
            session_id=session.id,
            client=request_client(),
            request_id=g.request_id,
            held=held.pop_all(),
        )
    app_context.open_sockets.add(found)
    arrange(handover, found, wishes)
    return accepted


def read_wishes() -> dict[str, Any]:
    """Return what the client asks for; raises BadQuery."""
    for name, values in (("pictures", PICTURES), ("sound", SOUNDS), ("rate", RATES_HZ)):
        received, allowed = request.args.get(name), [str(value) for value in values]
        if received is not None and received not in allowed:
            raise BadQuery(name, received[:64], f"must be one of {', '.join(allowed)}")
    query = read_loose_query(LiveQuery)
    return {
        "pictures": query.pictures,
        "has_sound": query.sound != "none",
        "rate_hz": query.rate,
        "may_speak": caller().has("speak"),
    }


def arrange(handover: Handover, found: OpenSocket, wishes: dict[str, Any]) -> None:
    """Have the connection passed to the live process when the response is sent."""
    params = {"session_id": found.session_id, "socket": found.id, "wishes": wishes}
    sockets, live = context().open_sockets, context().live
    handover.receiver = partial(pass_on, live, sockets, params)
    handover.abandon = partial(sockets.close, found.id, 1006, "the client has left")


def pass_on(
    live: LiveHub, sockets: OpenSockets, params: dict[str, Any], sock: socket.socket, early: bytes
) -> None:
    """Pass a connection to the live process, or close it with a reason."""
    received = base64.b64encode(early).decode()
    try:
        live.call("socket.open", {**params, "received": received}, fds=[sock.fileno()])
    except Exception as error:  # noqa: BLE001 - the top of a thread's task
        log.warning("a live socket could not be passed on: %s", error)
        reason = "the live process is not available; connect again"
        with suppress(OSError):
            sock.send(close_frame(TRY_AGAIN, reason))
            sock.shutdown(socket.SHUT_WR)
        sockets.close(params["socket"], TRY_AGAIN, reason)
