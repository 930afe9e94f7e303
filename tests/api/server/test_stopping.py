"""The server is asked to stop, at every stage of its life: it ends in order, with status 0."""

import os
import signal
from pathlib import Path

import av
import matplotlib as mpl
import pytest

from session.fragmented.check import check_film
from tests.api.server_process import PATIENCE_S, Server, launched, serving

PORTRAIT = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
LONG = " ".join(["Here is one more sentence, and it goes on for a while."] * 100)
SIGNS = ("Traceback", "terminate called", "was sent SIG", "exited with code", "was abandoned")
"""What the log shows where something ended otherwise than in order."""


def ask_to_stop(server: Server, how: str) -> None:
    """As a service manager does, as `kill -INT` does, or as a terminal does."""
    if how == "terminal":
        os.killpg(server.process.pid, signal.SIGINT)
    else:
        server.process.send_signal(getattr(signal, how))


def assert_ended_in_order(server: Server) -> None:
    status, log = server.ends()  # and whoever else could write to its log
    assert not [sign for sign in SIGNS if sign in log], log
    assert status == 0, log


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "terminal"])
def test_a_stop_while_the_engine_is_loaded_by_a_native_library(tmp_path: Path, how: str) -> None:
    """Would miss an interpreter that is taken down around the library, which aborts."""
    with launched(tmp_path / "results", (), "native") as server:
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == "loading\n"
        ask_to_stop(server, how)
        assert_ended_in_order(server)


def test_a_stop_while_the_worker_is_made(tmp_path: Path) -> None:
    with launched(tmp_path / "results", (), "booting") as server:
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == "booting\n"
        ask_to_stop(server, "terminal")
        assert_ended_in_order(server)


@pytest.mark.parametrize("how", ["SIGTERM", "terminal"])
def test_a_stop_at_rest(tmp_path: Path, how: str) -> None:
    with serving(tmp_path / "results") as server:
        ask_to_stop(server, how)
        assert_ended_in_order(server)


@pytest.mark.parametrize("how", ["SIGINT", "terminal"])
def test_a_stop_while_somebody_speaks_keeps_every_fragment_that_was_told(
    tmp_path: Path, how: str
) -> None:
    with serving(tmp_path / "results") as server:
        accept = {"Accept": "text/event-stream"}
        with server.ask("POST", "/speak", {"text": LONG}, **accept) as speaking:
            while b"fragment" not in (line := speaking.readline()):
                assert line, "the answer ended without a fragment"
            ask_to_stop(server, how)
            told = 1 + speaking.read().count(b"event: fragment")
        assert_ended_in_order(server)
    film = server.results / "full_session.mp4"
    assert check_film(film).faults == []
    with av.open(str(film)) as video:
        keys = sum(frame.key_frame for frame in video.decode(video=0))
    assert keys == told


def test_a_stop_while_an_avatar_is_prepared_ends_the_preparation(tmp_path: Path) -> None:
    results = tmp_path / "results"
    app = ["app.py", "--results-dir", str(results), "--preparation", "true"]
    app += ["--video-path", str(PORTRAIT), "--port"]
    with launched(results, app) as server:
        assert server.process.stdout is not None
        assert "Preparing" in server.process.stdout.readline()
        ask_to_stop(server, "SIGTERM")
        assert_ended_in_order(server)


def test_a_stop_while_the_program_is_read_in(tmp_path: Path) -> None:
    """From its first line on; before that, it is the system's default."""
    with launched(tmp_path / "results", ["app.py", "--port"]) as server:
        wait_until_imports(server)
        ask_to_stop(server, "terminal")
        assert_ended_in_order(server)


def wait_until_imports(server: Server) -> None:
    """Until it has loaded a library that comes behind its first line."""
    maps = Path(f"/proc/{server.process.pid}/maps")
    while "_cffi" not in (found := maps.read_text(encoding="utf-8")) and "numpy" not in found:
        assert server.process.poll() is None, PATIENCE_S
