"""A server as a process of its own, for tests: started, asked, stopped."""

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
    """A file: a pipe that nobody reads would stop it."""

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> http.client.HTTPResponse:
        """Close the answer: its connection goes with it."""
        sent = None if body is None else json.dumps(body)
        connection = self.connect()
        head = {"Content-Type": "application/json", "Connection": "close", **headers}
        connection.request(method, path, sent, head)
        return connection.getresponse()

    def told(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        with self.ask(method, path, body) as answer:
            return answer.status, json.loads(answer.read())

    def wait_for(self, state: str) -> Any:
        """What `/health` tells once it tells this state; a refused connection fails the test."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(ConnectionResetError, http.client.RemoteDisconnected):
                _, told = self.told("GET", "/health")
                if told["status"] == state:
                    return told
            time.sleep(0.02)
        raise AssertionError(f"the server is {told}, not {state}")

    def workers(self) -> list[int]:
        """The process ids of its children."""
        own = self.process.pid
        listed = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii")
        return [int(number) for number in listed.split()]

    def resident_bytes(self) -> int:
        """Memory of the worker."""
        (worker,) = self.workers()
        pages = Path(f"/proc/{worker}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """How many files and connections the worker has open."""
        (worker,) = self.workers()
        return len(list(Path(f"/proc/{worker}/fd").iterdir()))

    def threads(self) -> int:
        """How many threads the worker has."""
        (worker,) = self.workers()
        return len(list(Path(f"/proc/{worker}/task").iterdir()))

    def ends(self) -> tuple[int, str]:
        """Its exit status and what it logged, once nobody holds its output any more."""
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, self.log.read_text(encoding="utf-8")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def launched(results: Path, command: Sequence[str] = (), *extra: str) -> Iterator[Server]:
    """A server that is being started, in a process group of its own; killed at the end.

    `command`: of another server than the tiny one, to which its port and `extra` are added.
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
    """A tiny server that is warm."""
    with launched(results, (), *extra) as server:
        wait_until_ready(server)
        yield server
