"""What can go wrong with a session file, one class per cause."""

import errno
import os
from pathlib import Path

SPACE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Disk full, quota spent, file larger than the system allows."""
_REMEDIES = {
    errno.EROFS: "mount it for writing and ask again",
    errno.EACCES: "let the server write there and ask again",
    errno.EPERM: "let the server write there and ask again",
    errno.ENOENT: "something removed a folder or file; ask again, and it is made anew",
    errno.ENOTDIR: "a file lies where a folder belongs; move it away and ask again",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), or ask again with fewer",
}
"""What would help."""
_OTHER_REMEDY = "look into the system's log, and ask again when it is mended"


class FilmError(Exception):
    """Anything a session file refuses."""


class FilmMissingError(FilmError, FileNotFoundError):
    """There is no film at this path."""


class FilmExistsError(FilmError, FileExistsError):
    """There is a film at this path already."""


class FilmBusyError(FilmError):
    """Another writer, here or in another process, holds the film."""


class FilmDamagedError(FilmError):
    """The file does not begin as a film of ours does; nothing in it was changed."""


class FilmMismatchError(FilmError):
    """This program's encoders would not continue the film: other parameters or another release."""


class FilmClosedError(FilmError):
    """The writer, or the clip, was closed before."""


class FilmFullError(FilmError, OSError):
    """No room for a fragment; the film was cut back to its last committed byte and stays whole."""


class FilmDiskError(FilmError, OSError):
    """The disk refused something, and more room would not help; the film is as it was before."""


class FilmGoneError(FilmError):
    """The film was removed or replaced behind its writer's back."""


class SyncFailedError(OSError):
    """The system could not bring to disk what it had taken; what it shows may not be there."""


class FilmEmptyError(FilmError):
    """There is no byte of the film before its first clip is finished."""


class FilmNotLiveError(FilmError):
    """The film is replaced with every clip, so nothing can follow it as it grows."""


class ClipOpenError(FilmError):
    """A film takes one clip at a time, and one is open."""


class ClipEmptyError(FilmError):
    """A clip cannot finish before its first fragment."""


class CopyFailedError(FilmError):
    """What ffmpeg wrote is not what was asked for; nothing was put in place."""


class ClipUnfitError(FilmError):
    """A clip that cannot be joined to the others; the message says why, and the way out."""


class RangeNotSatisfiableError(FilmError):
    """A well-formed byte range that holds no committed byte."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The range begins past the end; the film has {size} bytes now.")
        self.size = size
        """Committed bytes: what belongs into the answer's `Content-Range: bytes */size`."""


def is_out_of_space(error: OSError) -> bool:
    """Whether more room, and nothing else, would help."""
    return error.errno in SPACE_ERRNOS


def disk_error(error: OSError, path: Path) -> FilmFullError | FilmDiskError:
    """What the system refused at `path`, with what would help."""
    said = os.strerror(error.errno) if error.errno else str(error)
    if is_out_of_space(error):
        return FilmFullError(
            error.errno, f"There is no room ({said}); make room and ask again", str(path)
        )
    remedy = _REMEDIES.get(
        error.errno or 0, "look into the system's log; ask again when it is mended"
    )
    return FilmDiskError(error.errno, f"The disk refused ({said}); {remedy}", str(path))
