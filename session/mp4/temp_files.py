"""What work on a film lays beside it, and what of that a death in mid-work leaves there."""

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_PATIENCE_S = 0.5
"""How long what a killed writer was just starting is waited for: it may fill a folder."""
_FILLED_ERRNOS = (errno.ENOTEMPTY, errno.ENOENT)
"""Of removing a folder that something else changes meanwhile."""


@contextmanager
def temp_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out`, for what it is made of; gone afterwards."""
    folder = temp_folder_path(out)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def temp_folder_path(out: Path) -> Path:
    """Where such a folder lies; never the same twice."""
    return out.with_name(f".{out.name}.{uuid4().hex}.parts")


def stale_temp_files(out: Path) -> list[Path]:
    """What a death in mid-work left beside `out`."""
    hidden = out.parent.glob(f".{out.name}.*")
    return [path for path in hidden if path.suffix in (".parts", ".new")]


def remove_temp_files(film: Path) -> None:
    """Remove what a death in mid-work left beside the film."""
    for path in stale_temp_files(film):
        if path.is_dir():
            _remove_folder(path)
        else:
            path.unlink()


def _remove_folder(folder: Path) -> None:
    """An ffmpeg that outlived its writer may put its file there while it is being removed; with
    the file gone it gives up."""
    deadline = time.monotonic() + _PATIENCE_S
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if error.errno not in _FILLED_ERRNOS or time.monotonic() > deadline:
                raise
            time.sleep(_PATIENCE_S / 20)
