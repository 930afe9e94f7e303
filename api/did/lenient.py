"""Bodies as clients of D-ID send them: text for numbers and booleans, and unused members."""

import json
from collections.abc import Iterator
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from api.body import MAX_DEPTH, is_deeper, raw_body, shorten
from api.did.errors import BadMember

BODY = "body"
"""Name of the whole body in faults."""


class Lenient(BaseModel):
    """A JSON object that may have other members, and whose values are converted.

    Null and empty text count as absent.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: each for name, each in value.items() if each is not None and each != ""}


Model = TypeVar("Model", bound=Lenient)


def read_lenient(model: type[Model]) -> Model:
    """Return the JSON body as `model`; raises BadMember, and BadBody for one that is too large."""
    return parse_lenient(model, parse_json(raw_body()))


def read_lenient_query(model: type[Model]) -> Model:
    """Return the query as `model`; raises BadMember."""
    return parse_lenient(model, request.args.to_dict())


def parse_json(body: bytes) -> Any:
    """Return the JSON of a body, whatever its content type; raises BadMember."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadMember.of(BODY, f"is not JSON: {error}") from None
    if is_deeper(content, MAX_DEPTH):
        raise BadMember.of(BODY, f"is nested too deeply; at most {MAX_DEPTH} levels")
    if not isinstance(content, dict):
        raise BadMember.of(BODY, f"= {shorten(content)}: must be a JSON object")
    return content


def parse_lenient(model: type[Model], content: object) -> Model:
    """Return JSON as `model`; raises BadMember with every fault."""
    try:
        return model.model_validate(content)
    except ValidationError as invalid:
        raise BadMember(dict(faults(invalid.errors()))) from None


def faults(errors: list[ErrorDetails]) -> Iterator[tuple[str, str]]:
    """Yield the member and the text of each fault."""
    for error in errors:
        name = ".".join(str(part) for part in error["loc"]) or BODY
        if error["type"] == "missing":
            yield name, f"{name}: is missing, and is required"
            continue
        cause = error.get("ctx", {}).get("error")
        message = str(cause or error["msg"])
        yield name, f"{name} = {shorten_safely(error['input'])}: {message[0].lower()}{message[1:]}"


def shorten_safely(value: object) -> str:
    """Return a received value for a message, also one that JSON cannot express."""
    try:
        return shorten(value)
    except (TypeError, ValueError):
        return repr(value)[:60]
