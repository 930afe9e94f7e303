"""A real server in a process of its own, and requests to it."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 60.0
POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that has answered 200 on `/health`."""

    process: "subprocess.Popen[bytes]"
    port: int
    started_s: float
    """Seconds from the command to the first 200 of `/health`."""

    def url(self, path: str) -> str:
        """Return the address of a path, which may have a query."""
        return f"http://127.0.0.1:{self.port}{path}"

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """Send a request and return the response body.

        Raises RuntimeError unless the status is 200 or 202.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            content = response.read()
        connection.close()
        if response.status not in (200, 202):
            raise RuntimeError(f"{method} {path}: {response.status} {content!r}")
        return content

    def json(self, method: str, path: str, body: object = None) -> Any:
        """Send a request and return the response; raises RuntimeError unless it is 200 or 202."""
        return json.loads(self.request(method, path, body))

    def speak_events(self, **body: object) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and data of each event of `POST /speak`; disconnects when closed."""
        return self.events("/speak", body)

    def events(self, path: str, body: object) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and data of each event of a `POST`; disconnects when closed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        connection.request("POST", path, json.dumps(body), headers)
        with connection.getresponse() as response:
            while line := response.readline().decode():
                if line.startswith("event: "):
                    data = response.readline().decode().removeprefix("data: ")
                    yield line.removeprefix("event: ").strip(), json.loads(data)

    def first_fragment_s(self, text: str, session_id: str, **options: object) -> float:
        """Return the time from a request to the event of its first fragment, then disconnect.

        `options` are further fields of `POST /speak`.
        """
        started = time.perf_counter()
        for name, _ in self.speak_events(text=text, session_id=session_id, **options):
            if name == "fragment":
                return time.perf_counter() - started
        raise RuntimeError("the response ended without a fragment")

    def resident_mb(self) -> float:
        """Return the resident memory of the server's processes, mapped files included."""
        return sum(map(resident_mb, process_tree(self.process.pid)))

    def cpu_s(self) -> float:
        """Return the CPU time that the server's processes have used."""
        return sum(map(cpu_s, process_tree(self.process.pid)))


def process_tree(pid: int, depth: int | None = None) -> Iterator[int]:
    """Yield a process and its descendants, down to `depth` generations."""
    yield pid
    if depth == 0:
        return
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread or process has ended
            for child in children.read_text(encoding="ascii").split():
                yield from process_tree(int(child), None if depth is None else depth - 1)


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, mapped files included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime


@contextmanager
def run_server(
    results: Path, *, program: Sequence[str] = ("app.py",), stdin: int | None = None
) -> Iterator[ServerProcess]:
    """Start a server with this folder of results on a free port; stop it when the block ends.

    `program` is the script or `-m MODULE ARGS`; the server's own flags are appended.
    """
    port = free_port()
    flags = ["--port", str(port), "--results-dir", str(results)]
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *program, *flags], cwd=ROOT, stdin=stdin,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield ServerProcess(process, port, wait_until_healthy(port) - started)
        finally:
            process.terminate()


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until_healthy(port: int) -> float:
    """Return when `/health` answered 200, by `time.perf_counter`; raises TimeoutError."""
    deadline = time.perf_counter() + TIMEOUT_S
    while time.perf_counter() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return time.perf_counter()
        except ConnectionError:
            pass
        finally:
            connection.close()
        time.sleep(POLL_S)
    raise TimeoutError(f"the server did not become healthy in {TIMEOUT_S:g} s")
