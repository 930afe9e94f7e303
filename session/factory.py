"""The two ways to keep a film, behind one face.

`fragments` appends to one file that is watched while it grows. `concat` keeps an ordinary MP4,
which every finished clip replaces as a whole.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from session.disk import open_regular
from session.errors import FilmDamagedError, FilmMismatchError, FilmNotLiveError
from session.film import ClipRecord, Committed, Cue, FilmSpec, Fragment, WriterKind
from session.fragmented.fragment_log import delete_film as delete_growing
from session.fragmented.fragment_log import move_film as move_growing
from session.fragmented.init_segment import read_init_segment
from session.fragmented.writer import FilmWriter, Pictures, Samples
from session.mp4.concat_film import ConcatFilm, delete_concat_film, move_concat_film
from session.mp4.metadata_box import read_metadata_box
from session.reader import FilmReader

_NOT_LIVE = (
    "This film cannot be watched while it grows: with `writer: concat` each clip replaces the file"
    " as a whole. Download it after a clip, or start the server with `writer: fragments`."
)


class ClipWriter(Protocol):
    """One clip in the making. One thread at a time; the next clip may come from another."""

    def write(
        self,
        pictures: Pictures,
        samples: Samples,
        cues: Sequence[Cue] = (),
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Fragment | None:
        """Add pictures and their sound; arguments as for `FragmentClipWriter.write`.

        Return the committed fragment, which `should_stop` may have ended before the last picture.
        Return None if all pictures were taken but cannot be watched before `finish`.
        """

    def finish(self) -> ClipRecord:
        """End the clip; all of it is durable on return."""

    def abandon(self) -> ClipRecord | None:
        """End the clip with what is durable of it; None where that is nothing."""


class Film(Protocol):
    """The one writer of a film. Any thread may ask; one at a time writes clips."""

    @property
    def path(self) -> Path:
        """Where the film lies, or will lie after its first clip."""

    @property
    def spec(self) -> FilmSpec:
        """What the film was created with."""

    @property
    def alignment_frames(self) -> int:
        """Frames that a clip should have a multiple of; a writer fills up what is missing."""

    @property
    def film_id(self) -> str:
        """Which bytes these are: the same id never stands for two that differ."""

    @property
    def codecs(self) -> str:
        """For the media type: `video/mp4; codecs="…"`."""

    @property
    def committed(self) -> Committed:
        """What is durable now."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing will be added any more."""

    def is_in_place(self) -> bool:
        """Whether what an open writer writes to still lies at its path, or never lay there yet."""

    def cues(self) -> list[Cue]:
        """The sentences that are heard in what is committed, in order."""

    def reader(self) -> FilmReader:
        """The film's bytes for one reader; FilmEmptyError while there are none."""

    def begin(self, text: str) -> ClipWriter:
        """Start a clip."""

    def close(self) -> None:
        """Let go of the film, which stays."""

    def delete(self) -> None:
        """Close, and remove the film. Readers keep what they have open."""

    def move(self, target: Path) -> None:
        """Close, and keep the film as an archive at `target`, on the same file system."""


def create_film(path: Path, spec: FilmSpec, kind: WriterKind) -> Film:
    """A new film; raises what `FilmWriter.create` or `ConcatFilm.create` raises."""
    return ConcatFilm.create(path, spec) if kind == "concat" else FilmWriter.create(path, spec)


def open_film(path: Path, kind: WriterKind) -> Film:
    """Go on with a film. FilmMismatchError where the other writer kept it; otherwise raises what
    `FilmWriter.open` or `ConcatFilm.open` raises."""
    found = kind_of(path)
    if found not in (None, kind):
        raise FilmMismatchError(
            f"The film {path} was kept with `writer: {found}`, and the writer now is {kind};"
            f" set `writer: {found}` to go on with it"
        )
    return ConcatFilm.open(path) if kind == "concat" else FilmWriter.open(path)


def delete_film(path: Path) -> None:
    """Remove a film that nobody has open, sound or damaged, and everything beside it."""
    if kind_of(path) == "concat":
        delete_concat_film(path)
    else:
        delete_growing(path)


def move_film(path: Path, target: Path) -> None:
    """Let a film that nobody has open, sound or damaged, live on at `target`, on the same disk."""
    if kind_of(path) == "concat":
        move_concat_film(path, target)
    else:
        move_growing(path, target)


def kind_of(path: Path) -> WriterKind | None:
    """Which writer kept the file, as the file itself says; None where it does not say."""
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


def live_film(film: Film) -> FilmWriter:
    """The film as one that can be watched while it grows; FilmNotLiveError where it is replaced."""
    if isinstance(film, FilmWriter):
        return film
    raise FilmNotLiveError(_NOT_LIVE)


def require_live_writer(kind: WriterKind) -> None:
    """Raise FilmNotLiveError where films are replaced, also before there is one."""
    if kind == "concat":
        raise FilmNotLiveError(_NOT_LIVE)
