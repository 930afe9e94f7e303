"""Errors of fetching, one class per cause."""


class FetchError(ValueError):
    """A file cannot be fetched; the message names the address, the cause and the next step."""


class FetchDisabled(FetchError):
    """Fetching is off."""

    def __init__(self) -> None:
        super().__init__(
            "is an address of another server, and fetching is off (fetch_urls); send the file with"
            " POST /uploads and use the url of the answer, or set fetch_urls: true"
        )


class BadAddress(FetchError):
    """The address is malformed, or of a form that is refused."""


class ForbiddenAddress(FetchError):
    """The address leads to a network that is not public."""


class FetchFailed(FetchError):
    """The other server did not answer with a file in time."""


class FetchBusy(RuntimeError):
    """Too many files are being fetched at once."""
