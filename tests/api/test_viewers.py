"""Viewers of a real server: disconnects are noticed, and a restart loses nothing."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SERVER = Path(__file__).with_name("tiny_server.py")
PLACES = 32
"""The default of `max_watchers`."""
PATIENCE_S = 60


@contextmanager
def serving(results: Path) -> Iterator[int]:
    """Start a server and return its port; kill it at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    with subprocess.Popen(
        [sys.executable, "-u", str(SERVER), str(results), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        assert b"ready" in process.stdout.readline()
        try:
            yield port
        finally:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            for pid in (process.pid, *map(int, children.split())):
                os.kill(pid, 9)


@contextmanager
def asked(port: int, path: str, body: object = None, **headers: str) -> Iterator[Any]:
    """Return the response to a request; disconnect at the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    sent = None if body is None else json.dumps(body)
    head = {"Content-Type": "application/json", "Connection": "close", **headers}
    connection.request("GET" if sent is None else "POST", path, sent, head)
    with connection.getresponse() as answer:
        yield answer
    connection.close()


def say(port: int) -> None:
    with asked(port, "/speak", {"text": "Hello."}) as answer:
        assert answer.status == 200
        answer.read()


def events(answer: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and data of the events of a growing response."""
    name = ""
    for line in answer:
        field, _, value = line.decode().rstrip().partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_a_client_that_disconnects_frees_its_slot(tmp_path: Path) -> None:
    with serving(tmp_path) as port:
        connections = []
        for _ in range(PLACES):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            connection.request("GET", "/session/events")
            assert connection.getresponse().readline() == b"retry: 1000\n"
            connections.append(connection)
        with asked(port, "/session/events") as refused:
            assert refused.status == 503
        for connection in connections:
            connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()
        for _ in range(10_000):  # the server checks its clients once a second
            with asked(port, "/session/events") as answer:
                if answer.status == 200:
                    break
        assert answer.status == 200


def test_a_viewer_misses_nothing_when_a_killed_server_restarts(tmp_path: Path) -> None:
    with serving(tmp_path) as port:
        say(port)
        with asked(port, "/session/events?from=0") as answer:
            (_, hello), (_, first) = islice(events(answer), 2)
        with asked(port, "/session/live.m3u8") as answer:
            listed = answer.read()
    with serving(tmp_path) as port:
        say(port)
        last_id = f"{hello['film']}:{first['end']}"
        with asked(port, "/session/events", **{"Last-Event-ID": last_id}) as answer:
            (name, again), (_, second) = islice(events(answer), 2)
        assert (name, again["film"]) == ("film", hello["film"])
        assert second["offset"] == first["end"]
        with asked(port, "/session/live.m3u8") as answer:
            assert answer.read().startswith(listed)
        with asked(port, again["url"], Range=f"bytes={second['offset']}-") as answer:
            assert answer.status == 206
            assert answer.read(8)[4:] == b"moof"
