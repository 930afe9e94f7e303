"""Manifest of a stored avatar: `avatar.json`, its fields, and its own checksum."""

import json
import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

FORMAT = 1
"""Version of the folder's format; avatars of any other version are refused."""
MANIFEST = "avatar.json"
MAX_BYTES = 4 << 20
MAX_SIDE, MAX_FRAMES, MAX_FPS = 8192, 1_000_000, 240
_CHECKSUM = re.compile(rb',\n "checksum": "([0-9a-f]{8})"\n}\n?\Z')
"""The last member: the CRC-32 of everything before it."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$")]


class ManifestError(ValueError):
    """The manifest cannot be read; the message is a predicate with the fault."""


class OtherFormat(ValueError):
    """Another version of the program wrote the manifest."""

    def __init__(self, version: object) -> None:
        super().__init__(f"has format {version}; this program reads {FORMAT}")


class StoredFile(BaseModel):
    """Size and checksums of one file of an avatar."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    bytes: NonNegativeInt
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    crc32: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    """None if an older version of the program made the avatar."""


class StoredAction(BaseModel):
    """An action clip; see `action.Action`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    start: NonNegativeInt
    frames: PositiveInt
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    source: str = ""
    mouth_frames: NonNegativeInt = 0
    head_step: Annotated[float, Field(gt=0)]
    picture_step: Annotated[float, Field(gt=0)]


class Manifest(BaseModel):
    """Contents of `avatar.json`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    format: Literal[1]
    id: str
    digest: str
    created: str
    fps: Annotated[PositiveInt, Field(le=MAX_FPS)]
    loop: Literal["forward", "pingpong"]
    frames: Annotated[PositiveInt, Field(le=MAX_FRAMES)]
    period: Annotated[PositiveInt, Field(le=MAX_FRAMES)] | None = None
    """Frames of the idle loop; None: that of `frames` and `loop`."""
    width: Annotated[PositiveInt, Field(le=MAX_SIDE)]
    height: Annotated[PositiveInt, Field(le=MAX_SIDE)]
    source: str
    notes: list[str]
    settings: dict[str, Any] = {}
    verdict: dict[str, Any] | None = None
    mouth: dict[str, Any] | None = None
    """See `mouth_report.MouthReport`; None if the engine reports nothing about its mouth."""
    face: dict[str, Any] | None = None
    """See `face_report.FaceReport`; None if an older version of the program made the avatar."""
    base_digest: str | None = None
    """Digest of the preparation without the actions; None if there are none: that of `digest`."""
    actions: dict[str, StoredAction] = {}
    """Action clips by name."""
    frame_arrays: list[FileName] = []
    """Names of the arrays with one row per frame; only if there are actions."""
    files: dict[FileName, StoredFile]
    checksum: str | None = None
    """None if an older version of the program made the avatar."""


def format_manifest(members: Mapping[str, Any]) -> bytes:
    """Format a manifest with its checksum."""
    body = json.dumps(members, indent=1).encode().removesuffix(b"\n}")
    return b'%s,\n "checksum": "%08x"\n}\n' % (body, zlib.crc32(body))


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; raises ManifestError and OtherFormat."""
    data = _read(path)
    members = _parse(data)
    version = members.get("format")
    if type(version) is not int:
        raise ManifestError("cannot be read (it names no format)")
    if version != FORMAT:
        raise OtherFormat(version)
    _require_checksum(data, members)
    try:
        return Manifest.model_validate(members)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ManifestError(f"is invalid: {where}: {first['msg']}") from error


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ManifestError("cannot be read (it is missing, or is not a file)")
    try:
        size = os.stat(path).st_size  # noqa: PTH116
        if size > MAX_BYTES:
            raise ManifestError(f"has {size} bytes; at most {MAX_BYTES} are read")
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"cannot be read ({error.strerror})") from error


def _parse(data: bytes) -> dict[str, Any]:
    try:
        members = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"cannot be read ({error})") from error
    if not isinstance(members, dict):
        raise ManifestError("cannot be read (it is not a JSON object)")
    return members


def _require_checksum(data: bytes, members: Mapping[str, Any]) -> None:
    """Raise ManifestError if the manifest was changed after it was written."""
    match = _CHECKSUM.search(data)
    if match is None:
        is_intact = "checksum" not in members
    else:
        is_intact = int(match[1], 16) == zlib.crc32(data[: match.start()])
    if not is_intact:
        raise ManifestError("was changed: it does not match its checksum")
