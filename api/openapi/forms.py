"""Bodies that may have files: multipart, and the types that `read_form` accepts instead."""

from pydantic import BaseModel

from api.forms import (
    JSON,
    MULTIPART,
    URLENCODED,
    FileGroup,
    FilePart,
    Form,
    file_groups,
    file_parts,
)
from api.openapi.schemas import Json, Schemas

RAW = "application/octet-stream"
FORMS = (MULTIPART, URLENCODED, JSON)
BYTES: Json = {"type": "string", "format": "binary"}
"""The form of OpenAPI 3.0, which generators of clients know best."""


def form_content(model: type[BaseModel], schemas: Schemas) -> Json:
    """Return the media types of a form; those without files only if no file is needed."""
    members, required = schemas.properties(model)
    files = file_parts(model)
    replaceable = {name for name, mark in files.items() if mark.url or mark.data}
    groups = file_groups(model)
    apart = files.keys() | groups.keys()
    fields = {name: member for name, member in members.items() if name not in apart}
    fields |= {key: each for mark in files.items() for key, each in alternatives(*mark)}
    component = schemas.component(model)

    def form(properties: Json, needed: set[str]) -> Json:
        closed = component.get("additionalProperties", True)
        needs = {"required": sorted(needed)} if needed else {}
        object_schema = {"type": "object", "properties": properties, "additionalProperties": closed}
        return {"schema": {**object_schema, **needs}}

    with_files = {name: file_schema(members[name], mark) for name, mark in files.items()}
    content = {MULTIPART: form({**fields, **with_files}, required - replaceable)}
    if groups:
        content[MULTIPART]["schema"]["patternProperties"] = {
            grouped_pattern(mark): file_schema(members[name], mark) for name, mark in groups.items()
        }
    if not (required & files.keys()) - replaceable:
        without = form(fields, required - files.keys())
        content |= {URLENCODED: without, JSON: without}
    return {
        media_type: content.get(media_type, {"schema": BYTES})
        for media_type in media_types(model)
        if media_type in content or media_type not in FORMS
    }


def media_types(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the media types of a form's body."""
    if not issubclass(model, Form):
        return FORMS
    return (*model.media_types, RAW) if model.takes_raw else model.media_types


def grouped_pattern(mark: FileGroup) -> str:
    """Return the regular expression of the fields of a group."""
    return f"^{mark.prefix}{mark.pattern.removeprefix('^')}"


def file_schema(member: Json, mark: FilePart | FileGroup) -> Json:
    """Return the schema of a file, which names the kinds that are accepted."""
    kinds = ", ".join(sorted(mark.kinds))
    description = " ".join([str(member.get("description", "")), f"Accepted: {kinds}."]).strip()
    return {"type": "string", "format": "binary", "description": description}


def alternatives(name: str, mark: FilePart) -> list[tuple[str, Json]]:
    """Return the fields that may be sent instead of a file."""
    texts = {
        mark.url: f"Address of `{name}`.",
        mark.data: f"`{name}` in Base64, or as a data URL.",
    }
    return [
        (key, {"type": "string", "description": text})
        for key, text in texts.items()
        if key is not None
    ]
