"""Server process that a benchmark starts, queries and kills."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NETWORK_ERRORS = (OSError, http.client.HTTPException)
POLL_S = 0.02
_TIMEOUT_S = 60.0

Command = Callable[[Path, int], list[str]]
"""Returns the command that starts a server with a results folder and a port."""


class ServerUnderTest:
    """Server process in a process group of its own."""

    def __init__(self, command: Command, results: Path, kill_point: str) -> None:
        """Start a server; `kill_point` as for `bench.films.dying_server`."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        wrapper = [sys.executable, "-m", "bench.films.dying_server", kill_point]
        self.process = subprocess.Popen(
            [*wrapper, *command(results, self.port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    def wait_until_ready(self) -> bool:
        """Return True once the server is ready, False if it exits before or the time is up."""
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(*NETWORK_ERRORS):
                if self.request("GET", "/health")["status"] == "ok":
                    return True
            time.sleep(POLL_S)
        return False

    def wait_for_exit(self, timeout_s: float) -> bool:
        """Wait until the server exits; False if the time is up."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        return self.process.poll() is not None

    def kill(self) -> None:
        """Send SIGKILL to all processes of the group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of the response; raises ConnectionError for a status other than 200."""
        with self.response(method, path, body) as response:
            content = response.read()
        if response.status != 200:
            raise ConnectionError(f"{method} {path}: {response.status} {content!r}")
        return json.loads(content)

    @contextmanager
    def response(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request on a new connection and yield the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        try:
            content = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json", **headers}
            connection.request(method, path, content, headers)
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()
