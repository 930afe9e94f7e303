"""Answers about stored files."""

from typing import Self

from pydantic import Field

from api.answers import Answer
from warm.uploads.upload import Upload, UploadKind


class UploadAnswer(Answer):
    """A stored file."""

    id: str
    """32 hexadecimal digits."""
    url: str
    """Address of the file, which later requests name; it needs no key."""
    kind: UploadKind
    """Recognised from the content."""
    media_type: str
    bytes: int = Field(ge=1)
    sha256: str
    name: str
    """Name of the file at the client; empty if it sent none."""
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    """Null for pictures, and for files that do not state it."""

    @classmethod
    def of(cls, upload: Upload, url: str) -> Self:
        """Describe a file at this address."""
        return cls(
            id=upload.id,
            url=url,
            kind=upload.kind,
            media_type=upload.media_type,
            bytes=upload.size_bytes,
            sha256=upload.sha256,
            name=upload.name,
            width=upload.facts.get("width"),
            height=upload.facts.get("height"),
            duration_s=upload.facts.get("duration_s"),
        )
