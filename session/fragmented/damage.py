"""Damage of a film: committed fragments whose bytes differ from their checksums."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from session.disk import crc32_of
from session.errors import FilmDamagedError
from session.film import FilmSpec, Fragment
from session.fragmented.fragment_scan import start_entry
from session.fragmented.init_segment import InitSegment
from session.fragmented.journal import JournalEntry

_log = logging.getLogger(__name__)


def verify_fragments(fd: int, fragments: Iterable[Fragment], spec: FilmSpec) -> Iterator[str]:
    """Compare fragments of an open film with their checksums, and describe each damaged one.

    A fragment without checksum, whose journal line was lost, passes.
    """
    for fragment in fragments:
        known = fragment.crc32
        if known is not None and crc32_of(fd, fragment.offset, fragment.end) != known:
            yield _describe(fragment, spec)


def _describe(fragment: Fragment, spec: FilmSpec) -> str:
    begin, end = fragment.first_frame, fragment.first_frame + fragment.frames
    return (
        f"fragment {fragment.index + 1}, {begin / spec.fps:.2f} s to {end / spec.fps:.2f} s, bytes"
        f" {fragment.offset} to {fragment.end - 1}: differs from its checksum"
    )


class DamageReport:
    """Damage of one film that has been found so far. Any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._found: dict[str, None] = {}

    @property
    def found(self) -> tuple[str, ...]:
        """Descriptions of the damage, in the order in which it was found."""
        with self._lock:
            return tuple(self._found)

    def add(self, damage: str) -> None:
        """Record damage; it is logged the first time."""
        with self._lock:
            is_new = damage not in self._found
            self._found[damage] = None
        if is_new:
            _log.error("%s is damaged: %s", self._path, damage)

    def record_all(self, damage: Iterable[str]) -> None:
        """Record all damage that an iteration finds."""
        for each in damage:
            self.add(each)

    def refuse_first(self, damage: Iterable[str]) -> None:
        """Record the first damage that an iteration finds, and raise FilmDamagedError for it."""
        for each in damage:
            self.add(each)
            refuse_damage(self._path, [each])


def refuse_damage(path: Path, damage: Iterable[str]) -> None:
    """Raise FilmDamagedError for the first damage of an iteration, if there is any."""
    for each in damage:
        raise FilmDamagedError(
            f"the film {path.name} is damaged: {each}. Nothing damaged is served or copied. Restore"
            " the file from a backup, or reset the session to start a new film;"
            " `python -m session check FILM` lists all damage"
        )


def fragments_of(entries: Sequence[JournalEntry], init_segment: InitSegment) -> Iterator[Fragment]:
    """Yield the fragments that the lines of a journal describe."""
    last = start_entry(init_segment)
    for index, entry in enumerate(entries):
        yield Fragment(
            index=index,
            offset=last.end,
            end=entry.end,
            first_frame=last.frames,
            frames=entry.frames - last.frames,
            crc32=entry.crc32,
        )
        last = entry
