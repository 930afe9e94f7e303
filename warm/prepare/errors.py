"""Why a photo or video does not become an avatar; every message says what to do about it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warm.avatars.recipe import PreparationError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


class NoFaceError(PreparationError):
    """There is no face in the picture."""


class SmallFaceError(PreparationError):
    """The largest face is too small to show lips."""


class FacelessStretchError(PreparationError):
    """The face is away for longer than can be bridged."""


class ShortVideoError(PreparationError):
    """The video is too short to be a loop."""


class NoRoomError(PreparationError):
    """The disk, the quota or the file size limit is full."""


class NotWritableError(PreparationError):
    """The results folder cannot be written."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn a failed write under `folder` into NoRoomError or NotWritableError."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise NoRoomError(
                f"There is no room for the avatar under {folder} ({error.strerror}). Free some, "
                "or choose another folder with --results, or a smaller --max-side or --max-seconds."
            ) from error
        if error.errno in NOT_ALLOWED:
            raise NotWritableError(
                f"{folder} cannot be written ({error.strerror}). Change its permissions or choose "
                "another folder with --results."
            ) from error
        raise
