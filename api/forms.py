"""Requests that may have files: multipart, urlencoded, JSON with addresses, or one raw file.

A route describes its fields by a subclass of `Form`; `read_form` reads whichever of these a client
sends. Files are stored while they arrive, and removed if the request is refused.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain
from types import NoneType
from typing import Any, ClassVar, TypeVar, get_args
from urllib.parse import parse_qsl

from flask import Flask, Response, g, request
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic import ValidationError as InvalidModel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema
from werkzeug.http import parse_options_header

from api.base64_text import decoded_base64, is_base64
from api.body import MAX_DEPTH, fault_name, fault_text, is_deeper, shorten
from api.body_pieces import body_pieces
from api.caller import caller
from api.client_address import client_address
from api.context import context
from api.multipart import MAX_PARTS, MultipartReader, Part
from api.problem import BadBody, TooManyUploads
from warm.fetch.errors import FetchError
from warm.jobs.errors import JobStoreError
from warm.uploads.errors import (
    UnknownUpload,
    UploadDamaged,
    UploadInUse,
    UploadNotAllowed,
    UploadTooLarge,
)
from warm.uploads.upload import Upload, UploadKind

MULTIPART, URLENCODED, JSON = (
    *("multipart/form-data", "application/x-www-form-urlencoded", "application/json"),
)
STORED = "stored_uploads"
"""Name in `flask.g` of the files that were stored for the request."""
MAX_ENCODED_BYTES = 16 << 20
"""Largest body that is read as a whole because it may have files as Base64."""
HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
PLAIN_CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1"}
FILE_STATUSES: dict[type[Exception], HTTPStatus] = {
    UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UploadNotAllowed: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UploadDamaged: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Status of a fault of a file in a field."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """Marks a field of a form as a file: `Annotated[Upload | None, FilePart("sound")] = None`."""

    kinds: frozenset[UploadKind]
    url: str | None = None
    """Name of the field that may have the address of the file instead, such as `audio_url`."""
    data: str | None = None
    """Name of the field that may have the file in Base64, or as a data URL, instead; it may be that
    of the file."""

    def __init__(self, *kinds: UploadKind, url: str | None = None, data: str | None = None) -> None:
        for name, value in (("kinds", frozenset(kinds)), ("url", url), ("data", data)):
            object.__setattr__(self, name, value)

    def __get_pydantic_core_schema__(self, source: Any, _: GetCoreSchemaHandler) -> CoreSchema:
        """Accept only an `Upload` that the server has made, never one that a client describes."""
        schema = core_schema.is_instance_schema(Upload)
        return core_schema.nullable_schema(schema) if NoneType in get_args(source) else schema

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the field as OpenAPI describes a file."""
        return {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Marks a field of a form as several files, by name, that are sent as `PREFIX` + name:
    `Annotated[dict[str, Upload], FileGroup("action_", "^[a-z]+$", "video")] = {}`."""

    prefix: str
    pattern: str
    """Regular expression of the names."""
    kinds: frozenset[UploadKind]
    most: int
    """Maximum number of files in one request."""

    def __init__(self, prefix: str, pattern: str, *kinds: UploadKind, most: int = 4) -> None:
        given = {"prefix": prefix, "pattern": pattern, "kinds": frozenset(kinds), "most": most}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def __get_pydantic_core_schema__(self, _source: Any, _: GetCoreSchemaHandler) -> CoreSchema:
        """Accept only uploads that the server has made."""
        upload = core_schema.is_instance_schema(Upload)
        return core_schema.dict_schema(core_schema.str_schema(), upload)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the field; `api/openapi/forms.py` describes its parts."""
        return {"type": "object"}


class Form(BaseModel):
    """The fields of a request that may have files; text is converted to numbers and booleans."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    takes_raw: ClassVar[bool] = False
    """True if the body may be the file itself, and the query the other fields."""
    media_types: ClassVar[tuple[str, ...]] = (MULTIPART, URLENCODED, JSON)
    """Media types of the body, for the OpenAPI document; `read_form` reads all three."""


Model = TypeVar("Model", bound=Form)


@dataclass(slots=True)
class Received:
    """The values of a request so far, and its faults."""

    values: dict[str, object] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    groups: dict[str, dict[str, Upload]] = field(default_factory=dict)
    """Files of groups, by field and name."""
    stored: list[Upload] = field(default_factory=list)
    """Files that were stored for this request, to be removed if it is refused."""

    def add(self, name: str, value: object) -> None:
        """Add a value; a second one of the same name is a fault."""
        if name in self.values:
            self.faults[name] = f"{name}: was sent twice; send it once"
        else:
            self.values[name] = value


def read_form(model: type[Model]) -> Model:
    """Return the fields of the current request as `model`.

    Raises BadBody with every fault, and the errors of uploads and fetches. Files that were stored
    for a request that is refused are removed.
    """
    received = Received()
    with receiving_slot(), removed_on_error(received):
        declared, parameters = parse_options_header(request.content_type)
        media_type = declared.lower()
        if media_type == MULTIPART:
            _read_multipart(model, received, parameters.get("boundary", ""))
        elif media_type == URLENCODED:
            _read_urlencoded(model, received)
        elif media_type == JSON or media_type.endswith("+json"):
            _read_json(model, received)
        elif model.takes_raw:
            _read_raw(model, received)
        else:
            raise BadBody(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"content-type = {request.content_type!r}: must be {MULTIPART}, {URLENCODED} or"
                f" {JSON}",
            )
        _read_references(model, received)
        form = validated(model, received)
    setattr(g, STORED, received.stored)
    return form


@contextmanager
def receiving_slot() -> Iterator[None]:
    """Hold one of the slots for bodies that are being received; raises TooManyUploads."""
    with context().receiving.hold(client_address(), TooManyUploads):
        yield


def remove_files_of_refused_requests(app: Flask) -> None:
    """Have the files of a request removed if it is refused after its form was read."""

    def remove(response: Response) -> Response:
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            remove_files(g.get(STORED, []))
        return response

    app.after_request(remove)


def remove_files(stored: list[Upload]) -> None:
    """Remove the files that were stored for a request; one that cannot be removed now expires."""
    for upload in stored:
        with suppress(UnknownUpload, UploadInUse, JobStoreError, OSError):
            context().uploads.remove(upload.id)


@contextmanager
def removed_on_error(received: Received) -> Iterator[None]:
    """Remove the files that were stored for the request if the block fails."""
    try:
        yield
    except BaseException:
        remove_files(received.stored)
        raise


def file_parts(model: type[BaseModel]) -> dict[str, FilePart]:
    """Return the fields of a form that are files."""
    marks = {
        name: next((mark for mark in info.metadata if isinstance(mark, FilePart)), None)
        for name, info in model.model_fields.items()
    }
    return {name: mark for name, mark in marks.items() if mark is not None}


def file_groups(model: type[BaseModel]) -> dict[str, FileGroup]:
    """Return the fields of a form that are groups of files."""
    return {
        name: mark
        for name, info in model.model_fields.items()
        for mark in info.metadata
        if isinstance(mark, FileGroup)
    }


def key_of(name: str, info: FieldInfo) -> str:
    """Return the name by which clients send a field."""
    return info.alias or name


def validated(model: type[Model], received: Received) -> Model:
    """Return the values as `model`; raises BadBody with every fault."""
    values = {name: value for name, value in received.values.items() if name not in received.faults}
    for name, info in model.model_fields.items():
        if values.get(key_of(name, info)) == "" and not takes_empty_text(info):
            del values[key_of(name, info)]
    for name in file_groups(model):
        if name in values:
            received.faults[name] = f"{name}: send each file with its own field"
            del values[name]
        values |= {name: received.groups[name]} if received.groups.get(name) else {}
    faults = dict(received.faults)
    found: Model | None = None
    try:
        found = model.model_validate(values)
    except InvalidModel as invalid:
        for error in invalid.errors():
            faults.setdefault(fault_name(error), fault_text(error, model))
    if faults or found is None:
        raise BadBody(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults.values()), faults)
    return found


def takes_empty_text(info: FieldInfo) -> bool:
    """True unless an empty text means that a field was left out, as in the forms of browsers."""
    return info.is_required() or info.annotation is str


def store(
    received: Received, name: str, mark: FilePart, chunks: Iterator[bytes], shown: str
) -> None:
    """Store the file of a field; raises BadBody for a fault of the file."""
    with file_faults(received, name):
        upload = context().uploads.receive(
            chunks, allowed=mark.kinds, owner=caller().name, name=shown
        )
        received.stored.append(upload)
        received.add(name, upload)


@contextmanager
def file_faults(received: Received, name: str) -> Iterator[None]:
    """Name the field in the answer to a fault of its file."""
    try:
        yield
    except (UploadTooLarge, UploadNotAllowed, UploadDamaged, UnknownUpload) as error:
        status = FILE_STATUSES.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY)
        faults = {**received.faults, name: f"{name}: {error}"}
        raise BadBody(status, "; ".join(faults.values()), faults) from error


def max_form_bytes(model: type[BaseModel]) -> int:
    """Largest body of a form: its files, and the other fields."""
    app_context = context()
    count = len(file_parts(model)) + sum(mark.most for mark in file_groups(model).values())
    return count * app_context.uploads.limits.max_bytes + app_context.settings.max_body_bytes


def _read_multipart(model: type[Model], received: Received, boundary: str) -> None:
    files, left = file_parts(model), context().settings.max_body_bytes
    data_fields = {mark.data: name for name, mark in files.items() if mark.data}
    reader = MultipartReader(body_pieces(max_form_bytes(model), "max_upload_mb"), boundary)
    for part in reader.parts():
        mark, encoded = files.get(part.name), data_fields.get(part.name)
        if mark is None and part.filename is not None and _read_grouped(part, model, received):
            continue
        if mark is None and encoded is not None and part.filename is None:
            _store_encoded(received, encoded, part.name, files[encoded], part.chunks)
        elif mark is None:
            left -= len(read_text(part, left, received))
        elif part.name in received.values:
            received.faults[part.name] = f"{part.name}: was sent twice; send it once"
        else:
            _read_file(part, mark, received)


def _read_grouped(part: Part, model: type[Model], received: Received) -> bool:
    """Store a file that belongs to a group; False if it belongs to none."""
    for field_name, group in file_groups(model).items():
        if not part.name.startswith(group.prefix):
            continue
        name = part.name.removeprefix(group.prefix)
        members = received.groups.setdefault(field_name, {})
        if not re.fullmatch(group.pattern, name):
            received.faults[part.name[:60]] = (
                f"{part.name[:60]}: the part after {group.prefix} must match {group.pattern}"
            )
        elif name in members:
            received.faults[part.name] = f"{part.name}: was sent twice; send it once"
        elif len(members) >= group.most:
            received.faults[part.name] = (
                f"{part.name}: at most {group.most} files {group.prefix}… are accepted at once; "
                "send the others with another request"
            )
        else:
            with file_faults(received, part.name):
                members[name] = context().uploads.receive(
                    part.chunks, allowed=group.kinds, owner=caller().name, name=part.filename or ""
                )
                received.stored.append(members[name])
        return True
    return False


def _read_file(part: Part, mark: FilePart, received: Received) -> None:
    """Store a file; a part without a name and bytes is an empty field of a browser's form."""
    first = next(part.chunks, b"")
    if not first and not part.filename:
        return

    chunks: Iterator[bytes] = chain((first,), part.chunks)
    if part.filename is None and is_base64(first):
        chunks = decoded_base64(chunks)
    store(received, part.name, mark, chunks, part.filename or "")


def read_text(part: Part, max_bytes: int, received: Received) -> bytes:
    """Add the text of a part, and return its bytes; raises BadBody if there are too many."""
    data = bytearray()
    for chunk in part.chunks:
        data += chunk
        if len(data) > max_bytes:
            raise BadBody(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{part.name}: the fields without files have more than"
                f" {context().settings.max_body_bytes} bytes together (max_body_bytes)",
            )
    charset = part.charset.lower()
    text = decoded_text(bytes(data), charset)
    if text is None:
        received.faults[part.name] = f"{part.name}: is not valid {charset[:20]} text; send UTF-8"
    else:
        received.add(part.name, text)
    return bytes(data)


def decoded_text(data: bytes, charset: str) -> str | None:
    """Return bytes as text; None if they are not valid, or the charset is not known."""
    try:
        return data.decode(charset) if charset in PLAIN_CHARSETS else None
    except UnicodeDecodeError:
        return None


def _whole_body(model: type[Model]) -> bytes:
    """Return the body; it may be larger if it can have files as Base64. Raises BadBody."""
    limit, setting = context().settings.max_body_bytes, "max_body_bytes"
    if any(mark.data for mark in file_parts(model).values()) and limit < MAX_ENCODED_BYTES:
        limit, setting = MAX_ENCODED_BYTES, "send larger files with multipart/form-data"
    return b"".join(body_pieces(limit, setting))


def _read_urlencoded(model: type[Model], received: Received) -> None:
    body = _whole_body(model)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_PARTS,
        )
    except ValueError as error:
        raise BadBody(
            HTTPStatus.BAD_REQUEST, f"the body is not urlencoded UTF-8: {error}"
        ) from None
    for name, value in pairs:
        received.add(name, value)


def _read_json(model: type[Model], received: Received) -> None:
    content = parse_object(_whole_body(model))
    received.values.update(content)
    for name, mark in file_parts(model).items():
        if name in content and mark.data != name:
            received.faults[name] = (
                f"{name}: JSON cannot have a file; send multipart/form-data, or its address"
            )


def parse_object(body: bytes) -> dict[str, object]:
    """Return the members of a JSON object; raises BadBody."""
    try:
        content = json.loads(body, object_pairs_hook=object_of)
    except DuplicateMember as error:
        fault = f"{error}: was sent twice; send it once"
        raise BadBody(HTTPStatus.UNPROCESSABLE_ENTITY, fault, {str(error): fault}) from None
    except (ValueError, RecursionError) as error:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    if is_deeper(content, MAX_DEPTH):
        raise BadBody(
            HTTPStatus.BAD_REQUEST, f"the body is nested too deeply; at most {MAX_DEPTH} levels"
        )
    if HALF_CHARACTER.search(body) and not is_unicode(content):
        raise BadBody(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            r"the body has half of a character, such as \ud83d; send whole characters",
        )
    if not isinstance(content, dict):
        raise BadBody(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the body is {shorten(content)}: must be a JSON object",
        )
    return content


def is_unicode(content: object) -> bool:
    """Return True if no text of a JSON value has half of a character (a lone surrogate)."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class DuplicateMember(Exception):
    """An object of JSON has a member twice; the message is its name."""


def object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object; raises DuplicateMember."""
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise DuplicateMember(name[:60])
        members[name] = value
    return members


def _read_raw(model: type[Model], received: Received) -> None:
    """Store the body as the only file of the form."""
    ((name, mark),) = file_parts(model).items()
    for key, value in request.args.items(multi=True):
        received.add(key, value)
    pieces = body_pieces(context().uploads.limits.max_bytes, "max_upload_mb")
    store(received, name, mark, pieces, shown="")


def _read_references(model: type[Model], received: Received) -> None:
    """Store the files that fields name by their address, or have as Base64."""
    for name, mark in file_parts(model).items():
        for key in (mark.url, mark.data):
            value = received.values.get(key or "")
            if key is None or key in received.faults or value in (None, ""):
                continue
            if key == name and isinstance(value, Upload):
                continue
            if key not in model.model_fields or key == name:
                del received.values[key]
            if name in received.values:
                received.faults[key] = f"{key}: {name} was sent, too; send one of them"
            elif not isinstance(value, str):
                received.faults[key] = f"{key} = {shorten(value)}: must be a text"
            elif key == mark.url:
                _fetch(received, name, key, mark, value)
            else:
                _store_encoded(received, name, key, mark, iter((value.encode(errors="replace"),)))


def _fetch(received: Received, name: str, key: str, mark: FilePart, url: str) -> None:
    """Store the file at an address of this server or, if that is allowed, another one."""
    with file_faults(received, key):
        try:
            own = context().uploads.of_url(url)
            upload = context().fetcher.fetch(url, allowed=mark.kinds, owner=caller().name)
        except FetchError as error:
            faults = {**received.faults, key: f"{key}: {error}"}
            raise BadBody(
                HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults.values()), faults
            ) from error
        received.values[name] = upload
        if own is None:
            received.stored.append(upload)


def _store_encoded(
    received: Received, name: str, key: str, mark: FilePart, chunks: Iterator[bytes]
) -> None:
    """Store a file that was sent as Base64 or as a data URL; an empty text counts as no file."""
    first = next(chunks, b"")
    if not first:
        return
    with file_faults(received, key):
        upload = context().uploads.receive(
            decoded_base64(chain((first,), chunks)), allowed=mark.kinds, owner=caller().name
        )
        received.stored.append(upload)
        received.add(name, upload)
