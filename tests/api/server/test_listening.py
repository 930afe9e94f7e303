"""Listening sockets: both families, lists of hosts, unix sockets; and the printed addresses."""

import http.client
import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from api.server.folder_lock import CannotStart
from api.server.listening import listen, shown_addresses
from tests.api.server_process import PATIENCE_S, TINY, free_port

ATTEMPTS = 5


def has_ipv6() -> bool:
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


def port_free_everywhere() -> int:
    """A port on which nothing listens at any address, over either version of IP."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        return int(listener.getsockname()[1])


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def reachable(port: int) -> set[str]:
    """The loopback addresses at which something listens."""
    found = set()
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        with suppress(OSError), socket.create_connection((host, port), 5):
            found.add(host)
    return found


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", {"127.0.0.1"}),
        ("::1", {"::1"}),
        ("0.0.0.0", {"127.0.0.1", "127.0.0.2"}),
        ("::", {"127.0.0.1", "127.0.0.2", "::1"}),
        ("localhost", {"127.0.0.1", "::1"}),
        ("LOCALHOST", {"127.0.0.1", "::1"}),
        ("127.0.0.2, ::1", {"127.0.0.2", "::1"}),
    ],
)
def test_a_host_is_served_over_all_its_addresses(host: str, expected: set[str]) -> None:
    for _ in range(ATTEMPTS):
        port = port_free_everywhere()
        try:
            listeners = listen(host, port)
        except CannotStart:
            continue  # another program has taken it in the meantime
        with listeners:
            assert reachable(port) == expected
        assert all(each.fileno() < 0 for each in listeners.sockets)
        return
    raise AssertionError(f"{ATTEMPTS} free ports were taken before the test could use them")


@needs_ipv6
def test_a_port_in_use_at_one_address_is_an_error_and_leaves_no_socket_open() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port = {port}: cannot listen on localhost"):
            listen("localhost", port)
        assert "127.0.0.1" not in reachable(port)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "no such host.invalid", "a..b", "127.0.0.1, 192.0.2.1"]
)
def test_an_address_of_another_machine_is_named(host: str) -> None:
    with pytest.raises(CannotStart, match=r"host = '.*': is not an address of this machine"):
        listen(host, free_port())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
        ("::", "http://[::1]:8000 (and at every other address of this machine)"),
        ("0.0.0.0", "http://127.0.0.1:8000 (and at every other address of this machine)"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
    ],
)
def test_the_printed_address_can_be_opened(host: str, expected: str) -> None:
    assert shown_addresses(host, 8000) == [expected]
    assert shown_addresses(f"{host}, 127.0.0.3", 8000) == [expected, "http://127.0.0.3:8000"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.sock"


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def test_a_unix_socket_has_the_permissions_of_the_setting(path: Path) -> None:
    for mode in ("600", "660", "666"):
        with listen(f"unix:{path}", 0, socket_mode=mode):
            assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)
            assert connects(path)
        path.unlink()


def test_a_socket_that_a_dead_server_left_is_replaced(path: Path) -> None:
    with listen(f"unix:{path}", 0):
        pass
    assert path.exists()
    assert not connects(path)
    with listen(f"unix:{path}", 0):
        assert connects(path)


def test_a_socket_in_use_and_a_file_are_left_alone(path: Path, tmp_path: Path) -> None:
    with listen(f"unix:{path}", 0):
        with pytest.raises(CannotStart, match="another program listens there"):
            listen(f"unix:{path}", 0)
        assert connects(path)
    file = tmp_path / "file"
    file.write_text("kept")
    link = tmp_path / "link"
    link.symlink_to(path)
    for other in (file, link, tmp_path):
        with pytest.raises(CannotStart, match="is not a socket"):
            listen(f"unix:{other}", 0)
    assert (file.read_text(), link.is_symlink()) == ("kept", True)


@pytest.mark.parametrize("name", ["missing/a.sock", "a" * 120])
def test_a_path_that_cannot_be_a_socket_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotStart, match="cannot listen there"):
        listen(f"unix:{tmp_path / name}", 0)


class UnixConnection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))


@pytest.fixture
def served(path: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A real server at a unix socket, and its log."""
    log, results = tmp_path / "log", tmp_path / "results"
    words = [str(TINY), str(results), str(free_port()), "none", f"host=unix:{path}"]
    words += ["trusted_proxies=unix", "allowed_hosts=talk.example"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-u", *words], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert f"Warmtalk is ready at unix:{path}\n" == process.stdout.readline()
            yield process, log
        finally:
            process.kill()


@pytest.mark.slow
def test_a_server_at_a_unix_socket_answers_a_proxy_and_removes_the_socket_when_it_stops(
    served: tuple[subprocess.Popen[str], Path], path: Path
) -> None:
    process, log = served
    with closing(UnixConnection(path)) as connection:
        proxied = {"Host": "talk.example", "X-Forwarded-For": "198.51.100.1"}
        proxied |= {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/talk"}
        connection.request("GET", "/session", headers=proxied)
        body = json.loads(connection.getresponse().read())
        connection.request("POST", "/reset", headers={**proxied, "Origin": "http://talk.example"})
        refused = connection.getresponse()
        refused.read()
        connection.request("GET", "/livez", headers={"Host": "localhost"})
        alive = connection.getresponse()
        assert json.loads(alive.read()) == {"status": "alive"}
    assert body["stream_url"] == "/talk/session/stream"
    assert (refused.status, alive.status) == (403, 200)  # a page over HTTP, behind HTTPS
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    clients = {each["path"]: each["client"] for each in entries if each["message"] == "request"}
    assert clients == {"/session": "198.51.100.1", "/reset": "198.51.100.1", "/livez": "local"}
    assert not path.exists()
