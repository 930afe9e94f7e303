"""Signals to the master and the worker, and the sudden end of the master."""

import os
import signal
import socket
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.api.server_process import Server, serving
from tests.polling import wait_until

pytestmark = pytest.mark.slow


def log_of(server: Server) -> str:
    return server.log.read_text(encoding="utf-8")


def is_refused(server: Server) -> bool:
    """True if nobody listens on the port any more."""
    with suppress(ConnectionResetError), closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", server.port)) != 0
    return False


def test_no_signal_starts_a_second_worker_or_ends_the_first(tmp_path: Path) -> None:
    with serving(tmp_path / "results") as server:
        (worker,) = server.workers()
        for name in ("TTIN", "TTOU", "USR2", "WINCH"):
            server.process.send_signal(getattr(signal, f"SIG{name}"))
            wait_until(lambda name=name: f"SIG{name}: has no effect" in log_of(server), name)
        server.process.send_signal(signal.SIGUSR1)  # opens log files again
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN):
            os.kill(worker, number)
        for number in range(5):
            status, spoken = server.call("POST", "/speak", {"text": "Hi."})
            assert (status, spoken["clip"]["index"]) == (200, number)
        assert server.workers() == [worker]


def test_a_hangup_replaces_the_worker_and_clients_wait_for_the_new_one(tmp_path: Path) -> None:
    with serving(tmp_path / "results") as server:
        (worker,) = server.workers()
        assert server.call("POST", "/speak", {"text": "Before."})[0] == 200
        with server.ask("GET", "/session/stream?from=0") as stream:
            server.process.send_signal(signal.SIGHUP)
            stream.read()  # ends with the worker
        wait_until(lambda: server.workers() not in ([worker], []), "there is a new worker")
        statuses: list[int] = []
        wait_until(lambda: 200 in has_spoken(server, statuses), "the new worker is warm")
        assert set(statuses) <= {200, 503}
        assert len(server.workers()) == 1
        status, spoken = server.call("POST", "/speak", {"text": "Again."})
        assert (status, spoken["clip"]["index"]) == (200, 2)


def has_spoken(server: Server, statuses: list[int]) -> list[int]:
    """Speak once; return the statuses of all attempts."""
    statuses.append(server.call("POST", "/speak", {"text": "After."})[0])
    return statuses


def test_the_worker_ends_soon_after_its_master_was_killed_although_somebody_watches(
    tmp_path: Path,
) -> None:
    with serving(tmp_path / "results") as server:
        (worker,) = server.workers()
        assert server.call("POST", "/speak", {"text": "Hello."})[0] == 200
        idle = socket.create_connection(("127.0.0.1", server.port))
        with server.ask("GET", "/session/stream?from=0") as stream, closing(idle):
            assert stream.read(4)
            server.process.kill()
            wait_until(lambda: is_refused(server), "the port is free")
            wait_until(lambda: not is_alive(worker), "the worker has ended")


def is_alive(pid: int) -> bool:
    """False if the process has ended, also if nobody has waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
