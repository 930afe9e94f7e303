"""Half an hour of mixed use next to two busy processes: nothing is lost, and memory stays flat.

Sessions speak, are watched, interrupted and reset; clients leave early, send nothing, read nothing,
and send texts and bodies that must be refused. Every answer is checked, and so is every byte that a
viewer received and every clip and fragment that was acknowledged.
"""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread

from bench.avatars import prepare_demo
from bench.figure import Figure
from bench.films.kill_clients import SessionRecord, record_events, watch
from bench.films.kill_verification import DataLossError, verify
from bench.films.server_under_test import NETWORK_ERRORS, ROOT, ServerUnderTest
from bench.server_process import ServerProcess

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
"""Duration; the figures of a shorter run say little about memory."""
SEED = 41
BUSY_PROCESSES = 2
SPEAKERS = 3
MEMORY_INTERVAL_S = 5.0
PAUSE_S = 0.5
ANSWER_S = 120.0
"""Longest wait for the answers that are open at the end."""
RESET_SHARE = 0.05
MAX_GROWTH_MB = 25.0
"""Largest growth of the median memory from the second quarter to the last one."""
TEXTS = (
    "Yes.",
    "Good morning, and thank you for calling.",
    "One. Two. Three, four.",
    "The train to the coast leaves at nine, and the last one returns at half past ten.",
)
REFUSED_TEXTS = ("", " ", "\u200b", "!" * 20_000, "\ud800")
EXPECTED = {200, 206, 400, 404, 408, 409, 413, 415, 416, 422, 503}
"""Statuses that mixed use may get; every other one is counted as a fault."""

Client = Callable[["Soak", random.Random], None]


def measure(_out: Path) -> list[Figure]:
    """Run all clients at once; `_out` is not used."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name, busy_processes():
        results = Path(name)
        prepare_demo(results)
        return Soak(results).run(60 * MINUTES)


@contextmanager
def busy_processes() -> Iterator[None]:
    """Keep processes busy that compete for the CPU."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(BUSY_PROCESSES)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


class Soak:
    """A server, the clients that use it, and the results that they got. Any thread."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self.server = ServerUnderTest(app_command, results, "never")
        self.records = [
            SessionRecord(
                f"soak-{index}", results / "sessions" / f"soak-{index}" / "full_session.mp4"
            )
            for index in range(SPEAKERS)
        ]
        self.stop = Event()
        self.answers: Counter[int] = Counter()
        self.faults: list[str] = []
        self.memory_mb: list[float] = []
        self._lock = Lock()

    def run(self, duration_s: float) -> list[Figure]:
        """Use a server for this time, stop it, and verify every film with a new one."""
        with running(self.server):
            others = [self._start(client, index) for index, client in enumerate(self._clients())]
            viewers = [self._start(viewer(record), 0) for record in self.records]
            self._sample_memory(duration_s)
            self.stop.set()
            self._join(others)
            self.server.process.terminate()
            self._join(viewers)
        self.server = ServerUnderTest(app_command, self._results, "never")
        with running(self.server):
            return self._figures(self._count_lost())

    def fault(self, message: str) -> None:
        """Record something that must not happen."""
        with self._lock:
            self.faults.append(message)
        print(f"soak: {message}", file=sys.stderr)

    def count(self, status: int, request: str) -> None:
        """Count an answer."""
        with self._lock:
            self.answers[status] += 1
        if status not in EXPECTED:
            self.fault(f"{request}: {status}")

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> bytes:
        """Send a request, count its answer, and return the body of the answer."""
        with self.server.response(method, path, body, **headers) as response:
            content = response.read()
        self.count(response.status, f"{method} {path}")
        return content

    def _clients(self) -> Sequence[Client]:
        speakers = [speaker(record) for record in self.records]
        return (*speakers, leave_early, interrupt, download, send_bad_requests, be_silent)

    def _start(self, client: Client, index: int) -> Thread:
        thread = Thread(target=self._repeat, args=(client, random.Random(SEED + index)))
        thread.daemon = True
        thread.name = f"client {index} ({client.__name__})"
        thread.start()
        return thread

    def _join(self, clients: Sequence[Thread]) -> None:
        for client in clients:
            client.join(ANSWER_S)
            if client.is_alive():
                self.fault(f"{client.name} still waits for an answer")

    def _repeat(self, client: Client, source: random.Random) -> None:
        while not self.stop.is_set():
            try:
                client(self, source)
            except NETWORK_ERRORS as error:
                if not self.stop.is_set():
                    self.fault(f"{client.__name__}: {type(error).__name__}: {error}")

    def _sample_memory(self, duration_s: float) -> None:
        process = ServerProcess(self.server.process, self.server.port, 0.0)
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s and self.server.process.poll() is None:
            self.memory_mb.append(process.resident_mb())
            self.stop.wait(MEMORY_INTERVAL_S)
        if self.server.process.poll() is not None:
            self.fault("the server ended")

    def _count_lost(self) -> int:
        lost = 0
        for record in self.records:
            try:
                verify(record, self.server)
            except (DataLossError, *NETWORK_ERRORS) as error:
                lost += 1
                self.fault(f"session {record.name}: {error}")
        return lost

    def _figures(self, lost: int) -> list[Figure]:
        quarter = max(1, len(self.memory_mb) // 4)
        early = statistics.median(self.memory_mb[quarter : 2 * quarter] or self.memory_mb)
        late = statistics.median(self.memory_mb[-quarter:])
        answers = sum(self.answers.values())
        print(f"soak: answers {dict(sorted(self.answers.items()))}, memory {self.memory_mb[::12]}")
        name = f"soak, {MINUTES:g} min, {BUSY_PROCESSES} busy processes: {{}}"
        sessions = len(self.records)
        return [
            Figure.at_most(name.format("sessions with a loss"), lost, "", 0, sessions),
            Figure.at_most(name.format("faults"), len(self.faults), "", 0, answers),
            Figure.at_most(
                name.format("growth of memory"), late - early, "MB", MAX_GROWTH_MB, quarter
            ),
        ]


@contextmanager
def running(server: ServerUnderTest) -> Iterator[None]:
    """Wait until a server is ready, and kill it at the end of the block."""
    try:
        if not server.wait_until_ready():
            raise RuntimeError("the server did not become ready")
        yield
    finally:
        server.kill()


def app_command(results: Path, port: int) -> list[str]:
    """Return the command of the server."""
    return [str(ROOT / "app.py"), "--port", str(port), "--results-dir", str(results)]


def speaker(record: SessionRecord) -> Client:
    """Return a client that speaks in a session and sometimes resets it."""

    def speak(soak: Soak, source: random.Random) -> None:
        with record.no_reset:
            if source.random() < RESET_SHARE:
                record.is_resetting = True
                soak.ask("POST", "/reset", {"session_id": record.name})
                record.end_reset()
            body = {"text": source.choice(TEXTS), "session_id": record.name}
            accept = {"Accept": "text/event-stream"}
            with soak.server.response("POST", "/speak", body, **accept) as response:
                soak.count(response.status, "POST /speak")
                if response.status == 200 and not record_events(response, record):
                    soak.fault(f"the events of {record.name} ended early")
        soak.stop.wait(PAUSE_S)

    return speak


def viewer(record: SessionRecord) -> Client:
    """Return a client that watches a session and keeps every byte."""

    def look(soak: Soak, source: random.Random) -> None:
        watch(soak.server, record, source)

    return look


def leave_early(soak: Soak, source: random.Random) -> None:
    """Ask for a long clip, and leave after the first bytes of the answer."""
    body = {"text": " ".join(TEXTS * 4), "session_id": f"left-{source.randrange(3)}"}
    accept = {"Accept": "text/event-stream"}
    with soak.server.response("POST", "/speak", body, **accept) as response:
        soak.count(response.status, "POST /speak")
        response.read(100)
    soak.stop.wait(4 * PAUSE_S)


def interrupt(soak: Soak, source: random.Random) -> None:
    """Speak, interrupt, and reset a session of its own."""
    session = {"session_id": "interrupted"}
    speak = Thread(
        target=suppress_network, args=(soak, "/speak", {"text": " ".join(TEXTS), **session})
    )
    speak.start()
    soak.stop.wait(source.random())
    soak.ask("POST", "/interrupt", session)
    speak.join(ANSWER_S)
    soak.ask("POST", "/reset", session)
    soak.stop.wait(2 * PAUSE_S)


def suppress_network(soak: Soak, path: str, body: object) -> None:
    """Send a request whose answer is only counted."""
    with suppress(*NETWORK_ERRORS):
        soak.ask("POST", path, body)


def download(soak: Soak, source: random.Random) -> None:
    """Request the resources that a page and a player request."""
    name = source.choice(soak.records).name
    for path in (
        "/",
        "/health",
        "/stats",
        "/sessions",
        "/avatars",
        f"/sessions/{name}",
        f"/sessions/{name}/full_session.mp4",
        f"/sessions/{name}/full_session.vtt",
        f"/sessions/{name}/live.m3u8",
        f"/sessions/{name}/export.mp4",
    ):
        soak.ask("GET", path)
        soak.stop.wait(PAUSE_S)


def send_bad_requests(soak: Soak, source: random.Random) -> None:
    """Send requests that must be refused, each in the same way every time."""
    text = source.choice(REFUSED_TEXTS)
    for method, path, body in (
        ("POST", "/speak", {"text": text}),
        ("POST", "/speak", {"text": 5}),
        ("POST", "/speak", ["text"]),
        ("POST", "/sessions", {"session_id": "../x"}),
        ("GET", "/sessions/none", None),
        ("GET", "/nothing", None),
    ):
        content = soak.ask(method, path, body)
        if "detail" not in json.loads(content):
            soak.fault(f"{method} {path} {body}: the answer names no reason")
        soak.stop.wait(PAUSE_S)


def be_silent(soak: Soak, source: random.Random) -> None:
    """Connect, send nothing, part of a request or random bytes, and wait before leaving."""
    address = ("127.0.0.1", soak.server.port)
    with ExitStack() as held:
        for _ in range(5):
            connection = held.enter_context(socket.create_connection(address, 60))
            connection.sendall(source.choice((b"", b"GET / HT", source.randbytes(20))))
        soak.stop.wait(10 * PAUSE_S)
