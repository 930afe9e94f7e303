"""Reading JSON bodies: one pydantic model a request, clear answers to everything else."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

from flask import request
from gunicorn.http.errors import ParseException
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from api.problem import BadBody, BadQuery

SHOWN_CHARS = 60
"""How much of a received value an answer repeats."""


class Body(BaseModel):
    """A JSON object with known members only; nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Model = TypeVar("Model", bound=Body)


def read_body(model: type[Model]) -> Model:
    """The request's JSON as `model`; raises BadBody."""
    if not request.is_json:
        raise BadBody(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-type = {request.content_type!r}: must be application/json",
        )
    body = raw_body()
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        shown = shorten(content)
        raise BadBody(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"the body is {shown}: must be a JSON object"
        )
    return check(model, content)


def read_body_or_query(model: type[Model]) -> Model:
    """What a request says in a JSON body, or in its query where it has none."""
    if not raw_body():
        return check(model, request.args.to_dict())
    for name, received in request.args.items():
        raise BadQuery(name, received, "belongs into the JSON body of a request that has one")
    return read_body(model)


def check(model: type[Model], content: Mapping[str, object]) -> Model:
    """`content` as `model`; raises BadBody with every fault."""
    try:
        return model.model_validate(content)
    except ValidationError as invalid:
        faults = {str(error["loc"][0]): describe(error, model) for error in invalid.errors()}
        raise BadBody(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults.values()), faults) from None


def raw_body() -> bytes:
    """The bytes of the body; raises BadBody when there are too many."""
    limit = request.max_content_length or 0
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        raise too_large(f"{request.content_length}", limit) from None
    except (
        ClientDisconnected,
        OSError,
    ):  # it ended, or nothing came for RECEIVE_S (api/server/worker.py)
        raise BadBody(
            HTTPStatus.REQUEST_TIMEOUT, "the rest of the body did not come; send all of it"
        ) from None
    except ParseException as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"the body cannot be read: {error}") from None
    if request.content_length is None and len(body) >= limit:  # a chunked one is cut off there
        raise too_large(f"{limit} or more", limit)
    return body


def too_large(size: str, limit: int) -> BadBody:
    """What to answer to a body of too many bytes."""
    return BadBody(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has {size} bytes; at most {limit} are allowed (max_body_bytes)",
    )


def describe(error: ErrorDetails, model: type[Body]) -> str:
    """One fault: the field, what was received, what is allowed."""
    name = str(error["loc"][0])
    if error["type"] == "missing":
        return f"{name}: is missing, and is needed"
    if error["type"] == "extra_forbidden":
        return f"{name}: is not known; allowed: {', '.join(model.model_fields)}"
    allowed = allowed_range(model, name) or f"{error['msg'][0].lower()}{error['msg'][1:]}"
    return f"{name} = {shorten(error['input'])}: {allowed}"


def allowed_range(model: type[Body], name: str) -> str:
    """What a number of the body may be; empty where that has no bounds of its own."""
    limits = model.model_fields[name].metadata
    least = next((limit.ge for limit in limits if hasattr(limit, "ge")), None)
    most = next((limit.le for limit in limits if hasattr(limit, "le")), None)
    if least is None:
        return ""
    return f"must be a number from {least}" + ("" if most is None else f" to {most}")


def shorten(value: object) -> str:
    """A received value, at most SHOWN_CHARS long."""
    shown = json.dumps(value, ensure_ascii=False)
    return (
        shown if len(shown) <= SHOWN_CHARS else f"{shown[:SHOWN_CHARS]}… ({len(shown)} characters)"
    )
