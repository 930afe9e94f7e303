"""A stored file, and the kinds of files that can be stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

UploadKind = Literal["picture", "video", "sound"]

ALL_KINDS: frozenset[UploadKind] = frozenset(get_args(UploadKind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Properties of a file's content. They never come from its name."""

    kind: UploadKind
    media_type: str
    suffix: str
    """With the dot."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """`width` and `height` of pictures and videos, `duration_s` of videos and sounds (null if the
    file does not state it), `has_sound` of videos; JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Content):
    """A stored file."""

    id: str
    """32 random hexadecimal digits; anyone who knows them can read the file."""
    sha256: str
    size_bytes: int
    path: Path
    """The bytes; files with the same bytes share it."""
    created_s: float
    """Unix time."""
    owner: str
    """Name of the caller that sent it; empty without keys."""
    name: str = ""
    """Name of the file at the client, for display only."""
