"""Stops of the server at every stage: it ends cleanly, with status 0."""

import os
import signal
from pathlib import Path

import av
import matplotlib as mpl
import pytest

from session.fragmented.check import check_film
from tests.api.server_process import PATIENCE_S, Server, launched, serving

pytestmark = pytest.mark.slow

PORTRAIT = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
LONG = " ".join(["Here is one more sentence, and it goes on for a while."] * 100)
SIGNS = ("Traceback", "terminate called", "was sent SIG", "exited with code", "was abandoned")
"""Texts in the log of a server that did not end cleanly."""


def ask_to_stop(server: Server, how: str) -> None:
    """Stop the server as a service manager, `kill -INT` or a terminal does."""
    if how == "terminal":
        os.killpg(server.process.pid, signal.SIGINT)
    else:
        server.process.send_signal(getattr(signal, how))


def assert_ended_cleanly(server: Server) -> None:
    status, log = server.wait_for_exit()  # waits for all processes that write to its log
    assert not [sign for sign in SIGNS if sign in log], log
    assert status == 0, log


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "terminal"])
def test_a_stop_while_the_engine_is_loaded_by_a_native_library(tmp_path: Path, how: str) -> None:
    """Catches an interpreter that is finalized while the library runs, which aborts."""
    with launched(tmp_path / "results", (), "native") as server:
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == "loading\n"
        ask_to_stop(server, how)
        assert_ended_cleanly(server)


def test_a_stop_while_the_worker_starts(tmp_path: Path) -> None:
    with launched(tmp_path / "results", (), "booting") as server:
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == "booting\n"
        ask_to_stop(server, "terminal")
        assert_ended_cleanly(server)


@pytest.mark.parametrize("how", ["SIGTERM", "terminal"])
def test_a_stop_of_an_idle_server(tmp_path: Path, how: str) -> None:
    with serving(tmp_path / "results") as server:
        ask_to_stop(server, how)
        assert_ended_cleanly(server)


@pytest.mark.parametrize("how", ["SIGINT", "terminal"])
def test_a_stop_during_a_clip_keeps_every_acknowledged_fragment(tmp_path: Path, how: str) -> None:
    with serving(tmp_path / "results") as server:
        accept = {"Accept": "text/event-stream"}
        with server.ask("POST", "/speak", {"text": LONG}, **accept) as speaking:
            while b"fragment" not in (line := speaking.readline()):
                assert line, "the answer ended without a fragment"
            ask_to_stop(server, how)
            events = 1 + speaking.read().count(b"event: fragment")
        assert_ended_cleanly(server)
    film = server.results / "full_session.mp4"
    assert check_film(film).faults == []
    with av.open(str(film)) as video:
        keys = sum(frame.key_frame for frame in video.decode(video=0))
    assert keys == events


def test_the_master_of_a_stopped_server_returns_its_status(tmp_path: Path) -> None:
    """The program ends at once then; SystemExit would finalize the interpreter first."""
    with serving(tmp_path / "results") as server:
        assert server.process.stdout is not None
        ask_to_stop(server, "SIGTERM")
        assert server.process.stdout.readline() == "returned 0\n"
        assert_ended_cleanly(server)


def test_a_stop_while_an_avatar_is_prepared_ends_the_preparation(tmp_path: Path) -> None:
    results = tmp_path / "results"
    app = ["app.py", "--results-dir", str(results), "--preparation", "true"]
    app += ["--video-path", str(PORTRAIT), "--port"]
    with launched(results, app) as server:
        assert server.process.stdout is not None
        assert "Preparing" in server.process.stdout.readline()
        ask_to_stop(server, "SIGTERM")
        assert_ended_cleanly(server)


def test_a_stop_during_the_imports(tmp_path: Path) -> None:
    """The handlers are set by the first line of app.py."""
    with launched(tmp_path / "results", ["app.py", "--port"]) as server:
        wait_until_imports(server)
        ask_to_stop(server, "terminal")
        assert_ended_cleanly(server)


def wait_until_imports(server: Server) -> None:
    """Wait until a library is loaded that is imported after the first line."""
    maps = Path(f"/proc/{server.process.pid}/maps")
    while "_cffi" not in (found := maps.read_text(encoding="utf-8")) and "numpy" not in found:
        assert server.process.poll() is None, PATIENCE_S
