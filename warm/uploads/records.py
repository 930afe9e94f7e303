"""Records of uploads: one JSON file each."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from session.disk import replace_file
from warm.uploads.upload import ALL_KINDS, Upload

ID = re.compile(r"[0-9a-f]{32}")
FIELDS = (
    *("id", "kind", "media_type", "suffix", "facts", "sha256", "size_bytes", "created_s"),
    *("owner", "name"),
)

log = logging.getLogger(__name__)


def record_path(folder: Path, upload_id: str) -> Path:
    """Path of the record of an upload; the id must be valid."""
    return folder / f"{upload_id}.json"


def write_record(folder: Path, upload: Upload) -> None:
    """Write the record of an upload durably; raises OSError."""
    replace_file(record_path(folder, upload.id), json.dumps(members_of(upload)).encode())


def members_of(upload: Upload) -> dict[str, Any]:
    """Return the members of the record of an upload."""
    return {**{name: getattr(upload, name) for name in FIELDS}, "facts": dict(upload.facts)}


def read_records(folder: Path, content: Path) -> Iterator[Upload]:
    """Yield the uploads whose record and bytes are complete; remove all other records."""
    for path in sorted(folder.iterdir()):
        upload = read_record(path, content)
        if upload is None:
            log.warning("a record of an upload cannot be used and is removed: %s", path)
            path.unlink()
        else:
            yield upload


def read_record(path: Path, content: Path) -> Upload | None:
    """Return the upload of a record; None if the record or its bytes are incomplete."""
    try:
        members = json.loads(path.read_bytes())
        upload = Upload(**members, path=content / members["sha256"])
        is_whole = upload.path.stat().st_size == upload.size_bytes
    except (OSError, ValueError, TypeError, KeyError):
        return None
    is_ours = path.name == f"{upload.id}.json" and ID.fullmatch(upload.id) is not None
    return upload if is_whole and is_ours and upload.kind in ALL_KINDS else None
