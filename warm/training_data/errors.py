"""Errors of the preprocessing of training videos, one class per cause."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.error import FFmpegError

from session.errors import SPACE_ERRNOS

NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})


class TrainingDataError(ValueError):
    """The preprocessing cannot continue; the message says why and what to do."""


class BadPreprocessConfig(TrainingDataError):
    """The configuration file cannot be used; the message has one line per fault."""


class NoSourcesError(TrainingDataError):
    """The folder of raw videos is missing or empty."""


class OutputFullError(TrainingDataError):
    """The disk, the quota or the file size limit is exhausted."""


class OutputNotWritableError(TrainingDataError):
    """A folder of the output cannot be written."""


class OutputBusyError(TrainingDataError):
    """Another run writes to the same output."""


class ListMissingError(TrainingDataError):
    """There is no list of clips to check."""


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
