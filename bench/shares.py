"""Requests of ten sessions while a session, or an address with many sessions, fills the queue."""

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from bench.avatars import prepare_demo
from bench.figure import Figure
from bench.server_process import ServerProcess, run_server

_SENTENCE = "Good morning."
_LONG = " ".join(["Good morning, and thank you for calling."] * 12)
_OTHERS = 10
_REQUESTS = 2
"""Requests of each of the other sessions, one after another."""
_GREEDY_SESSIONS = 40
_GREEDY_REQUESTS = 80
"""Requests that the greedy client keeps waiting for an answer: more than the queue takes."""
_GREEDY, _OTHER = "127.0.0.2", "127.0.0.3"
"""Source addresses."""
_PAUSE_S = 2.0
"""Pause of a greedy client after a refusal."""
_FILL_S = 3.0
_TIMEOUT_S = 600


def measure(_out: Path) -> list[Figure]:
    """Count refusals of ten sessions next to a greedy session, and next to a greedy address."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        cases = {
            "a greedy session": (["greedy"], _GREEDY),
            "a greedy address with many sessions": (
                [f"greedy-{number}" for number in range(_GREEDY_SESSIONS)],
                _OTHER,
            ),
        }
        figures = []
        for case, (greedy, address) in cases.items():
            with run_server(results) as server:
                figures += _measure_beside(server, case, greedy, address)
        return figures


def _measure_beside(
    server: ServerProcess, case: str, greedy: Sequence[str], address: str
) -> list[Figure]:
    with _greedy_client(server, greedy) as client:
        time.sleep(_FILL_S)
        with ThreadPoolExecutor(_OTHERS) as others:
            answers = sum(
                others.map(
                    lambda number: _speak_repeatedly(server, f"other-{number}", address),
                    range(_OTHERS),
                ),
                Counter[int](),
            )
    total = sum(answers.values())
    name = f"ten sessions next to {case}: requests not answered with 200"
    refused = f"the same: refusals of {case}"
    return [
        Figure.at_most(name, total - answers[200], "", 0, total),
        Figure.at_least(refused, client.refused, "", 1, _GREEDY_REQUESTS),
    ]


def _speak_repeatedly(server: ServerProcess, session_id: str, address: str) -> Counter[int]:
    return Counter(_speak(server, session_id, _SENTENCE, address) for _ in range(_REQUESTS))


@dataclass
class _GreedyClient:
    refused: int = 0
    stop: Event = field(default_factory=Event)


@contextmanager
def _greedy_client(server: ServerProcess, sessions: Sequence[str]) -> Iterator[_GreedyClient]:
    """Keep more requests waiting than the queue takes, during the block."""
    client = _GreedyClient()

    def insist(number: int) -> None:
        while not client.stop.is_set():
            try:
                status = _speak(server, sessions[number % len(sessions)], _LONG, _GREEDY)
            except (OSError, http.client.HTTPException):  # the server ends
                return
            client.refused += status == 503
            client.stop.wait(_PAUSE_S)

    threads = [Thread(target=insist, args=(number,)) for number in range(_GREEDY_REQUESTS)]
    for thread in threads:
        thread.start()
    try:
        yield client
    finally:
        client.stop.set()
        server.process.terminate()  # ends the long clips
        for thread in threads:
            thread.join(_TIMEOUT_S)


def _speak(server: ServerProcess, session_id: str, text: str, address: str) -> int:
    """Speak from a source address; return the status."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=_TIMEOUT_S, source_address=(address, 0)
    )
    try:
        body = json.dumps({"text": text, "session_id": session_id})
        connection.request("POST", "/speak", body, {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            response.read()
            return response.status
    finally:
        connection.close()
