"""Failed writes as errors that name the folder and the remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.error import FFmpegError

from session.errors import SPACE_ERRNOS
from warm.training_data.errors import OutputFullError, OutputNotWritableError

NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})


@contextmanager
def write_errors_explained(path: Path) -> Iterator[None]:
    """Turn a failed write at `path` into OutputFullError or OutputNotWritableError."""
    try:
        yield
    except (OSError, FFmpegError) as error:
        if error.errno in SPACE_ERRNOS:
            raise OutputFullError(
                f"There is no space left for {path} ({error.strerror}). Free some disk space and "
                "run the same command again: finished clips are kept."
            ) from error
        if error.errno in NOT_WRITABLE:
            raise OutputNotWritableError(
                f"{path} cannot be written ({error.strerror}). Change its permissions, or choose "
                "another folder with output_root."
            ) from error
        raise
