"""Film file that is appended fragment by fragment, and truncated again after a failure.

It manages bytes, totals, clips and cues; it does not interpret pictures and sound.
"""

import contextlib
import fcntl
import os
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Condition, Lock

from session.disk import is_same_file, sync_file, translate_disk_errors, write_all
from session.errors import (
    FilmClosedError,
    FilmFullError,
    FilmGoneError,
    SyncFailedError,
    disk_error,
)
from session.film import (
    ClipRecord,
    Committed,
    Cue,
    Fragment,
    cues_before,
    is_fully_spoken,
    text_of_clip,
)
from session.fragmented.damage import DamageReport, verify_fragments
from session.fragmented.film_files import move_files, open_locked, remove_files
from session.fragmented.init_segment import read_init_segment
from session.fragmented.journal import Journal, JournalEntry, journal_path
from session.fragmented.recovery import recover
from session.reader import FilmReader
from session.serial_worker import VERIFICATION

VERIFIED_AT_ONCE_BYTES = 16 << 20
"""Films up to this size are compared with their checksums while they are opened; longer ones on a
background thread. Either way, bytes are also verified whenever they are read for a client."""


class FragmentLog:
    """Open film file. One thread appends; any thread reads the published state."""

    def __init__(self, path: Path, *, is_durable: bool = True) -> None:
        """Open, lock and recover the film at `path`; errors as for `FilmWriter.open`.

        `is_durable`: published fragments survive a power cut.
        """
        self.path = path
        self._sync = sync_file if is_durable else leave_to_system
        with translate_disk_errors(path):
            self._fd = open_locked(path)
        try:
            with translate_disk_errors(path):
                self.init_segment = read_init_segment(self._fd)
                self.recovered = recover(self._fd, path, self.init_segment)
                self._journal = Journal(journal_path(path), self.init_segment.film_id, self._sync)
        except BaseException:
            os.close(self._fd)
            raise
        self._appending = Lock()
        self._changed = Condition()
        self._is_closed = False
        self._end, self._frames, self._samples = len(self.init_segment.data), 0, 0
        self._fragments: list[Fragment] = []
        self._clips: list[ClipRecord] = []
        self._open_clip: tuple[str, int] | None = None
        self._cues: list[Cue] = []
        self._open_cues: list[Cue] = []
        for entry in self.recovered.entries:
            self._add(entry)
        self.close_clip()
        self._damage = DamageReport(path)
        if self.recovered.journal_repair.unproven:
            self._damage.add(f"its journal: {self.recovered.journal_repair}")
        self._verify_all()

    @property
    def totals(self) -> tuple[int, int]:
        """Committed (video frames, audio samples); for the appending thread."""
        return self._frames, self._samples

    @property
    def open_cues(self) -> Sequence[Cue]:
        """The cues of the open clip so far; for the appending thread."""
        return self._open_cues

    @property
    def sequence(self) -> int:
        """Sequence number of the next fragment, from 1; for the appending thread."""
        return len(self._fragments) + 1

    @property
    def is_closed(self) -> bool:
        """True if no more bytes will be added."""
        return self._is_closed

    def is_in_place(self) -> bool:
        """Return True if the open film and journal are still at their paths."""
        return is_same_file(self._fd, self.path) and self._journal.is_in_place(
            journal_path(self.path)
        )

    def committed(self) -> Committed:
        """Return the durable part of the film."""
        with self._changed:
            return Committed(bytes=self._end, frames=self._frames, clips=tuple(self._clips))

    def cues(self) -> list[Cue]:
        """Return the cues of the committed frames, in order, including those of an open clip.

        A finished clip without cues counts as one cue.
        """
        with self._changed:
            return [*self._cues, *cues_before(self._frames, self._open_cues)]

    def fragments_since(self, offset: int) -> list[Fragment]:
        """Return the committed fragments that begin at byte `offset` or later."""
        with self._changed:
            first = bisect_right(self._fragments, offset - 1, key=lambda each: each.offset)
            return self._fragments[first:]

    @property
    def damage(self) -> tuple[str, ...]:
        """Descriptions of the damage that has been found so far."""
        return self._damage.found

    def wait_past(self, end: int, timeout_s: float) -> int:
        """Wait until the committed end passes `end`, the log is closed, or the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._end > end or self._is_closed, timeout_s)
            return self._end

    def reader(self) -> FilmReader:
        """Open the committed bytes for one reader, which keeps them if the path is removed.

        A closed film can be read as long as it is at its path.
        """
        with self._appending, translate_disk_errors(self.path):
            fd = self._reopen() if self._is_closed else os.dup(self._fd)
            return FilmReader(fd, self.init_segment.film_id, self._end, verify=self._require_intact)

    def append(
        self,
        data: bytes,
        *,
        frames: int,
        samples: int,
        text: str | None,
        cues: Sequence[Cue] = (),
    ) -> Fragment:
        """Make one fragment durable, then publish it.

        `text` starts a clip; `cues` are the sentences that begin on these frames. After any failure
        the film is unchanged. After a FilmFullError the next call works once there is room. After
        a FilmDiskError, a failed sync or a FilmGoneError the log is closed, since the state of the
        disk is unknown; opening the film again recovers it.
        """
        with self._appending:
            self._require_open()
            entry = JournalEntry(
                end=self._end + len(data),
                crc32=zlib.crc32(data),
                frames=self._frames + frames,
                samples=self._samples + samples,
                text=text,
                cues=tuple(cues),
            )
            try:
                self._write(data, entry)
            except BaseException as error:
                self._roll_back(error)
                raise
            return self._publish(entry)

    def close_clip(self) -> ClipRecord | None:
        """End the open clip; None if no fragment of it is committed."""
        with self._changed:
            if self._open_clip is None:
                return None
            given, first_frame = self._open_clip
            text = text_of_clip(given, self._open_cues)
            self._open_clip = None
            record = ClipRecord(
                index=len(self._clips),
                text=text,
                first_frame=first_frame,
                frames=self._frames - first_frame,
                is_whole=is_fully_spoken(text, self._open_cues, self._frames),
            )
            self._clips.append(record)
            whole_clip = Cue(text=text, first_frame=first_frame, frames=record.frames)
            self._cues += cues_before(self._frames, self._open_cues) or [whole_clip]
            self._open_cues = []
            return record

    def close(self, before_close: Callable[[], None] = lambda: None) -> None:
        """Call `before_close` under the lock, close the film and wake its waiters; idempotent."""
        with self._appending:
            if not self._is_closed:
                with translate_disk_errors(self.path):
                    before_close()
                self._close()

    def delete(self) -> None:
        """Close the film and remove its files; open readers keep their bytes."""
        self.close(lambda: remove_files(self.path))

    def move(self, target: Path) -> None:
        """Close the film and move it to `target`, on the same file system."""
        self.close(lambda: move_files(self.path, target))

    def _verify_all(self) -> None:
        """Look for damage: at once in a short film, in the background in a long one."""
        fragments, spec = list(self._fragments), self.init_segment.spec
        if self._end <= VERIFIED_AT_ONCE_BYTES:
            self._damage.record_all(verify_fragments(self._fd, fragments, spec))
            return
        fd = os.dup(self._fd)

        def verify() -> None:
            try:
                self._damage.record_all(verify_fragments(fd, self._while_open(fragments), spec))
            finally:
                os.close(fd)

        VERIFICATION.submit(verify)

    def _while_open(self, fragments: Sequence[Fragment]) -> Iterator[Fragment]:
        """Yield fragments until the log is closed."""
        for fragment in fragments:
            if self._is_closed:
                return
            yield fragment

    def _require_intact(self, fd: int, begin: int, end: int) -> None:
        """Raise FilmDamagedError if committed bytes from `begin` to `end` were changed on disk."""
        init = self.init_segment
        if begin < len(init.data) and os.pread(fd, len(init.data), 0) != init.data:
            self._damage.refuse_first(["its init segment was changed"])
        with self._changed:
            first = bisect_right(self._fragments, begin, key=lambda each: each.end)
            after = bisect_left(self._fragments, end, key=lambda each: each.offset)
            fragments = self._fragments[first:after]
        self._damage.refuse_first(verify_fragments(fd, fragments, init.spec))

    def _reopen(self) -> int:
        """Open the closed film for reading; raises FilmClosedError if it is no longer there."""
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(self.path, os.O_RDONLY)
            if os.pread(fd, len(self.init_segment.data), 0) == self.init_segment.data:
                return fd
            os.close(fd)
        raise FilmClosedError(f"The film {self.path} is closed and is no longer at its path.")

    def _require_open(self) -> None:
        if self._is_closed:
            raise FilmClosedError(f"The film {self.path} is closed; open it again to continue.")

    def _write(self, data: bytes, entry: JournalEntry) -> None:
        write_all(self._fd, data, self._end)
        self._sync(self._fd)
        self._journal.append(entry)
        if not self.is_in_place():
            raise FilmGoneError(
                f"The film {self.path}, or its journal, is no longer at its path: it was"
                " removed or replaced. Try again to continue the film that is there, or to start a"
                " new one."
            )

    def _roll_back(self, error: BaseException) -> None:
        """Durably restore the state before the append that raised `error`.

        Close the log if that fails or if the state of the disk is unknown. Raise a FilmFullError
        or FilmDiskError in place of an OSError.
        """
        try:
            os.ftruncate(self._fd, self._end)
            sync_file(self._fd)
            self._journal.roll_back()
        except OSError:
            self._close()
        if isinstance(error, OSError):
            translated = disk_error(error, self.path)
            if isinstance(error, SyncFailedError) or not isinstance(translated, FilmFullError):
                self._close()
            raise translated from error
        if isinstance(error, FilmGoneError):
            self._close()

    def _publish(self, entry: JournalEntry) -> Fragment:
        with self._changed:
            self._add(entry)
            self._changed.notify_all()
            return self._fragments[-1]

    def _add(self, entry: JournalEntry) -> None:
        """Add a fragment to the state; under the lock, or before other threads use the log."""
        if entry.text is not None:
            self.close_clip()
            self._open_clip = (entry.text, self._frames)
        self._open_cues += entry.cues
        fragment = Fragment(
            index=len(self._fragments),
            offset=self._end,
            end=entry.end,
            first_frame=self._frames,
            frames=entry.frames - self._frames,
            crc32=entry.crc32,
        )
        self._fragments.append(fragment)
        self._end, self._frames, self._samples = entry.end, entry.frames, entry.samples

    def _close(self) -> None:
        if self._is_closed:
            return
        self.close_clip()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._journal.close()
        fcntl.flock(self._fd, fcntl.LOCK_UN)  # file descriptors of readers would keep the lock
        os.close(self._fd)


def leave_to_system(_fd: int) -> None:
    """Leave it to the system when an open file is written to disk."""
