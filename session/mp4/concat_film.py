"""Film as an ordinary MP4, which each finished clip replaces by a longer one.

The file at the path is complete and durable at every moment: the next version is written next to
it, verified, synced, and renamed over it.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Self

import numpy as np
from numpy.typing import NDArray

from session.alignment import alignment_frames, frames_to_align, packet_count
from session.clip_input import (
    Pictures,
    Samples,
    require_cues_in_range,
    require_matching_media,
)
from session.closeable import Closeable
from session.disk import is_same_file, sync_folder, translate_disk_errors
from session.errors import (
    ClipEmptyError,
    ClipOpenError,
    FilmClosedError,
    FilmDamagedError,
    FilmEmptyError,
    FilmExistsError,
    FilmGoneError,
    FilmMissingError,
)
from session.film import ClipRecord, Committed, Cue, FilmSpec
from session.fragmented.damage import DamageReport
from session.fragmented.fragment_log import VERIFIED_AT_ONCE_BYTES
from session.mp4.append_clip import append_clip
from session.mp4.audio_tail import decode_audio_tail
from session.mp4.clip_file import ClipFile
from session.mp4.concat_film_files import (
    move_files,
    open_synced,
    read_metadata,
    remove_files,
    remove_unfinished,
    reopen_film,
)
from session.mp4.lock import lock_path, take_lock
from session.mp4.metadata_box import MetadataBox, media_damage, new_metadata_box
from session.mp4.temp_files import remove_temp_files, temp_folder_path
from session.reader import FilmReader
from session.serial_worker import VERIFICATION
from session.video_encoder import PRESET, Preset


class ConcatFilm(Closeable):
    """The only writer of a film that is replaced as a whole.

    One thread at a time writes clips; everything else is thread-safe.
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
        self._damage = DamageReport(path)
        self._verified: object = None
        """Identity of the file when it was last compared with its checksum."""
        try:
            remove_temp_files(path)
            self._metadata = self._open_file() if spec is None else new_metadata_box(spec)
        except BaseException:
            self._release()
            raise

    @classmethod
    def create(cls, path: Path, spec: FilmSpec) -> Self:
        """Create a film in an existing folder; its file appears with its first finished clip.

        Raises FilmExistsError, FilmBusyError, FilmFullError and FilmDiskError.
        """
        with translate_disk_errors(path):
            film = cls(path, spec)
        if path.exists():
            film.close()
            raise FilmExistsError(f"There is a film at {path}; open it, or delete it first.")
        film._sync_folder()
        return film

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a film to continue it. Temporary files that a crash left next to it are removed.

        Raises FilmMissingError, FilmBusyError, FilmDamagedError if the file is not a `concat` film,
        and FilmMismatchError if these encoders cannot continue it.
        """
        if not path.exists():
            remove_unfinished(path)
            raise FilmMissingError(f"There is no film at {path}; create one.")
        with translate_disk_errors(path):
            return cls(path, None)

    @property
    def spec(self) -> FilmSpec:
        """Format of the film."""
        return self._metadata.spec

    @property
    def alignment_frames(self) -> int:
        """Number of frames that clips should be a multiple of, so that both tracks end together."""
        return alignment_frames(self.spec.fps)

    @property
    def film_id(self) -> str:
        """Identity of the current file; each clip changes it."""
        return self._metadata.film_id

    @property
    def codecs(self) -> str:
        """The `codecs` parameter of the media type `video/mp4`."""
        return self._metadata.codecs

    @property
    def committed(self) -> Committed:
        """Durable part of the film."""
        with self._changing:
            metadata = self._metadata
            return Committed(bytes=self._size, frames=metadata.frames, clips=metadata.clips)

    @property
    def damage(self) -> tuple[str, ...]:
        """Descriptions of the damage that has been found so far; a damaged film is not served."""
        return self._damage.found

    @property
    def is_closed(self) -> bool:
        """True if no more bytes will be added: closed, deleted, moved, or the disk failed."""
        return self._closed

    def is_in_place(self) -> bool:
        """Return True if the film is open, and lock file and film are still at their paths.

        The film's file may not exist yet.
        """
        lock, film = self._lock_fd, self._fd
        return (
            not self._closed
            and is_same_file(lock, lock_path(self.path))
            and (film is None or is_same_file(film, self.path))
        )

    def cues(self) -> list[Cue]:
        """Return the cues of the committed frames, in order."""
        return list(self._metadata.cues)

    def reader(self) -> FilmReader:
        """Open the current file for one reader, which keeps it when a clip replaces it.

        A closed film can be read as long as it is at its path.
        """
        with self._changing, translate_disk_errors(self.path):
            if not self._size:
                raise FilmEmptyError("The film has no clip yet; try again after the first one.")
            path, film_id = self.path, self.film_id
            fd = reopen_film(path, film_id) if self._fd is None else os.dup(self._fd)
            verify = self._require_intact
            return FilmReader(fd, film_id, self._size, verify=lambda fd, _begin, _end: verify(fd))

    def begin(self, text: str, preset: Preset = PRESET) -> "ConcatClipWriter":
        """Start a clip, encoded with `preset`; the film changes when the clip is finished.

        Raises FilmDamagedError.
        """
        if self._clip is not None:
            raise ClipOpenError("A clip is open; finish or abandon it before starting another.")
        self._require_open()
        if self._fd is not None:  # the next version would copy the damage under a new checksum
            self._require_intact(self._fd)
        self._clip = ConcatClipWriter(self, text, preset)
        return self._clip

    def close(self) -> None:
        """Close the film and keep its file; an open clip is not in it."""
        self._close(lambda: None)

    def delete(self) -> None:
        """Close and remove the film. Open readers keep their bytes."""
        self._close(lambda: remove_files(self.path))

    def move(self, target: Path) -> None:
        """Close the film and move it to `target`, on the same file system."""
        self._close(lambda: move_files(self.path, target))

    def _sync_folder(self) -> None:
        """Make the folder durable: a process that removed a film may have died before its sync."""
        try:
            with translate_disk_errors(self.path):
                sync_folder(self.path.parent)
        except BaseException:
            self.close()
            raise

    def _open_file(self) -> MetadataBox:
        self._fd = open_synced(self.path)
        self._size = os.fstat(self._fd).st_size
        metadata = read_metadata(self._fd, self.path)
        if self._size <= VERIFIED_AT_ONCE_BYTES:
            self._require_intact(self._fd)
        else:
            self._verify_in_background(os.dup(self._fd))
        return metadata

    def _verify_in_background(self, fd: int) -> None:
        def verify() -> None:
            try:
                with contextlib.suppress(FilmDamagedError):  # recorded and logged
                    self._require_intact(fd)
            finally:
                os.close(fd)

        VERIFICATION.submit(verify)

    def _require_intact(self, fd: int) -> None:
        """Raise FilmDamagedError if the file differs from its checksum."""
        state = os.fstat(fd)
        identity = (state.st_ino, state.st_size, state.st_mtime_ns)
        if identity == self._verified:
            return
        damage = media_damage(fd)
        self._damage.refuse_first([damage] if damage else [])
        self._verified = identity

    def _append(
        self, clip_file: ClipFile, folder: Path, text: str, cues: Sequence[Cue]
    ) -> ClipRecord:
        """Replace the film by itself and the clip, atomically; durable on return."""
        self._require_open()
        self._require_in_place()
        metadata = self._metadata.with_clip(text, clip_file.frames, cues)
        version = append_clip(self.path, self._fd, clip_file, folder, metadata)
        self._replace_file(version, metadata)
        return metadata.clips[-1]

    def _audio_tail(self) -> NDArray[np.float32] | None:
        """Decode the sound that the next clip is joined to; None if there is no film yet."""
        if self._fd is None:
            return None
        return decode_audio_tail(self._fd, packet_count(self._metadata.frames, self.spec.fps))

    def _replace_file(self, version: Path, metadata: MetadataBox) -> None:
        surplus_fd: int | None = (new_fd := os.open(version, os.O_RDONLY))
        try:
            with self._changing:
                self._require_in_place()
                version.rename(self.path)
                self._size = os.fstat(new_fd).st_size
                surplus_fd, self._fd, self._metadata = self._fd, new_fd, metadata
        finally:
            if surplus_fd is not None:
                os.close(surplus_fd)
        try:
            sync_folder(self.path.parent)
        except OSError:  # a power cut may leave either version: the next `open` finds out
            self.close()
            raise

    def _require_in_place(self) -> None:
        if not self.is_in_place():
            raise FilmGoneError(
                f"The film {self.path} is no longer at its path: it was removed or replaced."
                " Try again to continue the film that is there, or to start a new one."
            )

    def _require_open(self) -> None:
        if self._closed:
            raise FilmClosedError(f"The film {self.path} is closed; open it again to continue.")

    def _end_clip(self) -> None:
        self._clip = None

    def _close(self, before_close: Callable[[], None]) -> None:
        if self._closed:
            return
        with translate_disk_errors(self.path), self._changing:
            before_close()
            self._release()

    def _release(self) -> None:
        """Close the file and release the lock."""
        self._closed = True
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        with contextlib.suppress(OSError):  # a remaining lock file has no effect
            if is_same_file(self._lock_fd, lock_path(self.path)):
                lock_path(self.path).unlink()
        os.close(self._lock_fd)


class ConcatClipWriter:
    """Open clip, in a temporary folder next to the film. One thread at a time."""

    def __init__(self, film: ConcatFilm, text: str, preset: Preset) -> None:
        self._film = film
        self._text = text
        self._preset = preset
        self._cues: list[Cue] = []
        self._folder = temp_folder_path(film.path)
        self._clip_file: ClipFile | None = None
        self._last_picture: Pictures = ()
        self._is_open = True

    def write(
        self,
        pictures: Pictures,
        samples: Samples,
        cues: Sequence[Cue] = (),
        should_stop: Callable[[], bool] = lambda: False,  # noqa: ARG002 - cannot be watched live
        on_encoded: Callable[[], None] = lambda: None,  # noqa: ARG002 - `finish` writes the film
    ) -> None:
        """Add pictures and sound to the clip; neither durable nor shown before `finish`.

        Arguments and errors as for `FragmentClipWriter.write`. After an OSError the clip can only
        be abandoned.
        """
        self._require_open()
        require_matching_media(self._film.spec, pictures, samples)
        written = self._clip_file.frames if self._clip_file else 0
        first_frame = self._film.committed.frames + written
        require_cues_in_range(cues, first_frame=first_frame, frames=len(pictures), begun=self._cues)
        with translate_disk_errors(self._folder):
            self._open_clip_file().write(pictures, samples)
        self._last_picture = [np.array(pictures[-1])]
        self._cues += cues

    def finish(self) -> ClipRecord:
        """Pad the clip with its last picture to an aligned length, and append it to the film.

        Durable on return. After any error the film is unchanged and the clip is discarded:
        ClipEmptyError, FilmFullError, CopyFailedError if the output of ffmpeg fails verification,
        FilmGoneError, FilmDiskError.
        """
        self._require_open()
        try:
            if self._clip_file is None:
                raise ClipEmptyError("The clip has no pictures yet; abandon it instead.")
            with translate_disk_errors(self._film.path):
                self._pad(self._clip_file)
                self._clip_file.finish()
                return self._film._append(self._clip_file, self._folder, self._text, self._cues)
        finally:
            self.abandon()

    def abandon(self) -> ClipRecord | None:
        """Discard the clip; the film is unchanged. Always returns None."""
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
            before = self._film._audio_tail()
            self._clip_file = ClipFile(
                self._folder / "clip.mp4", self._film.spec, before, preset=self._preset
            )
        return self._clip_file

    def _pad(self, clip_file: ClipFile) -> None:
        missing = frames_to_align(clip_file.frames, self._film.alignment_frames)
        if missing:
            silence = np.zeros(missing * self._film.spec.samples_per_frame, np.float32)
            clip_file.write(list(self._last_picture) * missing, silence)

    def _require_open(self) -> None:
        if not self._is_open:
            raise FilmClosedError("The clip has ended; begin another.")
        self._film._require_open()
