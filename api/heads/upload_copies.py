"""Uploads of other heads: copies for requests that name them, and their removal."""

import http.client
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.context import context
from warm.heads.heads import Heads
from warm.uploads.errors import UnknownUpload, UploadInUse
from warm.uploads.records import members_of
from warm.uploads.upload import Upload

PATH = "/heads/uploads"

log = logging.getLogger(__name__)


@contextmanager
def open_elsewhere(heads: Heads, upload_id: str) -> Iterator[tuple[Upload, Iterator[bytes]] | None]:
    """Open an upload at the head that has it: its record and its bytes; None if none has it.

    Raises UnknownUpload if its head ends meanwhile, and OSError.
    """
    for head in heads.others():
        answer = heads.peers.get(head, f"{PATH}?upload_id={upload_id}", {})
        if answer is None or not answer.get("upload"):
            continue
        upload = Upload(**answer["upload"], path=Path())
        with heads.peers.body(head, f"/uploads/{upload.id}{upload.suffix}") as chunks:
            if chunks is not None:
                yield upload, whole(chunks, upload)
                return
    yield None


def whole(chunks: Iterator[bytes], upload: Upload) -> Iterator[bytes]:
    """Yield the bytes of an upload; raises UnknownUpload if the connection is lost."""
    try:
        yield from chunks
    except (OSError, http.client.HTTPException) as error:
        log.error("an upload of another head was cut off: %s", error)  # noqa: TRY400
        raise UnknownUpload(upload.id) from error


def remove_everywhere(upload_id: str) -> None:
    """Remove an upload from this head, and its copies from the others that answer.

    A copy at a head that does not answer expires with the upload. Raises UnknownUpload, and
    UploadInUse while a job of any head uses it.
    """
    uploads, heads = context().uploads, context().heads
    uploads.require_unused(upload_id)
    if heads is not None:
        remove_copies(heads, upload_id)
    uploads.remove(upload_id)


def remove_copies(heads: Heads, upload_id: str) -> None:
    """Have other heads remove their copies of an upload; raises UploadInUse."""
    for head in heads.others():
        answer = heads.peers.delete(head, f"{PATH}?upload_id={upload_id}")
        is_used = None if answer is None else answer.get("is_used")
        if is_used is None:
            log.error("%s did not remove its copy of an upload, which will expire", head)
        elif is_used:
            raise UploadInUse(upload_id)


def own_record(upload_id: str) -> dict[str, Any] | None:
    """Return the record of an upload of this head, for another one; None if there is none."""
    try:
        return members_of(context().uploads.get(upload_id))
    except UnknownUpload:
        return None


def remove_own(upload_id: str) -> bool:
    """Remove an upload from this head, if it is here; return True if a job uses it."""
    try:
        context().uploads.remove(upload_id)
    except UploadInUse:
        return True
    except UnknownUpload:
        pass
    return False
