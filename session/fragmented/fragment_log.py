"""The durable file under a film: locked, appended fragment by fragment, cut back on failure.

A reel knows bytes, totals and clips; it knows nothing of pictures and sound.
"""

import contextlib
import fcntl
import os
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Condition, Lock

from session.disk import (
    is_same_file,
    open_regular,
    replace_file,
    sync_file,
    sync_folder,
    temporary_path,
    translate_disk_errors,
    write_all,
)
from session.errors import (
    FilmBusyError,
    FilmClosedError,
    FilmExistsError,
    FilmFullError,
    FilmGoneError,
    FilmMissingError,
    SyncFailedError,
    disk_error,
)
from session.film import (
    ClipRecord,
    Committed,
    Cue,
    FilmSpec,
    Fragment,
    cues_before,
    is_fully_spoken,
)
from session.fragmented.init_segment import build_init_segment, film_id_of, read_init_segment
from session.fragmented.journal import Journal, JournalEntry, journal_path, write_journal
from session.fragmented.recovery import recover, saved_tails
from session.reader import FilmReader


class FragmentLog:
    """An open film file. One thread appends; any thread reads what is published."""

    def __init__(self, path: Path) -> None:
        """Open, lock and recover the film at `path`; `FilmWriter.open` names the errors."""
        self.path = path
        with translate_disk_errors(path):
            self._fd = open_locked(path)
        try:
            with translate_disk_errors(path):
                self.init_segment = read_init_segment(self._fd)
                self.recovered = recover(self._fd, path, self.init_segment)
                self._journal = Journal(journal_path(path), self.init_segment.film_id)
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
            self._count_in(entry)
        self.close_clip()

    @property
    def totals(self) -> tuple[int, int]:
        """(video frames, audio samples) committed; for the appending thread."""
        return self._frames, self._samples

    @property
    def sequence(self) -> int:
        """Number of the fragment to come, from 1; for the appending thread."""
        return len(self._fragments) + 1

    @property
    def is_closed(self) -> bool:
        """Whether no byte will be added any more."""
        return self._is_closed

    def is_in_place(self) -> bool:
        """Whether film and journal, while they are open, still lie where they were opened."""
        return is_same_file(self._fd, self.path) and self._journal.is_in_place(
            journal_path(self.path)
        )

    def committed(self) -> Committed:
        """What is durable now."""
        with self._changed:
            return Committed(bytes=self._end, frames=self._frames, clips=tuple(self._clips))

    def cues(self) -> list[Cue]:
        """What is heard in the committed frames, in order; of an open clip the sentences so far.

        A finished clip of which no sentence is known is one cue.
        """
        with self._changed:
            return [*self._cues, *cues_before(self._frames, self._open_cues)]

    def fragments_since(self, offset: int) -> list[Fragment]:
        """The committed fragments that begin at byte `offset` or later."""
        with self._changed:
            first = bisect_right(self._fragments, offset - 1, key=lambda each: each.offset)
            return self._fragments[first:]

    def wait_past(self, end: int, timeout_s: float) -> int:
        """Block until the committed end passes `end`, the reel closes, or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._end > end or self._is_closed, timeout_s)
            return self._end

    def reader(self) -> FilmReader:
        """This film's bytes for one reader, who keeps them when the path is gone.

        A closed film can be read for as long as it lies at its path.
        """
        with self._appending, translate_disk_errors(self.path):
            fd = self._open_again() if self._is_closed else os.dup(self._fd)
            return FilmReader(fd, self.init_segment.film_id, self._end)

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

        `text` begins a clip; `cues` are the sentences that begin on these frames. On any failure
        the film is as before: FilmFullError where room is missing, and the next call works once
        there is some; after a FilmDiskError, a failed sync of whatever cause or a FilmGoneError the
        reel closes, since the state of the disk is unknown, and opening it again finds out.
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
                self._take_back(error)
                raise
            return self._publish(entry)

    def close_clip(self) -> ClipRecord | None:
        """End the clip that is open, if any fragment of it is committed."""
        with self._changed:
            if self._open_clip is None:
                return None
            text, first_frame = self._open_clip
            self._open_clip = None
            record = ClipRecord(
                index=len(self._clips),
                text=text,
                first_frame=first_frame,
                frames=self._frames - first_frame,
                is_whole=is_fully_spoken(text, self._open_cues, self._frames),
            )
            self._clips.append(record)
            whole = Cue(text=text, first_frame=first_frame, frames=record.frames)
            self._cues += cues_before(self._frames, self._open_cues) or [whole]
            self._open_cues = []
            return record

    def close(self, last_act: Callable[[], None] = lambda: None) -> None:
        """Let go of the film, after `last_act` under its lock; watchers wake. Once is enough."""
        with self._appending:
            if not self._is_closed:
                with translate_disk_errors(self.path):
                    last_act()
                self._close()

    def delete(self) -> None:
        """Close the film and remove it from its path; readers that have it open keep it."""
        self.close(lambda: _unlink(self.path))

    def move(self, target: Path) -> None:
        """Close the film and let it live on at `target`, on the same file system."""
        self.close(lambda: _move(self.path, target))

    def _open_again(self) -> int:
        """A descriptor of the closed film, to read from; FilmClosedError where it is gone."""
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(self.path, os.O_RDONLY)
            if os.pread(fd, len(self.init_segment.data), 0) == self.init_segment.data:
                return fd
            os.close(fd)
        raise FilmClosedError(f"The film {self.path} is closed, and not at its place any more.")

    def _require_open(self) -> None:
        if self._is_closed:
            raise FilmClosedError(f"The film {self.path} is closed; open it again to go on.")

    def _write(self, data: bytes, entry: JournalEntry) -> None:
        write_all(self._fd, data, self._end)
        sync_file(self._fd)
        self._journal.append(entry)
        if not self.is_in_place():
            raise FilmGoneError(
                f"The film {self.path}, or its journal, is not at its place any more: something"
                " removed or replaced it. Ask again, and the film that is there goes on, or a new"
                " one begins."
            )

    def _take_back(self, error: BaseException) -> None:
        """Leave the film as it was before `error`, also for after a power cut.

        The reel closes where that cannot be, or cannot be known. Raises a clearer error where
        there is one.
        """
        try:
            os.ftruncate(self._fd, self._end)
            sync_file(self._fd)
            self._journal.roll_back()
        except OSError:
            self._close()
        if isinstance(error, OSError):
            clearer = disk_error(error, self.path)
            if isinstance(error, SyncFailedError) or not isinstance(clearer, FilmFullError):
                self._close()
            raise clearer from error
        if isinstance(error, FilmGoneError):
            self._close()

    def _publish(self, entry: JournalEntry) -> Fragment:
        with self._changed:
            self._count_in(entry)
            self._changed.notify_all()
            return self._fragments[-1]

    def _count_in(self, entry: JournalEntry) -> None:
        """Add a fragment to what is known: under the lock, or while nobody else has the reel."""
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
        fcntl.flock(self._fd, fcntl.LOCK_UN)  # readers' duplicates would keep it
        os.close(self._fd)


def create_film(path: Path, spec: FilmSpec) -> None:
    """Put a film without fragments in place, with its journal; FilmExistsError where one is.

    The journal comes first: a film is never seen without one, and a journal without its film is
    recognised as left over. Raises FilmFullError and FilmDiskError.
    """
    init_segment = build_init_segment(spec)
    with translate_disk_errors(path), _changing(path.parent):
        if path.exists():
            raise FilmExistsError(f"There is a film at {path}; open it, or delete it first.")
        crc32 = zlib.crc32(init_segment)
        write_journal(journal_path(path), film_id_of(init_segment), [], init_crc32=crc32)
        try:
            replace_file(path, init_segment)
        except OSError:
            with contextlib.suppress(OSError):  # the first error is the one to tell
                journal_path(path).unlink(missing_ok=True)
            raise


def delete_film(path: Path) -> None:
    """Remove a film that nobody has open, sound or damaged, and everything beside it.

    Raises FilmMissingError, FilmBusyError, FilmFullError and FilmDiskError.
    """
    with translate_disk_errors(path):
        fd = open_locked(path)
        try:
            _unlink(path)
        finally:
            os.close(fd)


def move_film(path: Path, target: Path) -> None:
    """Let a film that nobody has open, sound or damaged, live on at `target`, on the same disk.

    Raises what `delete_film` raises, and FilmExistsError.
    """
    with translate_disk_errors(path):
        fd = open_locked(path)
        try:
            _move(path, target)
        finally:
            os.close(fd)


@contextlib.contextmanager
def _changing(folder: Path) -> Iterator[None]:
    """Between looking at the folder's names and changing them, nobody else does."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def open_locked(path: Path) -> int:
    """A descriptor of the film, and the right to write to it until it is closed.

    Raises FilmMissingError, or FilmBusyError where another has that right.
    """
    try:
        fd = open_regular(path, os.O_RDWR)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {path}; create one.") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_still_there = os.path.samestat(os.fstat(fd), path.stat())
    except (BlockingIOError, FileNotFoundError):
        is_still_there = False
    if not is_still_there:
        os.close(fd)
        raise FilmBusyError(f"Another writer holds {path}; stop it, or use another path.")
    return fd


def _unlink(film: Path) -> None:
    """The film first, for good: it may not come back without its journal, which is recognised as
    left over where it is alone."""
    with _changing(film.parent):
        film.unlink()
        sync_folder(film.parent)
        journal = journal_path(film)
        for beside in (journal, temporary_path(film), temporary_path(journal), *saved_tails(film)):
            beside.unlink(missing_ok=True)
        sync_folder(film.parent)


def _move(film: Path, target: Path) -> None:
    """The journal is at both places while the film moves, so that the film never lacks it."""
    if target.exists():
        raise FilmExistsError(f"There is a film at {target}; choose another place.")
    journal = journal_path(film)
    if journal.exists():
        replace_file(journal_path(target), journal.read_bytes())
    film.rename(target)
    sync_folder(target.parent)
    sync_folder(film.parent)
    journal.unlink(missing_ok=True)
