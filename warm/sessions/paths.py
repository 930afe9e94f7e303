"""Names and paths of sessions in the results folder."""

from collections.abc import Iterator
from pathlib import Path

from warm.avatars.store import ID_PATTERN
from warm.sessions.errors import BadSessionId

DEFAULT_SESSION = "default"
FILM_NAME = "full_session.mp4"
RECORD_NAME = "session.json"
STAGED_SUFFIX = ".next"
"""Suffix of a record that replaces the current one once the film is gone."""


def check_session_id(session_id: str) -> None:
    """Raise BadSessionId unless a session may have this id."""
    if not ID_PATTERN.fullmatch(session_id):
        raise BadSessionId(session_id)


def film_path(results: Path, session_id: str) -> Path:
    """Path of a session's film, which need not exist; the id must be valid."""
    if session_id == DEFAULT_SESSION:
        return results / FILM_NAME
    return results / "sessions" / session_id / FILM_NAME


def record_path(film: Path) -> Path:
    """Path of the record next to a film."""
    return film.with_name(RECORD_NAME)


def staged_path(record: Path) -> Path:
    """Path of a record that takes effect once the film is gone."""
    return record.with_name(record.name + STAGED_SUFFIX)


def stored_ids(results: Path) -> Iterator[str]:
    """Ids of the sessions that have a film or a record on disk, sorted; `default` is first."""
    names = (FILM_NAME, RECORD_NAME)
    if any((results / name).exists() for name in names):
        yield DEFAULT_SESSION
    folders = {path.parent for name in names for path in results.glob(f"sessions/*/{name}")}
    yield from sorted(path.name for path in folders if ID_PATTERN.fullmatch(path.name))


def is_stored(results: Path, session_id: str) -> bool:
    """Return True if a session has a film or a record on disk."""
    film = film_path(results, session_id)
    return film.exists() or record_path(film).exists()
