"""The two ways to keep a film, behind one face.

`fragments` appends to one file that is watched while it grows. `concat` keeps an ordinary MP4,
which every finished clip replaces as a whole.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from session.errors import FilmNotLiveError
from session.film import ClipRecord, Committed, Cue, FilmSpec, Fragment
from session.reader import FilmReader
from session.writer import FilmWriter, Pictures, Samples

WriterKind = Literal["fragments", "concat"]


class Clip(Protocol):
    """One clip in the making. One thread at a time; the next clip may come from another."""

    def write(
        self,
        pictures: Pictures,
        samples: Samples,
        cues: Sequence[Cue] = (),
        enough: Callable[[], bool] = lambda: False,
    ) -> Fragment | None:
        """Take what `ClipWriter.write` takes; None where it cannot be watched before `finish`.

        Where there is a fragment, it may end before the last picture, as `enough` says; where there
        is none, all of them were taken.
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
    def grid(self) -> int:
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

    def begin(self, text: str) -> Clip:
        """Start a clip."""

    def close(self) -> None:
        """Let go of the film, which stays."""

    def delete(self) -> None:
        """Close, and remove the film. Readers keep what they have open."""

    def move(self, target: Path) -> None:
        """Close, and keep the film as an archive at `target`, on the same file system."""


def growing(film: Film) -> FilmWriter:
    """The film as one that can be watched while it grows; FilmNotLiveError where it is replaced."""
    if isinstance(film, FilmWriter):
        return film
    raise FilmNotLiveError(
        "This film cannot be watched while it grows: with `writer: concat` each clip replaces the"
        " file as a whole. Download it after a clip, or start the server with `writer: fragments`."
    )
