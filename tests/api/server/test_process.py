"""The server process: its log, its stop, and the errors that prevent its start."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

import app
from api.server.folder_lock import lock_folder
from session.fragmented.writer import FilmWriter
from tests.api.server_process import Server, serving

pytestmark = pytest.mark.slow

LONG = " ".join(["Here is one more sentence, and it goes on for a while."] * 100)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "results") as server:
        yield server


def log_of(server: Server) -> list[dict[str, object]]:
    """Stop the server and return its log."""
    server.process.terminate()
    _, errors = server.wait_for_exit()
    return [json.loads(line) for line in errors.splitlines()]


def test_a_request_is_one_line_of_json_in_the_log(server: Server) -> None:
    with server.ask("GET", "/health", **{"X-Request-Id": "find-me"}) as answer:
        assert answer.status == 200
        answer.read()
    (entry,) = [entry for entry in log_of(server) if entry.get("request_id") == "find-me"]
    assert entry["message"] == "request"
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/health", 200)
    assert entry["level"] == "info"
    assert isinstance(entry["took_s"], float)


def test_the_log_names_the_client_of_a_request_that_cannot_be_read(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /\x9b\xe2\x80\xae HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    (entry,) = [entry for entry in log_of(server) if "could not be read" in str(entry["message"])]
    assert entry["client"] == "127.0.0.1"
    assert all(line.isprintable() for line in server.log.read_text("utf-8").splitlines())


def test_a_stop_finishes_the_fragment_closes_the_film_and_ends_every_response(
    server: Server,
) -> None:
    accept = {"Accept": "text/event-stream"}
    with server.ask("POST", "/speak", {"text": LONG}, **accept) as speaking:
        while b"fragment" not in (line := speaking.readline()):
            assert line, "the answer ended without a fragment"
        with server.ask("GET", "/session/stream?from=0") as stream:
            server.process.send_signal(signal.SIGTERM)
            rest, received = speaking.read().decode(), stream.read()
    assert server.process.wait(60) == 0
    assert "event: error" in rest
    assert '"kind": "InterruptedError"' in rest
    film = server.results / "full_session.mp4"
    assert film.read_bytes()[: len(received)] == received
    size = film.stat().st_size
    with FilmWriter.open(film) as again:
        kept = again.committed
    assert kept.bytes == size == film.stat().st_size
    assert len(kept.clips) == 1
    with av.open(str(film)) as video:
        assert sum(1 for _ in video.decode(video=0)) == kept.frames


def test_a_request_may_wait_for_a_film_that_does_not_exist_yet(server: Server) -> None:
    viewer = server.connect()
    viewer.request("GET", "/session/stream?from=0")
    with server.ask("POST", "/speak", {"text": "Hello."}) as answer:
        size = json.loads(answer.read())["session"]["bytes"]
    film = (server.results / "full_session.mp4").read_bytes()
    with viewer.getresponse() as stream:
        assert stream.read(size) == film
    viewer.close()


def test_the_connection_of_a_client_that_does_not_close_it_is_closed(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        with server.ask("GET", "/health") as answer:
            assert answer.status == 200
        while connection.recv(4096):
            pass


def start_error(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert app.main(list(argv)) == 2
    return capsys.readouterr().err


def test_a_wrong_setting_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean '--port'" in start_error(capsys, "--prot", "1")


def test_a_folder_that_cannot_be_written_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    message = start_error(capsys, "--results-dir", str(tmp_path / "file" / "results"))
    assert "results_dir" in message
    assert "--results-dir" in message


def test_a_folder_in_use_by_another_server_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lock_folder(tmp_path):
        message = start_error(capsys, "--results-dir", str(tmp_path))
    assert "another server uses it" in message
    assert "'demo'" in start_error(capsys, "--results-dir", str(tmp_path))


def test_a_missing_avatar_stops_the_start_and_the_message_says_how_to_prepare_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = start_error(capsys, "--results-dir", str(tmp_path), "--avatar-id", "nobody")
    assert "'nobody'" in message
    assert "python -m warm prepare" in message


def test_preparation_needs_a_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = start_error(capsys, "--results-dir", str(tmp_path), "--preparation", "true")
    assert "video_path" in message


def test_a_source_that_cannot_be_prepared_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "face.jpg").write_bytes(b"no picture")
    message = start_error(
        capsys,
        *("--results-dir", str(tmp_path), "--preparation", "true"),
        *("--video-path", str(tmp_path / "face.jpg")),
    )
    assert "face.jpg" in message


def test_a_port_in_use_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "prepare_avatar", lambda *_: None)
    monkeypatch.setattr(app, "check_avatar", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = start_error(capsys, "--results-dir", str(tmp_path), "--port", str(port))
    assert f"port = {port}" in message
    assert "--port" in message


def test_an_invalid_host_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "prepare_avatar", lambda *_: None)
    monkeypatch.setattr(app, "check_avatar", lambda *_: None)
    message = start_error(capsys, "--results-dir", str(tmp_path), "--host", "no such host")
    assert "host = 'no such host'" in message
