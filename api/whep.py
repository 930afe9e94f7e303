"""WHEP: viewers connect to the live stream of a session (draft-ietf-wish-whep).

`POST` takes the offer of a viewer and returns the answer; the viewer's address in `Location` takes
further candidates (`PATCH`) and ends the connection (`DELETE`).
"""

from http import HTTPStatus
from typing import Any, ClassVar

from flask import Blueprint, Response, request
from werkzeug.http import parse_options_header

from api.answers.live import ViewerAnswer
from api.body import LooseQuery, raw_body, read_loose_query
from api.client_address import client_address, is_local
from api.context import context, find_session
from api.forms import Form
from api.operation import operation
from api.problem import BadBody, FailedPrecondition
from api.serializers import url
from warm.live.errors import LiveRefused
from warm.live.webrtc.body_limits import MAX_FRAGMENT_BYTES, MAX_OFFER_BYTES
from warm.live.webrtc.ice_servers import ice_servers
from warm.sessions.paths import DEFAULT_SESSION

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"
LINK_CHARS = 64
"""Characters of a client's name that a TURN server sees."""

whep = Blueprint("whep", __name__)


class OfferBody(Form):
    """The offer of a viewer."""

    media_types: ClassVar[tuple[str, ...]] = (SDP,)


class CandidatesBody(Form):
    """Candidates that follow an offer."""

    media_types: ClassVar[tuple[str, ...]] = (SDP_FRAGMENT,)


class WhepQuery(LooseQuery):
    """The query of `POST /whep`."""

    session: str = DEFAULT_SESSION


@whep.post("/whep", provide_automatic_options=False)
@operation(
    form=OfferBody, query=WhepQuery, answers={201: SDP}, problems=(404, 409), tag="live",
    scope="watch",
)  # fmt: skip
def connect_to_named() -> Response:
    """Connect a viewer to the live stream of the session `?session=`.

    The body is an offer (SDP) that receives H.264 and Opus; the answer has all candidates.
    `Location` is the address of the viewer, and each `Link` an ICE server.
    """
    return connect(read_loose_query(WhepQuery).session)


@whep.post("/sessions/<session_id>/whep", provide_automatic_options=False)
@operation(form=OfferBody, answers={201: SDP}, problems=(404, 409), tag="live", scope="watch")
def connect(session_id: str) -> Response:
    """Connect a viewer to the live stream of a session, as `POST /whep` does."""
    if context().settings.max_live_viewers == 0:
        raise LiveRefused("live_off", "WebRTC is off on this server (max_live_viewers = 0)")
    session = find_session(session_id)
    client = client_address()
    offer = read_text(SDP, "the offer (SDP)", MAX_OFFER_BYTES)
    params = {
        "session_id": session.id,
        "offer": offer,
        "client": client,
        "is_local": is_local(client),
    }
    made = context().live.call("whep.offer", params)
    context().audience.note(session.id)
    response = Response(made["answer"], status=HTTPStatus.CREATED, mimetype=SDP)
    response.headers["Location"] = url(f"/sessions/{session.id}/whep/{made['viewer']}")
    response.headers["Accept-Patch"] = SDP_FRAGMENT
    response.headers["Cache-Control"] = "no-store"
    response.set_etag(made["viewer"])
    for server in ice_servers(context().settings, session.id[:LINK_CHARS]):
        response.headers.add("Link", server.link())
    return response


@whep.route("/whep", methods=["OPTIONS"])
@whep.route("/sessions/<session_id>/whep", methods=["OPTIONS"])
@operation(answers={200: ""}, tag="live", scope="public")
def describe_endpoint(session_id: str = "") -> Response:  # noqa: ARG001 - of the path
    """Name the media type of offers."""
    return Response(headers={"Allow": "OPTIONS, POST", "Accept-Post": SDP})


@whep.get("/sessions/<session_id>/whep/<viewer_id>", provide_automatic_options=False)
@operation(answers={200: ViewerAnswer}, problems=(404,), tag="live", scope="watch")
def show(session_id: str, viewer_id: str) -> dict[str, Any]:
    """State of a viewer; of one that has ended, the reason."""
    return call("whep.state", session_id, viewer_id)


@whep.patch("/sessions/<session_id>/whep/<viewer_id>", provide_automatic_options=False)
@operation(
    form=CandidatesBody, answers={204: ""}, headers=("If-Match",), problems=(404, 412), tag="live",
    scope="watch",
)  # fmt: skip
def add_candidates(session_id: str, viewer_id: str) -> Response:
    """Take further candidates of a viewer; a restart of ICE gets 422."""
    found = request.if_match
    if "If-Match" in request.headers and viewer_id not in found:
        raise FailedPrecondition(request.headers["If-Match"], viewer_id)
    text = read_text(SDP_FRAGMENT, "the message with candidates", MAX_FRAGMENT_BYTES)
    call("whep.candidates", session_id, viewer_id, candidates=text)
    return Response(status=HTTPStatus.NO_CONTENT)


@whep.delete("/sessions/<session_id>/whep/<viewer_id>", provide_automatic_options=False)
@operation(answers={200: ""}, problems=(404,), tag="live", scope="watch")
def disconnect(session_id: str, viewer_id: str) -> Response:
    """End the connection of a viewer."""
    call("whep.end", session_id, viewer_id)
    return Response(status=HTTPStatus.OK)


@whep.route("/sessions/<session_id>/whep/<viewer_id>", methods=["OPTIONS"])
@operation(answers={200: ""}, tag="live", scope="public")
def describe_viewer(session_id: str, viewer_id: str) -> Response:  # noqa: ARG001 - of the path
    """Name the media type of candidates."""
    return Response(headers={"Allow": ALLOWED, "Accept-Patch": SDP_FRAGMENT})


ALLOWED = "DELETE, GET, HEAD, OPTIONS, PATCH"


def call(method: str, session_id: str, viewer: str, **params: str) -> dict[str, Any]:
    """Return the answer of the live process about a viewer; raises LiveRefused, also if there is no
    such process, and so no viewer."""
    live = context().live
    named = {"session": find_session(session_id).id, "viewer": viewer, **params}
    if not live.is_live(named["session"]):
        raise LiveRefused(
            "unknown_viewer", f"viewer = {viewer!r}: the session has no live stream now"
        )
    return live.call(method, named)


def read_text(media_type: str, what: str, most_bytes: int) -> str:
    """Return the body of the current request; raises BadBody unless it is text of this type that is
    not too long."""
    received, _ = parse_options_header(request.content_type)
    if received.lower() != media_type:
        raise BadBody(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-type = {request.content_type!r}: must be {media_type}",
        )
    body = raw_body()
    if len(body) > most_bytes:
        raise BadBody(
            HTTPStatus.BAD_REQUEST,
            f"{what} has {len(body)} bytes; at most {most_bytes} are allowed",
        )
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"{what} is not UTF-8: {error}") from None
