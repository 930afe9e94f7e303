"""A package index on this machine that can fail in the ways of real ones."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

Kind = Literal["json", "html"]


@dataclass
class IndexServer:
    """An index of the wheels in a folder. Its faults may be changed at any time."""

    folder: Path
    kind: Kind = "json"
    port: int = 0
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next downloads are cut off; each is used once."""
    accepts_ranges: bool = True
    status: int = 200
    """Status of all answers."""
    pause: threading.Event | None = None
    """Downloads wait for it after their first kilobyte."""
    downloads: list[tuple[str, str]] = field(default_factory=list)
    """Name and requested range of each download."""
    redirects_to: str = ""
    """Downloads are redirected to this server."""
    authorizations: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the index."""
        return f"http://127.0.0.1:{self.port}/simple"


@contextmanager
def index_server(folder: Path, kind: Kind = "json") -> Iterator[IndexServer]:
    """Serve the wheels in a folder."""
    index = IndexServer(folder, kind)

    class Handler(_Handler):
        server_index = index

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield index
    finally:
        if index.pause is not None:
            index.pause.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    server_index: IndexServer

    def do_GET(self) -> None:
        index = self.server_index
        index.authorizations.append(self.headers.get("Authorization", ""))
        name = unquote(self.path).strip("/").rpartition("/")[2]
        path = index.folder / name
        if index.status != 200:
            self._send(index.status, b"", "text/plain")
        elif index.redirects_to and self.path.startswith("/files/"):
            self.send_response(302)
            self.send_header("Location", f"{index.redirects_to}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/simple/"):
            self._send_page(name)
        elif path.is_file():
            self._send_file(path)
        else:
            self._send(404, b"", "text/plain")

    def _send_page(self, project: str) -> None:
        stem = project.replace("-", "_")
        names = sorted(path.name for path in self.server_index.folder.glob(f"{stem}-*.whl"))
        if not names:
            self._send(404, b"", "text/plain")
        elif self.server_index.kind == "json":
            page = {"files": [{"filename": name, "url": f"../../files/{name}"} for name in names]}
            self._send(200, json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")
        else:
            links = "".join(f'<a href="/files/{name}#sha256=0">{name}</a>' for name in names)
            self._send(200, f"<!DOCTYPE html><body>{links}".encode(), "text/html")

    def _send_file(self, path: Path) -> None:
        index, content = self.server_index, path.read_bytes()
        asked = self.headers.get("Range", "")
        index.downloads.append((path.name, asked))
        start = int(asked[6:-1]) if asked and index.accepts_ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if index.cuts:
            body = body[: index.cuts.pop(0)]
        self.wfile.write(body[:1024])
        if index.pause is not None:
            index.pause.wait(60)
        self.wfile.write(body[1024:])
        self.close_connection = True

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass
