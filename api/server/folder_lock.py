"""Lock on the folder of results, so that two servers never share one."""

import fcntl
import os
import weakref
from contextlib import AbstractContextManager
from pathlib import Path

from session.disk import sync_folder
from warm.heads.errors import HeadTaken
from warm.heads.head import Head
from warm.heads.lock_file import LockFile
from warm.heads.membership import join

LOCK_NAME = ".server-lock"


class CannotStart(RuntimeError):
    """The environment prevents the start: port, address or folder."""


class FolderLock(AbstractContextManager["FolderLock"]):
    """Lock of a folder; released by `close`, or with this object."""

    def __init__(self, fd: int, membership: LockFile | None = None) -> None:
        """`membership`: the lock of this head's name."""
        self.close = weakref.finalize(self, release, fd, membership, os.getpid())

    def __exit__(self, *_: object) -> None:
        self.close()


def release(fd: int, membership: LockFile | None, pid: int) -> None:
    """Release the locks; a child process leaves the file of a head to its parent."""
    os.close(fd)
    if membership is not None:
        membership.release(keeps_file=os.getpid() != pid)


def lock_folder(folder: Path, own: Head | None = None) -> FolderLock:
    """Lock a folder for this server, or register this head in it.

    Raises CannotStart if another server has the folder, or another head the name.
    """
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
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if own is None else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        return FolderLock(fd, None if own is None else join(folder, own))
    except BlockingIOError as error:
        os.close(fd)
        raise CannotStart(f"{name}: {refusal(own)}") from error
    except (HeadTaken, OSError) as error:
        os.close(fd)
        raise CannotStart(f"{name}: {error}") from error


def refusal(own: Head | None) -> str:
    """Return why a folder that others use cannot be locked."""
    if own is None:
        return (
            "another server uses it; stop it, or choose another with --results-dir. Servers that"
            " share a folder each need a name, the setting head"
        )
    return "a server without the setting head uses it; stop it, or give it a name"
