"""A file that is being received: counted, hashed and limited on its way to the disk."""

import hashlib
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

from session.disk import sync_file, write_all
from warm.uploads.errors import UploadTooLarge
from warm.uploads.examination import refuse_other_formats

HEAD_BYTES = 4096


class IncomingFile:
    """A temporary file, removed at the end of the block unless it was renamed. One thread."""

    def __init__(self, folder: Path, *, shown: str, max_bytes: int) -> None:
        self.path = folder / secrets.token_hex(16)
        self.size_bytes = 0
        self._shown, self._max_bytes = shown, max_bytes
        self._digest = hashlib.sha256()
        self._head = bytearray()
        self._is_recognised = False
        self._fd = -1

    def __enter__(self) -> Self:
        """Create the file; raises OSError."""
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        """Close and remove the file."""
        os.close(self._fd)
        self.path.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """Digest of the bytes so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Append bytes; raises UploadTooLarge, UploadNotAllowed and OSError."""
        if self.size_bytes + len(data) > self._max_bytes:
            raise UploadTooLarge(self._max_bytes)
        self._look_at(data)
        write_all(self._fd, data, self.size_bytes)
        self._digest.update(data)
        self.size_bytes += len(data)

    def sync(self) -> None:
        """Make the bytes durable; raises UploadNotAllowed and OSError."""
        if not self._is_recognised:
            refuse_other_formats(bytes(self._head), self._shown)
        sync_file(self._fd)

    def _look_at(self, data: bytes) -> None:
        """Refuse other formats as soon as the first bytes have arrived."""
        if self._is_recognised:
            return
        self._head += data[: HEAD_BYTES - len(self._head)]
        if len(self._head) >= HEAD_BYTES:
            refuse_other_formats(bytes(self._head), self._shown)
            self._is_recognised = True
