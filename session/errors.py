"""Exceptions of session films, one class per cause."""

import errno
import os
from pathlib import Path

SPACE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Disk full, quota exceeded, file larger than the system allows."""
DISK_ERRNOS = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ELOOP),
        *(errno.EIO, errno.ESTALE, errno.ENXIO, errno.EMFILE, errno.ENFILE),
    }
)
"""Permissions, mounts, devices and descriptors: faults of the machine, not of the program."""
_REMEDIES = {
    errno.EROFS: "mount it for writing and try again",
    errno.EACCES: "give the server permission to read and write and try again",
    errno.EPERM: "give the server permission to read and write and try again",
    errno.ENOENT: "a folder or file was removed; try again, and it is created again",
    errno.ENOTDIR: "a file exists where a folder is needed; move it away and try again",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), or open fewer",
}
"""The next step for each error number."""
_OTHER_REMEDY = "check the system's log, fix the cause and try again"


class FilmError(Exception):
    """Base class of all errors of session films."""


class FilmMissingError(FilmError, FileNotFoundError):
    """No film exists at this path."""


class FilmExistsError(FilmError, FileExistsError):
    """A film exists at this path already."""


class FilmBusyError(FilmError):
    """Another writer, in this or another process, holds the lock of the film."""


class FilmDamagedError(FilmError):
    """The file is not a session film, or bytes of it were changed; it was not written to."""


class FilmMismatchError(FilmError):
    """The encoders differ from those of the film, in their parameters or their release."""


class FilmClosedError(FilmError):
    """The film or the clip is closed."""


class FilmFullError(FilmError, OSError):
    """The disk is full; the film was truncated to its last committed byte and stays valid."""


class FilmDiskError(FilmError, OSError):
    """A disk operation failed for a reason other than space; the film is unchanged."""


class FilmGoneError(FilmError):
    """The film was removed or replaced while it was open for writing."""


class SyncFailedError(OSError):
    """A sync failed: bytes that can be read may not be on disk."""


class FilmEmptyError(FilmError):
    """The film has no bytes until its first clip is finished."""


class FilmNotLiveError(FilmError):
    """The film is replaced with every clip, so it cannot be watched live."""


class ClipOpenError(FilmError):
    """A clip is open already; a film can have only one open clip."""


class ClipEmptyError(FilmError):
    """The clip has no pictures, so it cannot be finished."""


class CopyFailedError(FilmError):
    """The output of ffmpeg failed verification; the target file is unchanged."""


class ClipUnfitError(FilmError):
    """The clip cannot be joined to the others; the message gives the reason and the remedy."""


class RangeNotSatisfiableError(FilmError):
    """A well-formed byte range contains no committed byte."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The range begins after the end; the film has {size} bytes now.")
        self.size = size
        """Number of committed bytes, for the response header `Content-Range: bytes */size`."""


def is_out_of_space(error: OSError) -> bool:
    """Return True if the error is due to missing disk space."""
    return error.errno in SPACE_ERRNOS


def is_disk_fault(error: OSError) -> bool:
    """Return True if the error is due to permissions, mounts, devices or descriptors."""
    return error.errno in DISK_ERRNOS


def disk_error(error: OSError, path: Path) -> FilmFullError | FilmDiskError:
    """Convert an error at `path` into one that names the next step."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if is_out_of_space(error):
        return FilmFullError(
            error.errno, f"The disk is full ({reason}); make room and try again", str(path)
        )
    remedy = _REMEDIES.get(error.errno or 0, _OTHER_REMEDY)
    return FilmDiskError(error.errno, f"The disk operation failed ({reason}); {remedy}", str(path))
