"""A test hub on 127.0.0.1 that serves huggingface_hub's requests, with network failures."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

COMMIT = "c" * 40


@dataclass
class Hub:
    """Files, failures and received requests of the hub."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By `ORG/NAME/path`."""
    status: int = 200
    """Status of every answer to HEAD."""
    cut_after: int | None = None
    """Bytes after which the next GET is cut off."""
    stall: Event | None = None
    """If set, a GET that is cut off waits for it before the connection is closed."""
    wrong_bytes: bool = False
    has_commit: bool = True
    elsewhere: bool = False
    """Redirect to a storage on another host name, as the hub does for large files."""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(method, path, Range) in order."""
    authorizations: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ranges(self) -> list[str | None]:
        return [range_ for method, _, range_ in self.asked if method == "GET"]


class HubHandler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_args: object) -> None:
        pass

    def content(self) -> bytes | None:
        """Content for a path such as /ORG/NAME/resolve/REVISION/PATH."""
        parts = self.path.removeprefix("/storage").lstrip("/").split("/")
        return self.hub.files.get("/".join([*parts[:2], *parts[4:]]))

    def log_request_line(self) -> None:
        self.hub.asked.append((self.command, self.path, self.headers.get("Range")))
        if "Authorization" in self.headers:
            self.hub.authorizations.append(self.headers["Authorization"])

    def do_HEAD(self) -> None:
        self.log_request_line()
        content = self.content()
        if self.hub.status != 200 or content is None:
            self.send_response(self.hub.status if self.hub.status != 200 else 404)
            if self.hub.status == 200:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        digest = hashlib.sha256(content).hexdigest()
        self.send_response(302 if self.hub.elsewhere else 200)
        if self.hub.has_commit:
            self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{digest}"')
        if self.hub.elsewhere:
            self.send_header("Location", f"http://localhost:{self.hub.port}/storage{self.path}")
            self.send_header("X-Linked-Etag", f'"{digest}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Content-Length", "0")
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def do_GET(self) -> None:
        self.log_request_line()
        content = self.content()
        if content is None or self.hub.status != 200:
            self.send_response(404 if content is None else self.hub.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.hub.elsewhere and not self.path.startswith("/storage"):
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.hub.port}/storage{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        body = content[first:]
        if self.hub.wrong_bytes:
            body = bytes(len(body))
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut, self.hub.cut_after = self.hub.cut_after, None
        if cut is None:
            self.wfile.write(body)
            return
        self.wfile.write(body[:cut])
        self.wfile.flush()
        if self.hub.stall is not None:
            self.hub.stall.wait(60)
        self.close_connection = True


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Hub]:
    """Run a hub in a thread."""
    hub = Hub(files=files)
    handler = type("BoundHubHandler", (HubHandler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        if hub.stall is not None:
            hub.stall.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
