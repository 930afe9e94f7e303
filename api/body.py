"""Parsing of JSON bodies and queries: one pydantic model per request."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TypeVar, get_args

from flask import request
from gunicorn.http.errors import ParseException
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from api.media_types import has_files
from api.problem import MAX_SHOWN_CHARS, BadBody, BadQuery

MAX_NUMBER = 10**15
MAX_DEPTH = 32
"""Levels of arrays and objects in a body; no request needs more than one."""


class Body(BaseModel):
    """A JSON object without unknown members; values are not converted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class LooseQuery(BaseModel):
    """A query of text and whole numbers, whose unknown parameters are ignored, as players add some.

    A field with a lower bound is a number, and has `MAX_NUMBER` as its upper bound.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


Model = TypeVar("Model", bound=Body)
LooseModel = TypeVar("LooseModel", bound=LooseQuery)


def read_body(model: type[Model]) -> Model:
    """Return the request's JSON as `model`; raises BadBody."""
    if not request.is_json:
        raise not_json()
    body = raw_body()
    try:
        content = json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    if is_deeper(content, MAX_DEPTH):
        raise BadBody(
            HTTPStatus.BAD_REQUEST, f"the body is nested too deeply; at most {MAX_DEPTH} levels"
        )
    if not isinstance(content, dict):
        shown = shorten(content)
        raise BadBody(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"the body is {shown}: must be a JSON object"
        )
    return validate(model, content)


def not_json() -> BadBody:
    """Return the error of a body that is not declared as JSON."""
    return BadBody(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"content-type = {request.content_type!r}: must be application/json",
    )


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which are no JSON; Python's parser takes them."""
    raise ValueError(f"{name} is not a number of JSON")


def is_deeper(content: object, levels: int) -> bool:
    """True if JSON has more than `levels` levels of arrays and objects."""
    inner = [content]
    for _ in range(levels + 1):
        inner = [part for value in inner for part in parts_of(value)]
        if not inner:
            return False
    return True


def parts_of(value: object) -> Iterable[object]:
    """The members of an object or the elements of an array; nothing for other values."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def read_query(model: type[Model]) -> Model:
    """Return the request's query as `model`, numbers converted; raises BadBody."""
    return validate(model, request.args.to_dict(), strict=False)


def read_body_or_query(model: type[Model]) -> Model:
    """Return the JSON body as `model`, or the query if there is no body.

    Raises BadBody, and BadQuery if there are both.
    """
    if request.content_length != 0 and has_files(request.content_type or ""):
        raise not_json()  # before it waits for a body that is still arriving
    if not raw_body():
        return read_query(model)
    for name, received in request.args.items():
        raise BadQuery(name, received, "move it into the JSON body; a request may not have both")
    return read_body(model)


def read_loose_query(model: type[LooseModel]) -> LooseModel:
    """Return the parameters of the query that `model` has; raises BadQuery."""
    read = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if (given := request.args.get(key)) is None:
            continue
        least = next((limit.ge for limit in field.metadata if hasattr(limit, "ge")), None)
        read[key] = given if least is None else whole_number(key, given, least=least)
    return model.model_validate(read)


def whole_number(name: str, given: str, *, least: int) -> int:
    """Parse the value `given` of the parameter `name`; raises BadQuery."""
    digits = given.lstrip("0") or "0"
    is_short = given.isdecimal() and len(digits) <= len(str(MAX_NUMBER))
    if not is_short or not least <= int(digits) <= MAX_NUMBER:
        shown = f"{given[:MAX_SHOWN_CHARS]}…" if len(given) > MAX_SHOWN_CHARS else given
        raise BadQuery(name, shown, f"must be a whole number from {least} to {MAX_NUMBER}")
    return int(digits)


def validate(
    model: type[Model], content: Mapping[str, object], *, strict: bool | None = None
) -> Model:
    """Return `content` as `model`; raises BadBody with every fault.

    `strict=False` converts text to numbers; None leaves this to the model.
    """
    try:
        return model.model_validate(content, strict=strict)
    except ValidationError as invalid:
        faults = {fault_name(error): fault_text(error, model) for error in invalid.errors()}
        raise BadBody(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults.values()), faults) from None


def raw_body() -> bytes:
    """Return the bytes of the body; raises BadBody if it is too large or incomplete."""
    limit = request.max_content_length or 0
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        raise too_large(f"{request.content_length}", limit) from None
    except (ClientDisconnected, OSError):  # servers other than gunicorn
        raise BadBody(
            HTTPStatus.REQUEST_TIMEOUT, "the body is incomplete; send the rest of it in time"
        ) from None
    except ParseException as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"the body cannot be read: {error}") from None
    if request.content_length is None and len(body) >= limit:  # a chunked body is cut off there
        raise too_large(f"{limit} or more", limit)
    return body


def too_large(size: str, limit: int) -> BadBody:
    """Return the error of a body with too many bytes."""
    return BadBody(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has {size} bytes; at most {limit} are allowed (max_body_bytes)",
    )


def fault_text(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return one fault: the field, the received value, the allowed values."""
    name, owner = fault_name(error), owner_of(error, model)
    if error["type"] == "missing":
        return f"{name}: is missing, and is required"
    if error["type"] == "extra_forbidden":
        return f"{name}: is not known; allowed: {', '.join(owner.model_fields)}"
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return f"{name} {message}"
    allowed = allowed_range(owner, str(error["loc"][-1])) or f"{message[0].lower()}{message[1:]}"
    is_shown = not is_secret(owner, str(error["loc"][0]))
    return f"{name} = {shorten(error['input'])}: {allowed}" if is_shown else f"{name}: {allowed}"


def is_secret(model: type[BaseModel], name: str) -> bool:
    """True for a field whose value must not be shown."""
    field = model.model_fields.get(name)
    kinds = () if field is None else (field.annotation, *get_args(field.annotation))
    return SecretStr in kinds


def fault_name(error: ErrorDetails) -> str:
    """Return the name of a faulty field, with those of the objects around it."""
    return ".".join(map(str, error["loc"])) or "the body"


def owner_of(error: ErrorDetails, model: type[BaseModel]) -> type[BaseModel]:
    """Return the model that has the faulty field."""
    for name in error["loc"][:-1]:
        field = model.model_fields.get(str(name))
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))
        model = next(
            (each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)),
            model,
        )
    return model


def allowed_range(model: type[BaseModel], name: str) -> str:
    """Return the range of a numeric field; empty if it has no bounds."""
    fields = model.model_fields.items()
    limits = next((limits_of(each) for key, each in fields if name in (key, each.alias)), [])
    least = next((limit.ge for limit in limits if hasattr(limit, "ge")), None)
    most = next((limit.le for limit in limits if hasattr(limit, "le")), None)
    if least is None:
        return ""
    return f"must be a number from {least}" + ("" if most is None else f" to {most}")


def limits_of(field: FieldInfo) -> list[object]:
    """Return the bounds of a field, also of one that may be null."""
    parts = [limit for part in get_args(field.annotation) for limit in bounds(part)]
    return [*field.metadata, *parts]


def bounds(part: object) -> Iterable[object]:
    """Yield the bounds of a part of a union."""
    for info in getattr(part, "__metadata__", ()):
        yield from info.metadata if isinstance(info, FieldInfo) else (info,)


def shorten(value: object) -> str:
    """Return a received value as JSON, cut off after MAX_SHOWN_CHARS."""
    shown = json.dumps(value, ensure_ascii=False, default=kind_of)
    if len(shown) <= MAX_SHOWN_CHARS:
        return shown
    return f"{shown[:MAX_SHOWN_CHARS]}… ({len(shown)} characters)"


def kind_of(value: object) -> str:
    """Return what is shown of a value that JSON cannot have, such as a file."""
    return f"<{type(value).__name__.lower()}>"
