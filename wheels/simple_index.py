"""Addresses of a wheel on package indexes (PEP 503 and PEP 691) and in folders of wheels."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

from wheels.pinned_wheel import PinnedWheel
from wheels.pip_configuration import PipConfiguration
from wheels.transport import Transport, without_credentials

ACCEPTED = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
MAX_PAGE_BYTES = 20_000_000
_ABSENT = (404, 410)


class Candidates:
    """Addresses at which a wheel may be, found one by one."""

    def __init__(self, configuration: PipConfiguration, transport: Transport) -> None:
        self._configuration, self._transport = configuration, transport
        self.problems: list[str] = []
        """Reasons why pages could not be read."""
        self.places: list[str] = []
        """Pages and folders that were searched."""

    def of(self, wheel: PinnedWheel) -> Iterator[str]:
        """Yield the addresses of a wheel: folders first, then the indexes in their order."""
        for place in self._configuration.find_links:
            yield from self._in_place(wheel, place)
        name = re.sub(r"[-_.]+", "-", wheel.project).lower()
        for index in self._configuration.indexes:
            yield from self._on_page(wheel, f"{index.rstrip('/')}/{name}/")

    def _in_place(self, wheel: PinnedWheel, place: str) -> Iterator[str]:
        folder = local_path(place)
        if folder is None or folder.suffix in (".html", ".htm"):
            yield from self._on_page(wheel, place if folder is None else folder.as_uri())
            return
        self.places.append(place)
        file = (folder if folder.is_dir() else folder.parent) / wheel.filename
        if file.is_file():
            yield file.absolute().as_uri()

    def _on_page(self, wheel: PinnedWheel, url: str) -> Iterator[str]:
        self.places.append(without_credentials(url))
        try:
            links = list(self._links(url))
        except HTTPError as error:
            error.close()
            if error.code not in _ABSENT:
                self.problems.append(f"{without_credentials(url)}: HTTP status {error.code}")
        except (OSError, HTTPException, ValueError) as error:
            self.problems.append(f"{without_credentials(url)}: {reason_of(error)}")
        else:
            yield from (link for link in links if file_name(link) == wheel.filename)

    def _links(self, url: str) -> Iterator[str]:
        """Yield the links of a page; raises OSError, HTTPException and ValueError."""
        folder = local_path(url)
        if folder is not None and folder.is_dir():
            url = (folder / "index.html").absolute().as_uri()
        if folder is not None and not folder.exists():
            return
        answer = self._transport.open(url, Accept=ACCEPTED)
        try:
            content = answer.read(MAX_PAGE_BYTES)
            kind, base = answer.headers.get_content_type(), answer.geturl()
        finally:
            answer.close()
        found = json_links(content) if kind.endswith("json") else html_links(content)
        yield from (urldefrag(urljoin(base, link)).url for link in found)


def local_path(place: str) -> Path | None:
    """Return the path of a `file:` address or of a folder; None for other addresses."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if parts.scheme in ("http", "https") else Path(place).expanduser()


def file_name(url: str) -> str:
    """Return the name of the file at an address."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def json_links(content: bytes) -> list[str]:
    """Return the links of an index page in JSON (PEP 691); raises ValueError."""
    try:
        return [str(file["url"]) for file in json.loads(content)["files"]]
    except (KeyError, TypeError) as error:
        raise ValueError("is not a page of a package index") from error


def html_links(content: bytes) -> list[str]:
    """Return the links of a page in HTML (PEP 503)."""
    parser = _LinkParser()
    parser.feed(content.decode("utf-8", "replace"))
    return parser.links


class _LinkParser(HTMLParser):
    """Collects the targets of links."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect one link."""
        if tag == "a" and (target := dict(attrs).get("href")):
            self.links.append(target)


def reason_of(error: Exception) -> str:
    """Return the cause of an error in words."""
    cause = getattr(error, "reason", None) or error
    return str(cause) or type(cause).__name__
