"""Errors of a fetch, one class per cause; every message names the next step."""


class FetchError(RuntimeError):
    """A wheel could not be fetched. The bytes that arrived are kept unless they are wrong."""


class IndexUnreachable(FetchError):
    """No configured package index answers, or every one of them broke the connection."""


class WheelNotFound(FetchError):
    """The package indexes answer, but none of them has the wheel."""


class WheelDamaged(FetchError):
    """The bytes that arrived are not those of the pinned wheel; they were deleted."""


class DiskFull(FetchError):
    """The disk has too little free space."""


class FolderUnwritable(FetchError):
    """The folder of the files cannot be written."""


class FetchBusy(FetchError):
    """Another process fetches into the same folder and makes no progress."""


class FetchCancelled(FetchError):
    """The fetch was cancelled; the next one resumes it."""
