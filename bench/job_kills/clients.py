"""Clients that repeat their requests until they are answered."""

import http.client
import json
import random
import time
from collections.abc import Callable
from threading import Event
from typing import Any

RETRIED = (OSError, http.client.HTTPException)
PAUSE_S = 0.1
TIMEOUT_S = 20.0
MAX_WORK_S = 0.4


class Client:
    """Makes jobs one after the other. One thread; `jobs` may be read once it has ended."""

    def __init__(self, name: str, port: Callable[[], int], seed: str) -> None:
        """`port` returns the port of the current server."""
        self.jobs: dict[str, int] = {}
        """Number of each acknowledged job, by its id."""
        self.refused = 0
        """Answers other than 201: the queue was full."""
        self.repeated = 0
        """Requests that got no answer, and were sent again."""
        self.faults: list[str] = []
        self._name, self._port = name, port
        self._random = random.Random(seed)

    def run(self, first: int, is_over: Event) -> None:
        """Make jobs, numbered from `first`."""
        number = first
        while not is_over.is_set():
            body = {"number": number, "work_s": self._random.uniform(0.0, MAX_WORK_S)}
            self._make(number, body, is_over)
            if self._random.random() < 0.3:  # a client that missed its answer
                self._make(number, body, is_over)
            number += 1
            is_over.wait(self._random.uniform(0.0, 2 * MAX_WORK_S))

    def _make(self, number: int, body: dict[str, Any], is_over: Event) -> None:
        """Send a request until it is answered."""
        while not is_over.is_set():
            try:
                status, answer = request(
                    self._port(), "POST", "/bench/jobs", body, key=f"{self._name}-{number}"
                )
            except RETRIED:
                self.repeated += 1
                time.sleep(PAUSE_S)
                continue
            if status == 201:
                self._note(number, answer["id"])
                return
            self.refused += 1
            time.sleep(PAUSE_S)

    def _note(self, number: int, job_id: str) -> None:
        known = {each: job for job, each in self.jobs.items()}.get(number)
        if known not in (None, job_id):
            self.faults.append(f"number {number} has two jobs: {known} and {job_id}")
        self.jobs[job_id] = number


def request(
    port: int,
    method: str,
    path: str,
    body: object = None,
    *,
    key: str = "",
    timeout_s: float = TIMEOUT_S,
) -> tuple[int, Any]:
    """Return status and JSON of a response on a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        with connection.getresponse() as response:
            content = response.read()
            is_json = response.headers.get_content_type() != "video/mp4"
        return response.status, json.loads(content) if is_json else content
    finally:
        connection.close()
