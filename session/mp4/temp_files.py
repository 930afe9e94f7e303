"""Temporary files and folders next to a film, and removal of those that a crash left."""

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_TIMEOUT_S = 0.5
"""Time to wait for processes of a killed writer that may still be filling a folder."""
_CHANGED_ERRNOS = (errno.ENOTEMPTY, errno.ENOENT)
"""Errors raised when another process changes a folder while it is being removed."""


@contextmanager
def temp_folder(out: Path) -> Iterator[Path]:
    """Create a folder next to `out` for intermediate files, and remove it on exit."""
    folder = temp_folder_path(out)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def temp_folder_path(out: Path) -> Path:
    """Return a new, unique path for a temporary folder next to `out`."""
    return out.with_name(f".{out.name}.{uuid4().hex}.parts")


def stale_temp_files(out: Path) -> list[Path]:
    """Return the temporary files and folders next to `out`."""
    hidden = out.parent.glob(f".{out.name}.*")
    return [path for path in hidden if path.suffix in (".parts", ".new")]


def remove_temp_files(film: Path) -> None:
    """Remove the temporary files and folders that a crash left next to the film."""
    for path in stale_temp_files(film):
        if path.is_dir():
            _remove_folder(path)
        else:
            path.unlink()


def _remove_folder(folder: Path) -> None:
    """Remove a folder, with retries.

    An ffmpeg process that outlived its writer may create its file there meanwhile; once the file is
    removed, ffmpeg fails.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if error.errno not in _CHANGED_ERRNOS or time.monotonic() > deadline:
                raise
            time.sleep(_TIMEOUT_S / 20)
