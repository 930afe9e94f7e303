"""Hostile texts in every language, through `POST /speak` of a real server."""

import http.client
import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from bench.figure import Figure
from bench.hostile_texts import hostile_texts
from bench.server_process import TIMEOUT_S, ServerProcess, process_tree, run_server
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarStore
from warm.prepare.demo import demo_portrait
from warm.prepare.run import prepare

_TEXTS = 2200
_SEED = 8
_CLIENTS = 6
"""Concurrent requests, each in a session of its own."""
_SIDE_PX = 208
"""A small avatar: most of the time is spent in the voice."""
_FRAGMENTS = 1
"""Fragments after which a request counts as answered and the client disconnects."""
_TEXTS_PER_FILM = 40
_BUSY_TRIES = 50


@dataclass(frozen=True, slots=True)
class HostileRequest:
    """The body of one request, without its session."""

    text: str
    voice: str
    speed: float
    markup: str


@dataclass(slots=True)
class Outcomes:
    """Results of all requests. Any thread."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[tuple[HostileRequest, str]] = field(default_factory=list)
    """Requests without an answer, and why."""
    bugs: list[HostileRequest] = field(default_factory=list)
    """Requests answered with 500."""
    speech_workers: set[int] = field(default_factory=set)
    """Process ids of all speech workers seen."""
    lock: Lock = field(default_factory=Lock)

    def record(self, request: HostileRequest, status: int) -> None:
        """Record an answer."""
        with self.lock:
            self.statuses[status] += 1
            if status == 500:
                self.bugs.append(request)


def measure(out: Path) -> list[Figure]:
    """Send hostile texts; the texts that failed are written to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare(
            demo_portrait(),
            avatar_id="demo",
            store=AvatarStore(results),
            settings=PreparationSettings(max_side=_SIDE_PX),
        )
        with run_server(results) as server:
            before = server_workers(server)
            first = speech_workers(server)
            outcomes = send(server, list(islice(hostile_requests(voices_of(server)), _TEXTS)))
            lost = len(before - server_workers(server)) + (server.process.poll() is not None)
    _write_failures(outcomes, out / "hostile_failures.json")
    n = sum(outcomes.statuses.values()) + len(outcomes.lost)
    replaced = len(outcomes.speech_workers - first)
    print(f"answers by status: {dict(sorted(outcomes.statuses.items()))}")
    return [
        Figure.at_most("hostile texts: server processes lost", lost, "", 0, n),
        Figure.at_most("hostile texts: requests without an answer", len(outcomes.lost), "", 0, n),
        Figure.at_most("hostile texts: unexpected answers of 500", len(outcomes.bugs), "", 0, n),
        Figure.at_most("hostile texts: speech workers replaced", replaced, "", n, n),
    ]


def hostile_requests(voices: list[str], seed: int = _SEED) -> Iterator[HostileRequest]:
    """Yield requests for each voice in turn, in random order, without end."""
    rng = random.Random(seed)
    texts = hostile_texts(seed)
    while True:
        for voice in rng.sample(voices, len(voices)):
            yield HostileRequest(
                text=next(texts),
                voice=voice,
                speed=rng.choice([0.5, 1.0, 2.0]),
                markup=rng.choice(["auto", "markdown", "ssml", "plain"]),
            )


def voices_of(server: ServerProcess) -> list[str]:
    """Return the ids of all voices, one per language."""
    listed = json.loads(server.request("GET", "/voices"))
    return [voice["id"] for voice in listed["voices"] if not voice["id"].endswith("-male")]


def server_workers(server: ServerProcess) -> set[int]:
    """Return the process ids of gunicorn's workers."""
    return set(process_tree(server.process.pid, depth=1)) - {server.process.pid}


def speech_workers(server: ServerProcess) -> set[int]:
    """Return the process ids of the speech workers."""
    known = {server.process.pid, *server_workers(server)}
    return set(process_tree(server.process.pid)) - known


def send(server: ServerProcess, requests: list[HostileRequest]) -> Outcomes:
    """Send all requests, several at once."""
    outcomes = Outcomes()

    def client(number: int) -> None:
        session_id = f"hostile-{number}"
        for index, request in enumerate(requests[number::_CLIENTS]):
            if index % _TEXTS_PER_FILM == _TEXTS_PER_FILM - 1:
                server.request("POST", "/reset", {"session_id": session_id})
            _send_one(server, request, session_id, outcomes)
            with outcomes.lock:
                outcomes.speech_workers |= speech_workers(server)

    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(client, range(_CLIENTS)))
    return outcomes


def _send_one(
    server: ServerProcess, request: HostileRequest, session_id: str, outcomes: Outcomes
) -> None:
    body = {
        "text": request.text,
        "voice": request.voice,
        "speed": request.speed,
        "markup": request.markup,
        "session_id": session_id,
    }
    status = 503
    try:
        for _ in range(_BUSY_TRIES):
            status = status_of(server, body)
            if status != 503:
                break
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        with outcomes.lock:
            outcomes.lost.append((request, f"{type(error).__name__}: {error}"))
        return
    outcomes.record(request, status)


def status_of(server: ServerProcess, body: dict[str, Any]) -> int:
    """Return the status of the answer, that of an error event included.

    Raises OSError or HTTPException if there is no answer, and RuntimeError if it ends early.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    fragments = 0
    try:
        connection.request("POST", "/speak", json.dumps(body), headers)
        with connection.getresponse() as response:
            if response.status != 200:
                response.read()
                return response.status
            while line := response.readline().decode():
                if line.startswith("event: done"):
                    return 200
                if line.startswith("event: error"):
                    return int(json.loads(response.readline().decode()[6:])["status"])
                fragments += line.startswith("event: fragment")
                if fragments == _FRAGMENTS:
                    return 200
    finally:
        connection.close()
    raise RuntimeError("the response ended without a result")


def _write_failures(outcomes: Outcomes, path: Path) -> None:
    failures = [*((request, "500") for request in outcomes.bugs), *outcomes.lost]
    listed = [
        {"text": request.text, "voice": request.voice, "speed": request.speed, "failure": why}
        for request, why in failures
    ]
    path.write_text(json.dumps(listed, indent=2), encoding="utf-8")
