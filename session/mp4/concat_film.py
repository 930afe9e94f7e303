"""A session's film as an ordinary MP4, which each finished clip replaces by a longer one.

The file at the path is complete and durable at every moment: what comes is made beside it,
verified, synced, and renamed over it.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Self
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from session.alignment import alignment_frames, frames_to_align, packet_count
from session.closeable import Closeable
from session.disk import is_same_file, open_regular, sync_file, sync_folder, translate_disk_errors
from session.errors import (
    ClipEmptyError,
    ClipOpenError,
    CopyFailedError,
    FilmClosedError,
    FilmDamagedError,
    FilmEmptyError,
    FilmExistsError,
    FilmGoneError,
    FilmMismatchError,
    FilmMissingError,
)
from session.film import ClipRecord, Committed, Cue, FilmSpec, cues_before, is_fully_spoken
from session.fragmented.writer import (
    Pictures,
    Samples,
    require_cues_in_range,
    require_matching_media,
)
from session.mp4.append_clip import append_clip
from session.mp4.audio_tail import decode_audio_tail
from session.mp4.clip_file import ClipFile
from session.mp4.lock import lock_path, take_lock
from session.mp4.metadata_box import MetadataBox, new_metadata_box, read_metadata_box
from session.mp4.sample_tables import read_sample_tables
from session.mp4.temp_files import remove_temp_files, stale_temp_files, temp_folder_path
from session.reader import FilmReader


class ConcatFilm(Closeable):
    """The one writer of a film that is replaced as a whole.

    Clips are written by one thread at a time; everything else may be called by any.
    """

    def __init__(self, path: Path, spec: FilmSpec | None) -> None:
        """Use `create` or `open`."""
        self.path = path
        self._lock_fd = take_lock(path)
        self._changing = Lock()
        self._clip: ConcatClipWriter | None = None
        self._closed = False
        self._fd: int | None = None
        self._size = 0
        try:
            remove_temp_files(path)
            self._label = self._read() if spec is None else new_metadata_box(spec)
        except BaseException:
            self._let_go()
            raise

    @classmethod
    def create(cls, path: Path, spec: FilmSpec) -> Self:
        """A new film in an existing folder; there is no file before its first clip is finished.

        Raises FilmExistsError, FilmBusyError, FilmFullError and FilmDiskError.
        """
        with translate_disk_errors(path):
            film = cls(path, spec)
        if path.exists():
            film.close()
            raise FilmExistsError(f"There is a film at {path}; open it, or delete it first.")
        film._settle()
        return film

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on with a film. What a death in mid-work left beside it is removed.

        Raises FilmMissingError, FilmBusyError, FilmDamagedError where it is no film of this kind,
        FilmMismatchError where these encoders cannot continue it.
        """
        if not path.exists():
            with translate_disk_errors(path):
                _sweep(path)
            raise FilmMissingError(f"There is no film at {path}; create one.")
        with translate_disk_errors(path):
            return cls(path, None)

    @property
    def spec(self) -> FilmSpec:
        """What the film was created with."""
        return self._label.spec

    @property
    def alignment_frames(self) -> int:
        """Frames that a clip should have a multiple of: sound and pictures then end together."""
        return alignment_frames(self.spec.fps)

    @property
    def film_id(self) -> str:
        """Of the file that lies there now; another after every clip."""
        return self._label.film_id

    @property
    def codecs(self) -> str:
        """For the media type: `video/mp4; codecs="…"`."""
        return self._label.codecs

    @property
    def committed(self) -> Committed:
        """What is durable now."""
        with self._changing:
            label = self._label
            return Committed(bytes=self._size, frames=label.frames, clips=label.clips)

    @property
    def is_closed(self) -> bool:
        """Whether nothing will be added any more: closed, deleted, moved, or the disk failed."""
        return self._closed

    def is_in_place(self) -> bool:
        """Whether it is open, and lock and film still lie where they were opened; there may be no
        film yet."""
        lock, film = self._lock_fd, self._fd
        return (
            not self._closed
            and is_same_file(lock, lock_path(self.path))
            and (film is None or is_same_file(film, self.path))
        )

    def cues(self) -> list[Cue]:
        """The sentences that are heard in what is committed, in order."""
        return list(self._label.cues)

    def reader(self) -> FilmReader:
        """The film as it is now for one reader, who keeps it when a clip replaces it.

        A closed film can be read for as long as it lies at its path.
        """
        with self._changing, translate_disk_errors(self.path):
            if not self._size:
                raise FilmEmptyError("Nothing has been said in this film yet; ask after a clip.")
            fd = self._open_again() if self._fd is None else os.dup(self._fd)
            return FilmReader(fd, self.film_id, self._size)

    def begin(self, text: str) -> "ConcatClipWriter":
        """Start a clip; the film changes when it is finished."""
        if self._clip is not None:
            raise ClipOpenError("A clip is open; finish or abandon it before the next begins.")
        self._require_open()
        self._clip = ConcatClipWriter(self, text)
        return self._clip

    def close(self) -> None:
        """Let go of the film, which stays; a clip that is open is not in it."""
        self._close(lambda: None)

    def delete(self) -> None:
        """Close, and remove the film. Readers keep what they have open."""
        self._close(lambda: _unlink(self.path))

    def move(self, target: Path) -> None:
        """Close, and keep the film as an archive at `target`, on the same file system."""
        self._close(lambda: _move(self.path, target))

    def _settle(self) -> None:
        """Have on disk what is in sight, also that a film was removed: who did it may have died
        before syncing."""
        try:
            with translate_disk_errors(self.path):
                sync_folder(self.path.parent)
        except BaseException:
            self.close()
            raise

    def _read(self) -> MetadataBox:
        self._fd = open_regular(self.path)
        sync_file(self._fd)  # a death between renaming and syncing leaves a name in sight only
        sync_folder(self.path.parent)
        self._size = os.fstat(self._fd).st_size
        label = read_metadata_box(self._fd)
        if label is None:
            raise FilmDamagedError(f"{self.path} is no film that was kept with `writer: concat`.")
        try:
            held = read_sample_tables(self._fd).video.samples
        except CopyFailedError as error:
            raise FilmDamagedError(f"{self.path} is damaged: {error}") from error
        if held != label.frames:
            raise FilmDamagedError(f"{self.path} has {held} pictures; it says {label.frames}.")
        if new_metadata_box(label.spec).avcc != label.avcc:
            raise FilmMismatchError(
                f"The film {self.path} was encoded with other parameters than this program's;"
                " start a new film (the old one still plays)."
            )
        return label

    def _join(
        self, clip_file: ClipFile, folder: Path, text: str, cues: Sequence[Cue]
    ) -> ClipRecord:
        """Replace the film by itself and the clip_file; all or nothing, durable on return."""
        self._require_open()
        self._require_in_place()
        end = self._label.frames + clip_file.frames
        clip = ClipRecord(
            index=len(self._label.clips),
            text=text,
            first_frame=self._label.frames,
            frames=clip_file.frames,
            is_whole=is_fully_spoken(text, cues, end),
        )
        label = replace(
            self._label,
            film_id=uuid4().hex,
            clips=(*self._label.clips, clip),
            cues=(*self._label.cues, *(cues_before(end, cues) or [_whole(clip)])),
        )
        made = append_clip(self.path, self._fd, clip_file, folder, label)
        self._atomic_output(made, label)
        return clip

    def _decode_audio_tail(self) -> NDArray[np.float32] | None:
        """What the clip to come is joined to; None where there is nothing yet."""
        if self._fd is None:
            return None
        return decode_audio_tail(self._fd, packet_count(self._label.frames, self.spec.fps))

    def _atomic_output(self, made: Path, label: MetadataBox) -> None:
        fd: int | None = (new := os.open(made, os.O_RDONLY))
        try:
            with self._changing:
                self._require_in_place()
                made.rename(self.path)
                self._size = os.fstat(new).st_size
                fd, self._fd, self._label = self._fd, new, label
        finally:
            if fd is not None:
                os.close(fd)
        try:
            sync_folder(self.path.parent)
        except OSError:  # which of the two films a power cut leaves is not known: look again
            self.close()
            raise

    def _require_in_place(self) -> None:
        if not self.is_in_place():
            raise FilmGoneError(
                f"The film {self.path} is not at its place any more: something removed or replaced"
                " it. Ask again, and the film that is there goes on, or a new one begins."
            )

    def _require_open(self) -> None:
        if self._closed:
            raise FilmClosedError(f"The film {self.path} is closed; open it again to go on.")

    def _end_clip(self) -> None:
        self._clip = None

    def _close(self, last_act: Callable[[], None]) -> None:
        if self._closed:
            return
        with translate_disk_errors(self.path), self._changing:
            last_act()
            self._let_go()

    def _open_again(self) -> int:
        """A descriptor of the closed film, to read from; FilmClosedError where it is gone."""
        with contextlib.suppress(FileNotFoundError, FilmDamagedError):
            fd = os.open(self.path, os.O_RDONLY)
            label = read_metadata_box(fd)
            if label and label.film_id == self.film_id:
                return fd
            os.close(fd)
        raise FilmClosedError(f"The film {self.path} is closed, and not at its place any more.")

    def _let_go(self) -> None:
        self._closed = True
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        with contextlib.suppress(OSError):  # a lock file that stays hinders nobody
            if is_same_file(self._lock_fd, lock_path(self.path)):
                lock_path(self.path).unlink()
        os.close(self._lock_fd)


class ConcatClipWriter:
    """One clip in the making, in a folder beside the film. One thread at a time."""

    def __init__(self, film: ConcatFilm, text: str) -> None:
        self._film = film
        self._text = text
        self._cues: list[Cue] = []
        self._folder = temp_folder_path(film.path)
        self._clip_file: ClipFile | None = None
        self._last: Pictures = ()
        self._is_open = True

    def write(
        self,
        pictures: Pictures,
        samples: Samples,
        cues: Sequence[Cue] = (),
        should_stop: Callable[[], bool] = lambda: False,  # noqa: ARG002 - cannot be watched live
    ) -> None:
        """Add pictures and sound to the clip; neither durable nor shown before `finish`.

        Raises as that does. After an OSError only `abandon` is left.
        """
        self._require_open()
        require_matching_media(self._film.spec, pictures, samples)
        written = self._clip_file.frames if self._clip_file else 0
        first_frame = self._film.committed.frames + written
        require_cues_in_range(cues, first_frame=first_frame, frames=len(pictures))
        with translate_disk_errors(self._folder):
            self._open_clip_file().write(pictures, samples)
        self._last = [np.array(pictures[-1])]
        self._cues += cues

    def finish(self) -> ClipRecord:
        """Fill the clip up to the grid with its last picture, and join it to the film.

        Durable on return. After any error the film is as it was, and the clip is gone:
        FilmFullError where there was no room, CopyFailedError where what ffmpeg made is not
        believed, FilmGoneError, FilmDiskError.
        """
        self._require_open()
        try:
            if self._clip_file is None:
                raise ClipEmptyError("Nothing of the clip was written; abandon it instead.")
            with translate_disk_errors(self._film.path):
                self._fill_up(self._clip_file)
                self._clip_file.end()
                return self._film._join(self._clip_file, self._folder, self._text, self._cues)
        finally:
            self.abandon()

    def abandon(self) -> ClipRecord | None:
        """End the clip; nothing of it is in the film."""
        if self._is_open:
            self._is_open = False
            if self._clip_file is not None:
                self._clip_file.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._film._end_clip()
        return None

    def _open_clip_file(self) -> ClipFile:
        if self._clip_file is None:
            self._folder.mkdir()
            before = self._film._decode_audio_tail()
            self._clip_file = ClipFile(self._folder / "clip.mp4", self._film.spec, before)
        return self._clip_file

    def _fill_up(self, clip_file: ClipFile) -> None:
        missing = frames_to_align(clip_file.frames, self._film.alignment_frames)
        if missing:
            silence = np.zeros(missing * self._film.spec.samples_per_frame, np.float32)
            clip_file.write(list(self._last) * missing, silence)

    def _require_open(self) -> None:
        if not self._is_open:
            raise FilmClosedError("The clip has ended; begin another.")
        self._film._require_open()


def _whole(clip: ClipRecord) -> Cue:
    return Cue(text=clip.text, first_frame=clip.first_frame, frames=clip.frames)


def delete_concat_film(path: Path) -> None:
    """Remove a film that nobody has open, sound or damaged, and everything beside it."""
    with translate_disk_errors(path):
        fd = take_lock(path)
        try:
            _unlink(path)
            lock_path(path).unlink()
        finally:
            os.close(fd)


def move_concat_film(path: Path, target: Path) -> None:
    """Let a film that nobody has open live on at `target`, on the same disk."""
    with translate_disk_errors(path):
        fd = take_lock(path)
        try:
            _move(path, target)
            lock_path(path).unlink()
        finally:
            os.close(fd)


def _sweep(film: Path) -> None:
    """Remove what a death in the first clip left where there is no film yet."""
    if stale_temp_files(film) or lock_path(film).exists():
        fd = take_lock(film)
        try:
            remove_temp_files(film)
            lock_path(film).unlink()
        finally:
            os.close(fd)


def _unlink(film: Path) -> None:
    remove_temp_files(film)
    film.unlink(missing_ok=True)
    sync_folder(film.parent)


def _move(film: Path, target: Path) -> None:
    remove_temp_files(film)
    if target.exists():
        raise FilmExistsError(f"There is a film at {target}; move to another path.")
    film.rename(target)
    sync_folder(target.parent)
    sync_folder(film.parent)
