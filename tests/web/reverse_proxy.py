"""A reverse proxy that serves a server below a path, with or without that path in its requests."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade"})
TIMEOUT_S = 60


class Forwarder(BaseHTTPRequestHandler):
    """Forwards requests below `prefix`, and answers 404 to all others."""

    def __init__(
        self, target: int, prefix: str, strips: bool, headers: dict[str, str], *connection: Any
    ) -> None:
        self._target, self._prefix, self._strips, self._added = target, prefix, strips, headers
        super().__init__(*connection)

    def do_GET(self) -> None:
        """Forward a request, and its response as it arrives."""
        if not self.path.startswith(f"{self._prefix}/"):
            self.send_error(404)
            return
        path = self.path.removeprefix(self._prefix) if self._strips else self.path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = {
            name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=TIMEOUT_S)
        connection.request(self.command, path, body, {**sent, **self._added})
        with connection.getresponse() as answer, suppress(ConnectionError):
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            while piece := answer.read1(65536):
                self.wfile.write(piece)
        connection.close()

    def do_POST(self) -> None:
        """As `do_GET`."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def reverse_proxy(
    target: int, prefix: str, *, strips: bool, headers: dict[str, str]
) -> Iterator[int]:
    """The port of a proxy to the port `target`; it adds `headers` to its requests."""
    handler = partial(Forwarder, target, prefix, strips, headers)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True  # streams last as long as the server
        server.block_on_close = False
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
