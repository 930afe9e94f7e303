"""A server in its own process, for tests."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TINY = Path(__file__).with_name("tiny_server.py")
READY = "Warmtalk is ready at http://127.0.0.1:"
PATIENCE_S = 60


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int
    results: Path
    log: Path
    """A file: an unread pipe would block the server."""

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> http.client.HTTPResponse:
        """Send a request; closing the response closes its connection."""
        sent = None if body is None else json.dumps(body)
        connection = self.connect()
        head = {"Content-Type": "application/json", "Connection": "close", **headers}
        connection.request(method, path, sent, head)
        return connection.getresponse()

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request; return status and JSON of the response."""
        with self.ask(method, path, body) as answer:
            return answer.status, json.loads(answer.read())

    def wait_for(self, state: str) -> Any:
        """Return `/health` once it reports this state; a refused connection fails the test."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(ConnectionResetError, http.client.RemoteDisconnected):
                _, health = self.call("GET", "/health")
                if health["status"] == state:
                    return health
            time.sleep(0.02)
        raise AssertionError(f"the server is {health}, not {state}")

    def workers(self) -> list[int]:
        """Process ids of its children."""
        own = self.process.pid
        listed = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii")
        return [int(number) for number in listed.split()]

    def resident_bytes(self) -> int:
        """Memory of the worker."""
        (worker,) = self.workers()
        pages = Path(f"/proc/{worker}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """Number of open files and connections of the worker."""
        (worker,) = self.workers()
        return len(list(Path(f"/proc/{worker}/fd").iterdir()))

    def threads(self) -> int:
        """Number of threads of the worker."""
        (worker,) = self.workers()
        return len(list(Path(f"/proc/{worker}/task").iterdir()))

    def wait_for_exit(self) -> tuple[int, str]:
        """Wait for its end, and for all processes with its output; return exit status and log."""
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, self.log.read_text(encoding="utf-8")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def launched(results: Path, command: Sequence[str] = (), *extra: str) -> Iterator[Server]:
    """Start a server in its own process group; kill it at the end.

    `command` starts another server than the tiny one; its port and `extra` are appended.
    """
    port = free_port()
    results.mkdir(exist_ok=True)
    log = results.with_suffix(".log")
    words = [*command, str(port)] if command else [str(TINY), str(results), str(port)]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [sys.executable, "-u", *words, *extra],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        ) as process,
    ):
        try:
            yield Server(process, port, results, log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def wait_until_ready(server: Server) -> None:
    assert server.process.stdout is not None
    assert READY in server.process.stdout.readline()


@contextmanager
def serving(results: Path, *extra: str) -> Iterator[Server]:
    """Start a tiny server, and wait until it is warm."""
    with launched(results, (), *extra) as server:
        wait_until_ready(server)
        yield server
