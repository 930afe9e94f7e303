"""Common interface of the two film formats, and functions that choose between them.

`fragments` appends to one file that can be watched while it grows. `concat` keeps an ordinary MP4,
which every finished clip replaces as a whole.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from session.clip_input import Pictures, Samples
from session.disk import open_regular
from session.errors import FilmDamagedError, FilmMismatchError, FilmNotLiveError
from session.film import ClipRecord, Committed, Cue, FilmSpec, Fragment, WriterKind
from session.fragmented.damage import fragments_of, refuse_damage, verify_fragments
from session.fragmented.film_files import delete_film as delete_fragmented_film
from session.fragmented.film_files import move_film as move_fragmented_film
from session.fragmented.init_segment import read_init_segment
from session.fragmented.journal import cues_of
from session.fragmented.recovery import scan_film
from session.fragmented.writer import FilmWriter
from session.mp4.concat_film import ConcatFilm
from session.mp4.concat_film_files import delete_concat_film, move_concat_film
from session.mp4.metadata_box import media_damage, read_metadata_box
from session.reader import FilmReader
from session.video_encoder import PRESET, Preset

_NOT_LIVE = (
    "This film cannot be watched while it grows: with `writer: concat` each clip replaces the file"
    " as a whole. Download it after a clip, or start the server with `writer: fragments`."
)


class ClipWriter(Protocol):
    """Open clip of a film. One thread at a time; the next clip may use another thread."""

    def write(
        self,
        pictures: Pictures,
        samples: Samples,
        cues: Sequence[Cue] = (),
        should_stop: Callable[[], bool] = lambda: False,
        on_encoded: Callable[[], None] = lambda: None,
    ) -> Fragment | None:
        """Add pictures and their sound; arguments as for `FragmentClipWriter.write`.

        Return the committed fragment, which `should_stop` may have ended before the last picture.
        Return None if all pictures were taken but cannot be watched before `finish`.
        """

    def finish(self) -> ClipRecord:
        """End the clip; all of it is durable on return."""

    def abandon(self) -> ClipRecord | None:
        """End the clip and keep its durable part; None if there is none."""


class Film(Protocol):
    """The only writer of a film. Any thread may query it; one at a time writes clips."""

    @property
    def path(self) -> Path:
        """Path of the film; the file may not exist before the first clip."""

    @property
    def spec(self) -> FilmSpec:
        """Format of the film."""

    @property
    def alignment_frames(self) -> int:
        """Number of frames that clips should be a multiple of; the writer pads shorter ones."""

    @property
    def film_id(self) -> str:
        """Identity of the bytes: equal ids never stand for different content."""

    @property
    def codecs(self) -> str:
        """The `codecs` parameter of the media type `video/mp4`."""

    @property
    def committed(self) -> Committed:
        """Durable part of the film."""

    @property
    def damage(self) -> tuple[str, ...]:
        """Descriptions of the damage that has been found so far; damaged bytes are not served."""

    @property
    def is_closed(self) -> bool:
        """True if no more bytes will be added."""

    def is_in_place(self) -> bool:
        """Return True if the open files are still at their paths, or not created yet."""

    def cues(self) -> list[Cue]:
        """Return the cues of the committed frames, in order."""

    def reader(self) -> FilmReader:
        """Open the committed bytes for reading; raises FilmEmptyError if there are none."""

    def begin(self, text: str, preset: Preset = PRESET) -> ClipWriter:
        """Start a clip, encoded with `preset`; an empty text stands for that of its cues."""

    def close(self) -> None:
        """Close the film and keep its file."""

    def delete(self) -> None:
        """Close and remove the film. Open readers keep their bytes."""

    def move(self, target: Path) -> None:
        """Close the film and move it to `target`, on the same file system."""


def create_film(path: Path, spec: FilmSpec, kind: WriterKind) -> Film:
    """Create a film; raises the errors of `FilmWriter.create` or `ConcatFilm.create`."""
    return ConcatFilm.create(path, spec) if kind == "concat" else FilmWriter.create(path, spec)


def open_film(path: Path, kind: WriterKind) -> Film:
    """Open a film for writing.

    Raises FilmMismatchError if the other writer created it, and the errors of `FilmWriter.open` or
    `ConcatFilm.open`.
    """
    found = kind_of(path)
    if found not in (None, kind):
        raise FilmMismatchError(
            f"The film {path} was written with `writer: {found}`, and the writer is now {kind};"
            f" set `writer: {found}` to continue it"
        )
    return ConcatFilm.open(path) if kind == "concat" else FilmWriter.open(path)


def delete_film(path: Path) -> None:
    """Remove a film that no writer holds, valid or damaged, and its accompanying files."""
    if kind_of(path) == "concat":
        delete_concat_film(path)
    else:
        delete_fragmented_film(path)


def move_film(path: Path, target: Path) -> None:
    """Move a film that no writer holds, valid or damaged, to `target` on the same file system."""
    if kind_of(path) == "concat":
        move_concat_film(path, target)
    else:
        move_fragmented_film(path, target)


def kind_of(path: Path) -> WriterKind | None:
    """Detect the writer of a file from its boxes; None if it is not a film that can be read."""
    try:
        fd = open_regular(path)
    except (OSError, FilmDamagedError):
        return None
    try:
        with contextlib.suppress(FilmDamagedError):
            if read_metadata_box(fd):
                return "concat"
        with contextlib.suppress(FilmDamagedError):
            read_init_segment(fd)
            return "fragments"
        return None
    finally:
        os.close(fd)


def read_cues(path: Path) -> tuple[FilmSpec, list[Cue]]:
    """Read the format and the cues of a film on disk.

    Raises FileNotFoundError and FilmDamagedError.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        if metadata := read_metadata_box(fd):
            return metadata.spec, list(metadata.cues)
        init_segment = read_init_segment(fd)
        return init_segment.spec, cues_of(scan_film(fd, path, init_segment).entries)
    finally:
        os.close(fd)


def verify_film(path: Path) -> None:
    """Compare all committed bytes of a film on disk with their checksums.

    Raises FileNotFoundError, and FilmDamagedError for the first damage.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        if read_metadata_box(fd):
            refuse_damage(path, [damage] if (damage := media_damage(fd)) else [])
            return
        init_segment = read_init_segment(fd)
        fragments = fragments_of(scan_film(fd, path, init_segment).entries, init_segment)
        refuse_damage(path, verify_fragments(fd, fragments, init_segment.spec))
    finally:
        os.close(fd)


def live_film(film: Film) -> FilmWriter:
    """Return the film as one that can be watched live; raises FilmNotLiveError for `concat`."""
    if isinstance(film, FilmWriter):
        return film
    raise FilmNotLiveError(_NOT_LIVE)


def require_live_writer(kind: WriterKind) -> None:
    """Raise FilmNotLiveError for the writer `concat`, also before a film exists."""
    if kind == "concat":
        raise FilmNotLiveError(_NOT_LIVE)
