"""The health check of the image."""

import http.server
import json
import os
import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from warm.container.addresses import probed_address
from warm.container.probe import PROBED, probe, server_address


class States(http.server.BaseHTTPRequestHandler):
    """Answers like a server in a state."""

    state, status, alive = "ok", 200, 200

    def do_GET(self) -> None:
        is_health = self.path == "/health"
        body = json.dumps({"status": self.state if is_health else "alive"}).encode()
        self.send_response(self.status if is_health else self.alive)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:  # a unix socket has no host
        return ""


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def found(state: str, status: int, alive: int = 200) -> tuple[bool, str]:
    """The result of the check of a server in this state."""
    handler = type("Handler", (States,), {"state": state, "status": status, "alive": alive})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with served(server):
        return probe(f"127.0.0.1:{server.server_address[1]}")


def test_a_server_that_is_ready_is_healthy() -> None:
    assert found("ok", 200) == (True, "ok")


def test_a_server_that_is_starting_is_not_healthy_yet() -> None:
    assert found("warming", 503) == (False, "warming")


@pytest.mark.parametrize("state", ["reloading", "stale", "stopping"])
def test_a_server_that_recovers_on_its_own_is_not_reported_for_a_restart(state: str) -> None:
    assert found(state, 503) == (True, state)


def test_a_server_whose_liveness_fails_is_unhealthy() -> None:
    assert found("dead", 503, alive=500) == (False, "dead")


def test_a_server_that_does_not_answer_is_unhealthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    is_healthy, reason = probe(f"127.0.0.1:{port}")
    assert not is_healthy and "refused" in reason


def test_a_unix_socket_is_asked_as_well(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with served(UnixServer(str(path), States)):
        assert probe(str(path)) == (True, "ok")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "127.0.0.1:8000"),
        ("::", "[::1]:8000"),
        ("", "127.0.0.1:8000"),
        ("10.0.0.7", "10.0.0.7:8000"),
        ("fd00::7", "[fd00::7]:8000"),
        ("localhost", "localhost:8000"),
        ("127.0.0.1, ::1", "127.0.0.1:8000"),
        ("unix:/run/warm talk.sock", "/run/warm talk.sock"),
    ],
)
def test_the_address_that_is_asked_follows_the_host(host: str, address: str) -> None:
    assert probed_address(host, 8000) == address


def test_the_address_comes_from_the_environment_of_the_server(tmp_path: Path) -> None:
    for pid, content in ((1, b"PATH=/bin\0"), (7, f"A=b\0{PROBED}=127.0.0.1:9\0".encode())):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "environ").write_bytes(content)
    (tmp_path / "8").mkdir()  # a process that has ended
    (tmp_path / "meminfo").touch()
    assert server_address(tmp_path) == "127.0.0.1:9"
    assert server_address(Path(f"/proc/{os.getpid()}/fdinfo")) is None
