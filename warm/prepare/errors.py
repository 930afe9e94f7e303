"""Errors of preparation, one class per cause; every message says how to correct it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warm.avatars.recipe import PreparationError

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


class NoFaceError(PreparationError):
    """The source shows no face."""


class SmallFaceError(PreparationError):
    """The largest face is too small to show lips."""


class CutOffFaceError(PreparationError):
    """The edge of the picture cuts off the mouth."""


class OpenMouthError(PreparationError):
    """The mouth in a photo is open too wide to be closed."""


class FaceMissingError(PreparationError):
    """The face is missing for longer than can be interpolated."""


class ShortVideoError(PreparationError):
    """The video is too short for a loop."""


class EnhancementFailed(PreparationError):
    """The faces of the source could not be enhanced."""


class DiskFullError(PreparationError):
    """The disk, the quota or the file size limit is exhausted."""


class NotWritableError(PreparationError):
    """The results folder cannot be written."""


@contextmanager
def write_errors_explained(folder: Path) -> Iterator[None]:
    """Turn a failed write under `folder` into DiskFullError or NotWritableError."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError(
                f"{folder} has no space for the avatar ({error.strerror}). Free some disk space, "
                "or choose another folder with --results, or a smaller --max-side or --max-seconds."
            ) from error
        if error.errno in NOT_WRITABLE:
            raise NotWritableError(
                f"{folder} cannot be written ({error.strerror}). Change its permissions or choose "
                "another folder with --results."
            ) from error
        raise
