"""Store of uploads: one copy of the same bytes, random ids, expiry.

`results/uploads` has three folders: `incoming` for files that are being received, `content` for
bytes, named by their SHA-256, and `records` for one JSON file of each upload.
"""

import logging
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from session.disk import make_folder, sync_folder
from session.errors import is_out_of_space
from warm.uploads.errors import UnknownUpload, UploadDamaged, UploadInUse, UploadsFull
from warm.uploads.examination import admitted, examine, standby
from warm.uploads.incoming import IncomingFile
from warm.uploads.records import ID, read_records, record_path, write_record
from warm.uploads.upload import Content, Upload, UploadKind

MB = 1_000_000
URL_PATH = re.compile(r"(?:^|/)uploads/([0-9a-f]{32})(\.[a-z0-9]{1,5})?")
MAX_NAME_CHARS = 120
UNNAMED = "the file"
FIRST_SWEEP_S = 10.0
"""Shortest wait for a sweep: the store learns of unfinished jobs only after its start."""
RETRY_S = 60.0
MAX_SWEEP_S = 3600.0
"""Longest time between two sweeps."""

Elsewhere = Callable[[str], AbstractContextManager[tuple[Upload, Iterator[bytes]] | None]]
"""Opens the upload with an id at another server: its record and its bytes; None if none has it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """Limits of a store."""

    max_bytes: int = 200 * MB
    """Largest file."""
    max_total_bytes: int = 4000 * MB
    """Largest size of all files together."""
    ttl_s: float = 86_400.0
    """Lifetime of a file; 0: without limit."""
    max_sound_s: float = 36_000.0


class UploadStore:
    """Uploads on disk, with an index in memory. Any thread."""

    def __init__(
        self,
        folder: Path,
        limits: UploadLimits | None = None,
        *,
        check_disk: Callable[[Path], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`check_disk` raises an error if too little space is free at a path."""
        self.limits = limits or UploadLimits()
        self._folder = folder
        self._incoming, self._content, self._records = (
            folder / name for name in ("incoming", "content", "records")
        )
        self._check_disk, self._clock = check_disk, clock
        self._lock = threading.RLock()
        self._uploads: dict[str, Upload] = {}
        self._held: Counter[str] = Counter()
        self._users: list[Callable[[], Collection[str]]] = []
        self._incoming_bytes = 0
        self.stored_bytes = 0
        """Size of all files together; files with the same bytes count once."""
        self._timer: threading.Timer | None = None
        self._processes = standby()
        self.elsewhere: Elsewhere = lambda _upload_id: nullcontext(None)
        """Asks other servers for an upload that is not here."""
        self._recover()

    def open_examiner(self) -> None:
        """Keep a process ready, so that its start does not delay the next file."""
        self._processes.open()

    def receive(
        self,
        chunks: Iterable[bytes],
        *,
        allowed: frozenset[UploadKind],
        owner: str,
        name: str = "",
    ) -> Upload:
        """Store a file whose bytes arrive in `chunks`; returns when it is durable.

        Raises UploadTooLarge, UploadNotAllowed, UploadDamaged, UploadsFull and UploadsBusy, and
        whatever `chunks` raises; nothing of the file is then left.
        """
        name = display_name(name)
        shown = name or UNNAMED
        with self._new_file(shown) as file:
            self._fill(file, chunks)
            if not file.size_bytes:
                raise UploadDamaged(f"{shown} is empty (0 bytes). Send the file again.")
            content = self._content_of(file, allowed, shown)
            return self._keep(file, self._new_upload(file, content, owner=owner, name=name))

    def obtain(self, upload_id: str) -> Upload:
        """Return an upload, or a copy of that of another server, which has the same id and age.

        Raises UnknownUpload, UploadDamaged, UploadsFull and OSError.
        """
        try:
            return self.get(upload_id)
        except UnknownUpload:
            copy = self._copy(upload_id) if ID.fullmatch(upload_id) else None
            if copy is None:
                raise
            return copy

    def get(self, upload_id: str) -> Upload:
        """Return an upload; raises UnknownUpload."""
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is None or (self._is_expired(upload) and not self._is_used(upload_id)):
                raise UnknownUpload(upload_id)
            return upload

    def admit(self, upload: Upload, allowed: frozenset[UploadKind]) -> Upload:
        """Return an upload as one of the allowed kinds; raises UploadNotAllowed."""
        content = admitted(upload, allowed, upload.name or UNNAMED)
        return upload if content is upload else replace(upload, kind=content.kind)

    def remove(self, upload_id: str) -> None:
        """Remove an upload; raises UnknownUpload, and UploadInUse while a job uses it."""
        with self._lock:
            self.require_unused(upload_id)
            self._forget(upload_id)

    def require_unused(self, upload_id: str) -> None:
        """Raise UnknownUpload, and UploadInUse while a job uses it."""
        with self._lock:
            self.get(upload_id)
            if self._is_used(upload_id):
                raise UploadInUse(upload_id)

    @contextmanager
    def hold(self, upload_id: str) -> Iterator[Upload]:
        """Keep an upload for the block; raises UnknownUpload."""
        with self._lock:
            upload = self.get(upload_id)
            self._held[upload_id] += 1
        try:
            yield upload
        finally:
            with self._lock:
                self._held[upload_id] -= 1

    def keep_while_used(self, used_ids: Callable[[], Collection[str]]) -> None:
        """Keep every upload whose id `used_ids` returns, such as those of unfinished jobs.

        It is called by any thread, under the lock of the store.
        """
        with self._lock:
            self._users.append(used_ids)

    def url_path(self, upload: Upload) -> str:
        """Path of the URL of an upload."""
        return f"/uploads/{upload.id}{upload.suffix}"

    def of_url(self, url: str) -> Upload | None:
        """Return the upload of an absolute or relative URL of this server; None for another URL.

        The id is unguessable, so the host need not be compared. Raises as `obtain` for an expired
        upload, and for one of another server that cannot be copied.
        """
        try:
            path = urlsplit(url).path
        except ValueError:
            return None
        found = URL_PATH.fullmatch(path[path.rfind("uploads/") :]) if "uploads/" in path else None
        if found is None:
            return None
        with self._lock:
            upload = self._uploads.get(found[1])
        if upload is None:
            upload = self._copy(found[1])
        is_same = upload is not None and found[2] in (None, upload.suffix)
        return self.get(found[1]) if is_same else None

    def of_owner(self, owner: str | None) -> list[Upload]:
        """Return the uploads of a caller, or of all callers for None, newest first."""
        with self._lock:
            found = [each for each in self._uploads.values() if owner in (None, each.owner)]
        return sorted(found, key=lambda each: each.created_s, reverse=True)

    def sweep(self) -> None:
        """Remove the expired uploads that nothing uses."""
        with self._lock:
            expired = [each.id for each in self._uploads.values() if self._is_expired(each)]
            used = self._used_ids() if expired else set()
            for upload_id in expired:
                if upload_id not in used:
                    self._forget(upload_id)
            self._schedule()

    def close(self) -> None:
        """Stop the timer of the expiry, and the process that waits for a file."""
        self._processes.close()
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _recover(self) -> None:
        """Read the records, and remove what a crash left behind."""
        if not self._folder.exists():
            return
        self._make_folders()
        for path in self._incoming.iterdir():
            path.unlink()
        self._uploads = {each.id: each for each in read_records(self._records, self._content)}
        known = {each.sha256 for each in self._uploads.values()}
        for path in self._content.iterdir():
            if path.name not in known:
                path.unlink()
        self._count()
        self._schedule()

    def _make_folders(self) -> None:
        for folder in (self._incoming, self._content, self._records):
            make_folder(folder, under=self._folder.parent)

    @contextmanager
    def _new_file(self, shown: str) -> Iterator[IncomingFile]:
        """Open a temporary file, whose size counts as used until the end of the block.

        Raises UploadsFull, also for a disk that gets full in the block, and OSError.
        """
        try:
            with self._counted_file(shown) as file:
                yield file
        except OSError as error:
            if is_out_of_space(error):
                raise UploadsFull("the disk is full; free some space, and try again") from error
            raise

    @contextmanager
    def _counted_file(self, shown: str) -> Iterator[IncomingFile]:
        self.sweep()
        self._make_folders()
        self._check_disk(self._folder)
        file = IncomingFile(self._incoming, shown=shown, max_bytes=self.limits.max_bytes)
        try:
            with file:
                yield file
        finally:
            with self._lock:
                self._incoming_bytes -= file.size_bytes

    def _fill(self, file: IncomingFile, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            before = file.size_bytes
            file.write(chunk)
            with self._lock:
                self._incoming_bytes += file.size_bytes - before
            if before // (8 * MB) != file.size_bytes // (8 * MB):
                self._check_disk(self._folder)
            self._require_room()
        file.sync()

    def _require_room(self) -> None:
        limit = self.limits.max_total_bytes
        if self.stored_bytes + self._incoming_bytes > limit:
            raise UploadsFull(
                f"the stored files take {limit / MB:g} MB, which is the limit (max_uploads_mb);"
                " delete some of them, or wait until they expire (upload_ttl_s)"
            )

    def _content_of(
        self, file: IncomingFile, allowed: frozenset[UploadKind], shown: str
    ) -> Content:
        """Return the properties of a file; one with the same bytes need not be examined again."""
        with self._lock:
            known = next(
                (each for each in self._uploads.values() if each.sha256 == file.sha256), None
            )
        if known is not None and known.kind in allowed:
            return known
        content = examine(
            file.path, shown=shown, max_sound_s=self.limits.max_sound_s, processes=self._processes
        )
        return admitted(content, allowed, shown)

    def _copy(self, upload_id: str) -> Upload | None:
        """Store a copy of another server's upload, which has been examined there; None if none has
        it. Raises UploadDamaged, UploadsFull and OSError."""
        with self.elsewhere(upload_id) as found:
            if found is None:
                return None
            upload, chunks = found
            shown = upload.name or UNNAMED
            with self._new_file(shown) as file:
                self._fill(file, chunks)
                if file.sha256 != upload.sha256:
                    raise UploadDamaged(f"{shown} was not received whole; send the request again.")
                return self._keep(file, replace(upload, path=self._content / file.sha256))

    def _new_upload(self, file: IncomingFile, content: Content, *, owner: str, name: str) -> Upload:
        return Upload(
            kind=content.kind,
            media_type=content.media_type,
            suffix=content.suffix,
            facts=content.facts,
            id=secrets.token_hex(16),
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            path=self._content / file.sha256,
            created_s=self._clock(),
            owner=owner,
            name=name,
        )

    def _keep(self, file: IncomingFile, upload: Upload) -> Upload:
        """Move a received file into the store; raises OSError."""
        with self._lock:
            try:
                if not upload.path.exists():
                    file.path.rename(upload.path)
                    sync_folder(self._content)
                write_record(self._records, upload)
            except OSError:
                self._remove_bytes(upload)
                raise
            self._uploads[upload.id] = upload
            self._count()
            self._schedule()
        return upload

    def _count(self) -> None:
        sizes = {each.sha256: each.size_bytes for each in self._uploads.values()}
        self.stored_bytes = sum(sizes.values())

    def _forget(self, upload_id: str) -> None:
        """Remove an upload, and its bytes if no other upload shares them."""
        record_path(self._records, upload_id).unlink(missing_ok=True)
        sync_folder(self._records)
        self._remove_bytes(self._uploads.pop(upload_id))
        self._count()

    def _remove_bytes(self, upload: Upload) -> None:
        """Remove the bytes of an upload if no stored upload has them."""
        if all(each.sha256 != upload.sha256 for each in self._uploads.values()):
            upload.path.unlink(missing_ok=True)

    def _is_expired(self, upload: Upload) -> bool:
        ttl_s = self.limits.ttl_s
        return bool(ttl_s) and self._clock() - upload.created_s > ttl_s

    def _is_used(self, upload_id: str) -> bool:
        return upload_id in self._used_ids()

    def _used_ids(self) -> set[str]:
        held = {upload_id for upload_id, count in self._held.items() if count > 0}
        return held.union(*(used_ids() for used_ids in self._users))

    def _schedule(self) -> None:
        """Start the timer for the next upload that expires."""
        if self._timer is not None or not self._uploads or not self.limits.ttl_s:
            return
        oldest_s = min(each.created_s for each in self._uploads.values())
        wait_s = oldest_s + self.limits.ttl_s - self._clock()
        self._start_timer(min(max(wait_s, FIRST_SWEEP_S), MAX_SWEEP_S))

    def _start_timer(self, wait_s: float) -> None:
        self._timer = threading.Timer(wait_s, self._sweep_in_time)
        self._timer.daemon = True
        self._timer.name = "upload-expiry"
        self._timer.start()

    def _sweep_in_time(self) -> None:
        self.close()
        try:
            self.sweep()
        except Exception:
            log.exception("expired uploads could not be removed; this is tried again")
            with self._lock:
                self._start_timer(RETRY_S)


def display_name(name: str) -> str:
    """Return the last part of a file's name at the client, without unprintable characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(each for each in last if each.isprintable())[:MAX_NAME_CHARS].strip(". ")
