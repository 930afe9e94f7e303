"""Parameters of operations: in the path, in the query and in headers."""

import re
from collections.abc import Iterator

from werkzeug.routing import Rule

from api.openapi.schemas import Json, Schemas
from api.operation import HeaderName, Operation
from warm.avatars.store import ID_PATTERN
from warm.jobs.jobs import ID_PATTERN as JOB_ID_PATTERN
from warm.sessions.archive import NAME_PATTERN

IN_RULE = re.compile(r"<(?:\w+:)?(\w+)>")
"""A variable of a rule of Flask, with the name of its converter."""

SEGMENT: Json = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
"""Schema of any other variable of the path."""
ID: Json = {"type": "string", "pattern": ID_PATTERN.pattern}
SUFFIX = r"\.mp4"
ARCHIVE_NAME = re.sub(r"\?P<\w+>", "", NAME_PATTERN.pattern)
IN_PATH: dict[str, tuple[str, Json]] = {
    "session_id": ("Id of a session.", {**ID, "examples": ["default"]}),
    "avatar_id": ("Id of an avatar.", {**ID, "examples": ["demo"]}),
    "archives.name": (
        "Name of an archived film.",
        {
            "type": "string",
            "pattern": f"^{ARCHIVE_NAME}$",
            "examples": ["20260102T030405Z-0123456789abcdef.mp4"],
        },
    ),
    "archives.stem": (
        "Name of an archived film, without its suffix.",
        {"type": "string", "pattern": f"^{ARCHIVE_NAME.removesuffix(SUFFIX)}$"},
    ),
    "uploads.name": (
        "Id of an upload, with or without the suffix of its address.",
        {
            "type": "string",
            "pattern": r"^[0-9a-f]{32}(\.[a-z0-9]+)?$",
            "examples": ["0123456789abcdef0123456789abcdef.png"],
        },
    ),
    "job_id": (
        "Id of a job.",
        {
            "type": "string",
            "pattern": f"^{JOB_ID_PATTERN.pattern}$",
            "examples": ["job_0123456789abcdef0123456789abcdef"],
        },
    ),
    "jobs.secret": (
        "Unguessable part of the address.",
        {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    ),
    "jobs.name": (
        "Id of a job, with the suffix of its result.",
        {
            "type": "string",
            "pattern": rf"^{JOB_ID_PATTERN.pattern}\.[a-z0-9]+$",
            "examples": ["job_0123456789abcdef0123456789abcdef.mp4"],
        },
    ),
    "viewer_id": ("Id of a viewer, which `Location` has.", SEGMENT),
    "page.name": ("Path of a file of the page.", {"type": "string", "examples": ["main.js"]}),
}
"""Description and schema of a variable of the path, by its name; those of one blueprint have the
name of the blueprint in front."""

HEADERS: dict[HeaderName, tuple[str, str]] = {
    "Idempotency-Key": ("A request with the same key and content is carried out once.", "a1b2c3"),
    "If-Match": ("Entity tags; 412 if the representation has none of them.", '"0123456789abcdef"'),
    "If-None-Match": ("Entity tags; 304 if the representation has one.", '"0123456789abcdef"'),
    "If-Range": ("The range applies only to this entity tag.", '"0123456789abcdef"'),
    "Last-Event-ID": ("The last event that the client received.", "0123456789abcdef:4096"),
    "Range": ("Bytes of the representation.", "bytes=0-1023"),
}
"""Description and example of each header."""


def document_path(rule: str) -> str:
    """Return a rule of Flask as a path of the document."""
    return IN_RULE.sub(r"{\1}", rule)


def parameters(rule: Rule, operation: Operation, schemas: Schemas) -> list[Json]:
    """Return the parameters of an operation."""
    return [
        *path_parameters(rule),
        *query_parameters(operation, schemas),
        *(header_parameter(name) for name in operation.headers),
    ]


def path_parameters(rule: Rule) -> Iterator[Json]:
    """Yield the variables of a path."""
    blueprint = rule.endpoint.rpartition(".")[0]
    for name in IN_RULE.findall(rule.rule):
        described = IN_PATH.get(f"{blueprint}.{name}") or IN_PATH.get(name)
        description, schema = described or (f"{name.replace('_', ' ')}.".capitalize(), SEGMENT)
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": schema,
        }


def query_parameters(operation: Operation, schemas: Schemas) -> Iterator[Json]:
    """Yield the parameters of a query."""
    if operation.query is None:
        return
    members, required = schemas.properties(operation.query)
    for name, member in members.items():
        schema = without_null(member)
        described = {"description": schema.pop("description")} if "description" in schema else {}
        yield {
            "name": name,
            "in": "query",
            "required": name in required and operation.body is None,
            **described,
            "schema": schema,
        }


def without_null(schema: Json) -> Json:
    """Return a schema that does not allow null, which a query cannot express."""
    left = {name: value for name, value in schema.items() if name != "title"}
    if left.get("default", "") is None:
        del left["default"]
    options = [option for option in left.pop("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        return {**left, **options[0]}
    return {**left, "anyOf": options} if options else left


def header_parameter(name: HeaderName) -> Json:
    """Return a header of the request."""
    description, example = HEADERS[name]
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", "examples": [example]},
    }
