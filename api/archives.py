"""Films that were archived when their sessions were reset."""

from contextlib import ExitStack
from typing import Any

from flask import Blueprint, Response, request, send_file

from api.answers.sessions import ArchivesAnswer, DeletedAnswer
from api.body import Body, read_query
from api.context import context
from api.film import MP4
from api.operation import operation
from api.serializers import archive_json
from api.transcript import WEBVTT
from api.viewers import download_slot
from session.webvtt import transcript_of
from warm.sessions.archive import UnknownArchive
from warm.sessions.paths import check_session_id

archives = Blueprint("archives", __name__)


class ArchivesQuery(Body):
    """The query of `GET /archives`."""

    session_id: str | None = None


@archives.get("/archives")
@operation(query=ArchivesQuery, answers={200: ArchivesAnswer}, tag="archives", scope="watch")
def list_all() -> dict[str, Any]:
    """The archived films of one session or of all, newest first."""
    session_id = read_query(ArchivesQuery).session_id
    if session_id is not None:
        check_session_id(session_id)
    return {"archives": [archive_json(film) for film in context().runtime.archive.all(session_id)]}


@archives.get("/archives/<session_id>/<name>")
@operation(
    answers={200: MP4, 206: MP4, 304: ""},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(409, 416),
    tag="archives",
    scope="watch",
)
def download(session_id: str, name: str) -> Response:
    """An archived film, or a range of its bytes, verified. It never changes."""
    archive = context().runtime.archive
    film = archive.find(session_id, name)
    with ExitStack() as held:
        held.enter_context(download_slot())
        try:
            archive.verify(film)
            response = send_file(film.path.resolve(), MP4, conditional=True, max_age=0)
        except FileNotFoundError:
            raise UnknownArchive(session_id, name) from None
        response.direct_passthrough = False  # else its end would not be noticed
        response.call_on_close(held.pop_all().close)
    return response


@archives.get("/archives/<session_id>/<stem>.vtt")
@operation(
    answers={200: WEBVTT, 304: ""},
    headers=("If-Match", "If-None-Match"),
    problems=(409,),
    tag="archives",
    scope="watch",
)
def captions(session_id: str, stem: str) -> Response:
    """The captions of an archived film, under the name that players expect."""
    name = f"{stem}.mp4"
    film = context().runtime.archive.find(session_id, name)
    try:
        text = transcript_of(film.path)
    except FileNotFoundError:
        raise UnknownArchive(session_id, name) from None
    response = Response(text, mimetype=WEBVTT, headers={"Cache-Control": "no-cache"})
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]


@archives.delete("/archives/<session_id>/<name>")
@operation(answers={200: DeletedAnswer}, tag="archives", scope="speak")
def delete(session_id: str, name: str) -> dict[str, Any]:
    """Delete an archived film permanently."""
    context().runtime.archive.delete(session_id, name)
    return {"status": "success", "message": f"archive {name!r} was deleted"}
