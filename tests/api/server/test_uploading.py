"""Files that a real server receives while they arrive, from clients that leave, lie or are slow."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.api.server_process import Server, serving
from tests.api.test_uploads import png
from tests.polling import wait_until

pytestmark = pytest.mark.slow

LIMIT_MB = 3
PATIENCE_S = 60
PICTURE = png(900, 700)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    results = tmp_path_factory.mktemp("uploading") / "results"
    with serving(results, "none", f"max_upload_mb={LIMIT_MB}") as running:
        yield running


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)


def head(length: int, content_type: str = "image/png", more: str = "") -> bytes:
    return (
        f"POST /uploads HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n{more}\r\n"
    ).encode()


def answer(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Status and JSON of the final response."""
    data = b"".join(iter(lambda: connection.recv(65_536), b""))
    top, _, body = data.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body)


def files(server: Server) -> list[Path]:
    return [path for path in (server.results / "uploads").rglob("*") if path.is_file()]


def incoming(server: Server) -> list[Path]:
    return [path for path in files(server) if path.parent.name == "incoming"]


def test_a_file_is_written_while_it_arrives_and_removed_when_its_client_leaves(
    server: Server,
) -> None:
    before = len(files(server))
    with closing(connect(server)) as connection:
        connection.sendall(head(2_000_000) + png() + bytes(200_000))
        wait_until(lambda: any(path.stat().st_size for path in incoming(server)), "bytes on disk")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: len(files(server)) == before, "a folder without the half file")


def test_a_file_that_is_cut_off_is_refused(server: Server) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(head(len(PICTURE) + 1) + PICTURE)
        connection.shutdown(socket.SHUT_WR)
        status, problem = answer(connection)
    assert (status, problem["kind"]) == (400, "BadRequestError")
    assert incoming(server) == []


def test_a_file_that_announces_too_much_is_refused_before_it_is_asked_for(server: Server) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(head(LIMIT_MB * 1_000_000 + 1, more="Expect: 100-continue\r\n"))
        status, problem = answer(connection)
    assert status == 413
    assert "max_upload_mb" in str(problem["detail"])


def test_a_client_that_waits_is_asked_for_its_file(server: Server) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(head(len(PICTURE), more="Expect: 100-continue\r\n"))
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(PICTURE)
        status, stored = answer(connection)
    assert (status, stored["bytes"]) == (201, len(PICTURE))


def test_another_format_is_refused_before_all_of_it_has_arrived(server: Server) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(head(2_000_000) + b"<html>" * 2000)
        status, problem = answer(connection)
    assert status == 415
    assert "a text file" in str(problem["detail"])


def test_a_chunked_file_may_end_anywhere(server: Server) -> None:
    top = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    pieces = [PICTURE[start : start + 700] for start in range(0, len(PICTURE), 700)]
    with closing(connect(server)) as connection:
        connection.sendall(top)
        for piece in pieces:
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        status, stored = answer(connection)
    assert (status, stored["bytes"]) == (201, len(PICTURE))


def test_bodies_that_arrive_slowly_do_not_keep_interruptions_waiting(server: Server) -> None:
    held = [connect(server) for _ in range(8)]
    for connection in held:
        connection.sendall(head(1000).replace(b"/uploads", b"/interrupt") + b"a")
    status, _ = server.call("POST", "/interrupt", {})
    assert status == 200
    for connection in held:
        assert answer(connection)[0] == 415
        connection.close()
