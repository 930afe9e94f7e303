"""Opening, removal and renaming of the files of a `concat` film."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from session.disk import open_regular, sync_file, sync_folder, translate_disk_errors
from session.errors import (
    CopyFailedError,
    FilmClosedError,
    FilmDamagedError,
    FilmExistsError,
    FilmMismatchError,
)
from session.mp4.lock import lock_path, take_lock
from session.mp4.metadata_box import MetadataBox, new_metadata_box, read_metadata_box
from session.mp4.sample_tables import read_sample_tables
from session.mp4.temp_files import remove_temp_files, stale_temp_files


def open_synced(path: Path) -> int:
    """Open a film for reading and sync it.

    A crash between renaming and syncing leaves a name that a power cut would remove.
    """
    fd = open_regular(path)
    try:
        sync_file(fd)
        sync_folder(path.parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_metadata(fd: int, path: Path) -> MetadataBox:
    """Read the metadata of an open film that is to be continued.

    Raises FilmDamagedError if it is not a valid `concat` film, and FilmMismatchError if its
    encoders had other parameters.
    """
    metadata = read_metadata_box(fd)
    if metadata is None:
        raise FilmDamagedError(f"{path} is not a film that was written with `writer: concat`.")
    try:
        pictures = read_sample_tables(fd).video.samples
    except CopyFailedError as error:
        raise FilmDamagedError(f"{path} is damaged: {error}") from error
    if pictures != metadata.frames:
        raise FilmDamagedError(
            f"{path} has {pictures} pictures; its metadata lists {metadata.frames}."
        )
    if new_metadata_box(metadata.spec).avcc != metadata.avcc:
        raise FilmMismatchError(
            f"The film {path} was encoded with other parameters than those of this program;"
            " start a new film (the old one still plays)."
        )
    return metadata


def reopen_film(path: Path, film_id: str) -> int:
    """Open a closed film for reading; raises FilmClosedError if it is no longer there."""
    with contextlib.suppress(FileNotFoundError, FilmDamagedError):
        fd = os.open(path, os.O_RDONLY)
        metadata = read_metadata_box(fd)
        if metadata and metadata.film_id == film_id:
            return fd
        os.close(fd)
    raise FilmClosedError(f"The film {path} is closed and is no longer at its path.")


def delete_concat_film(path: Path) -> None:
    """Remove a film that no writer holds, valid or damaged, and its accompanying files."""
    _with_lock(path, lambda: remove_files(path))


def move_concat_film(path: Path, target: Path) -> None:
    """Move a film that no writer holds to `target`, on the same file system."""
    _with_lock(path, lambda: move_files(path, target))


def remove_unfinished(film: Path) -> None:
    """Remove what a crash during the first clip left, where there is no film yet."""
    if stale_temp_files(film) or lock_path(film).exists():
        _with_lock(film, lambda: remove_temp_files(film))


def _with_lock(path: Path, action: Callable[[], None]) -> None:
    """Run `action` under the lock, then remove the lock file."""
    with translate_disk_errors(path):
        fd = take_lock(path)
        try:
            action()
            lock_path(path).unlink()
        finally:
            os.close(fd)


def remove_files(film: Path) -> None:
    """Remove a locked film and its temporary files, durably."""
    remove_temp_files(film)
    film.unlink(missing_ok=True)
    sync_folder(film.parent)


def move_files(film: Path, target: Path) -> None:
    """Move a locked film to `target`, durably."""
    remove_temp_files(film)
    if target.exists():
        raise FilmExistsError(f"There is a film at {target}; move to another path.")
    film.rename(target)
    sync_folder(target.parent)
    sync_folder(film.parent)
