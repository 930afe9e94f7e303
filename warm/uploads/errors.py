"""Errors of uploads, one class per cause."""


class UploadTooLarge(ValueError):
    """The file is larger than allowed."""

    def __init__(self, limit_bytes: int, *, setting: str = "max_upload_mb") -> None:
        super().__init__(
            f"the file is larger than {limit_bytes / 1e6:g} MB, which is the limit ({setting});"
            " send a smaller one"
        )


class UploadNotAllowed(ValueError):
    """The content of the file is of no supported kind, or of another kind than expected."""


class UploadDamaged(ValueError):
    """The file is empty, damaged, truncated, or too large to be decoded."""


class UnknownUpload(LookupError):
    """No stored file has this id."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"upload = {upload_id[:64]!r}: no stored file has this id, or it has expired"
            " (upload_ttl_s); send the file again"
        )


class UploadInUse(RuntimeError):
    """A job uses the file."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"upload = {upload_id!r}: a job uses this file; delete it when the job has ended, or"
            " cancel the job"
        )


class UploadsFull(RuntimeError):
    """The stored files take all of the space that they may have, or the disk is nearly full."""


class UploadsBusy(RuntimeError):
    """Too many files are being examined at once."""
