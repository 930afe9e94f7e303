"""Given sound: a recording that is spoken in place of a text."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GivenSound:
    """A recording in a file, or one whose bytes are still arriving."""

    path: Path | None = None
    """The file; None for a stream."""
    chunks: Iterable[bytes] = ()
    """The bytes of a stream in order; iterated once, by one thread."""
    text: str = ""
    """The words that it says; empty if they are not known."""

    @classmethod
    def from_file(cls, path: Path, *, text: str = "") -> "GivenSound":
        """Return the recording of a file, which must exist until its job has ended."""
        return cls(path=path, text=text)

    @classmethod
    def from_stream(cls, chunks: Iterable[bytes], *, text: str = "") -> "GivenSound":
        """Return a recording whose bytes arrive while it is spoken.

        The iterator waits for the client, and may raise; what was said until then stays.
        """
        return cls(chunks=chunks, text=text)
