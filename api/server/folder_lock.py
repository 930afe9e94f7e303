"""Lock on the folder of results, so that two servers never share one."""

import fcntl
import os
import weakref
from contextlib import AbstractContextManager
from pathlib import Path

from session.disk import sync_folder

LOCK_NAME = ".server-lock"


class CannotStart(RuntimeError):
    """The environment prevents the start: port, address or folder."""


class FolderLock(AbstractContextManager["FolderLock"]):
    """Lock of a folder; released by `close`, or with this object."""

    def __init__(self, fd: int) -> None:
        self.close = weakref.finalize(self, os.close, fd)

    def __exit__(self, *_: object) -> None:
        self.close()


def lock_folder(folder: Path) -> FolderLock:
    """Lock a folder for this server; raises CannotStart if another server has it."""
    name = f"results_dir = {str(folder)!r}"
    try:
        is_new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        if is_new:
            sync_folder(folder.parent)
        fd = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise CannotStart(
            f"{name}: cannot be written ({error.strerror}); choose another with --results-dir"
        ) from error
    held = FolderLock(fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        held.close()
        raise CannotStart(
            f"{name}: another server uses it; stop it, or choose another with --results-dir"
        ) from error
    return held
