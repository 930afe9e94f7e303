"""Download of the file at an address into the store of uploads."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import BoundedSemaphore

from warm.fetch.errors import FetchBusy, FetchDisabled
from warm.uploads.store import UploadStore
from warm.uploads.upload import Upload, UploadKind

MAX_AT_ONCE = 8

OpenUrl = Callable[[str, int], AbstractContextManager[Iterator[bytes]]]
"""Opens the body at an address; the number is its largest size in bytes."""


class Fetcher:
    """Fetches files for the callers of the server. Any thread."""

    def __init__(self, store: UploadStore, open_url: OpenUrl | None) -> None:
        """`open_url` is None if fetching is off."""
        self._store, self._open_url = store, open_url
        self._permits = BoundedSemaphore(MAX_AT_ONCE)

    def fetch(self, url: str, *, allowed: frozenset[UploadKind], owner: str) -> Upload:
        """Return the file at an address, stored. Addresses of this server need no network.

        Raises FetchError, FetchBusy, and the errors of `UploadStore.receive`.
        """
        own = self._store.of_url(url)
        if own is not None:
            return self._store.admit(own, allowed)
        if self._open_url is None:
            raise FetchDisabled
        if not self._permits.acquire(blocking=False):
            raise FetchBusy(f"{MAX_AT_ONCE} files are being fetched at once; try again soon")
        try:
            with self._open_url(url, self._store.limits.max_bytes) as chunks:
                return self._store.receive(chunks, allowed=allowed, owner=owner, name=url_name(url))
        finally:
            self._permits.release()


def url_name(url: str) -> str:
    """Return the last part of the path of an address."""
    return url.partition("?")[0].partition("#")[0].rpartition("/")[2]
