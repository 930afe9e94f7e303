"""Responses of operations."""

from http import HTTPStatus

from pydantic import BaseModel

from api.openapi.forms import BYTES
from api.openapi.schemas import Json, Schemas, kinds_of
from api.operation import AnswerKind, Operation
from api.sse import EVENT_STREAM

JSON = "application/json"
TEXTS = ("text/", "application/vnd.apple.mpegurl")
"""Beginnings of media types whose content is text; all others are bytes."""

UNKNOWN = (JSON, "*/*")
"""Media types without a schema."""
TEXT: Json = {"type": "string"}

HEADERS: dict[int, dict[str, str]] = {
    201: {"Location": "Path of the new resource."},
    206: {"Content-Range": "The range, and the size of the whole."},
}
"""Headers of a response with a status, and their descriptions."""


def responses(operation: Operation, schemas: Schemas) -> dict[str, Json]:
    """Return the responses of an operation that are not problem details."""
    return {
        str(status): response(status, kinds_of(kind), operation, schemas)
        for status, kind in operation.answers.items()
    }


def response(
    status: int, kinds: tuple[AnswerKind, ...], operation: Operation, schemas: Schemas
) -> Json:
    """Return the response with one status."""
    content: Json = {}
    for kind in kinds:
        if kind != "":
            content |= media(kind, operation, schemas)
    headers = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in HEADERS.get(status, {}).items()
    }
    return {
        "description": describe(status, kinds),
        **({"headers": headers} if headers else {}),
        **({"content": content} if content else {}),
    }


def describe(status: int, kinds: tuple[AnswerKind, ...]) -> str:
    """Return the description of a response: that of its model, or the meaning of its status."""
    for kind in kinds:
        if not isinstance(kind, str) and kind.__doc__:
            return kind.__doc__.strip().partition("\n")[0]
    return HTTPStatus(status).phrase


def media(kind: AnswerKind, operation: Operation, schemas: Schemas) -> Json:
    """Return the media types of an answer, with their schemas."""
    if not isinstance(kind, str):
        return {JSON: {"schema": schemas.of_answer(kind)}}
    if kind == EVENT_STREAM:
        return {kind: event_stream(operation, schemas)}
    if kind in UNKNOWN:
        return {kind: {}}
    return {kind: {"schema": TEXT if kind.startswith(TEXTS) else BYTES}}


def event_stream(operation: Operation, schemas: Schemas) -> Json:
    """Return a stream of server-sent events; the schema is that of one event."""
    events = [
        event(name, model, schemas.of_answer(model)) for name, model in operation.events.items()
    ]
    return {"schema": {"oneOf": events}} if events else {}


def event(name: str, model: type[BaseModel], data: Json) -> Json:
    """Return an event, whose data is JSON of the schema `data`."""
    content = {"contentMediaType": JSON, "contentSchema": data}
    return {
        "type": "object",
        "description": (model.__doc__ or name).strip().partition("\n")[0],
        "required": ["event", "data"],
        "properties": {
            "event": {"const": name},
            "data": {"type": "string", **content},
            "id": {"type": "string"},
        },
    }
