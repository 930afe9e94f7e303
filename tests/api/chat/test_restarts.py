"""Conversations of a real server whose process ends in the middle of an answer."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from session.fragmented.check import check_film
from tests.api.server_process import Server, launched
from tests.chat.scripted_server import Script, ScriptedServer
from tests.polling import wait_until
from warm.conversation.turn_table import TurnTable
from warm.jobs.database import Database

pytestmark = pytest.mark.slow

FIRST = "The first answer is **heard**."
SECOND = "This part was said. "
NEVER = "This one was never written."


@contextmanager
def chatting(folder: Path, model: ScriptedServer) -> Iterator[Server]:
    with launched(folder / "results", (), "none", f"chat_url={model.url}") as server:
        assert server.process.stdout is not None
        wait_until(lambda: is_ready(server), "the server to be ready")
        yield server


def is_ready(server: Server) -> bool:
    try:
        return bool(server.call("GET", "/health")[1]["status"] == "ok")
    except OSError:
        return False


def ask(server: Server, text: str) -> str:
    status, turn = server.call("POST", "/chat", {"user_text": text})
    assert status == 202, turn
    return str(turn["job_id"])


def turn_of(server: Server, turn: str, *states: str) -> dict[str, Any]:
    wait_until(
        lambda: server.call("GET", f"/status/{turn}")[1]["status"] in states, f"{turn}: {states}"
    )
    return dict(server.call("GET", f"/status/{turn}")[1])


def test_the_history_after_an_end_in_mid_answer_is_what_the_film_has(
    tmp_path: Path, model: ScriptedServer
) -> None:
    gate, film = Event(), tmp_path / "results/full_session.mp4"
    model.script = Script(text=FIRST)
    with chatting(tmp_path, model) as server:
        turn_of(server, ask(server, "One."), "done")
        second = begin_answer(server, model, gate)
        waiting = ask(server, "Three.")
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(60)
    assert check_film(film).faults == []
    with chatting(tmp_path, model) as server:
        left = turn_of(server, second, "error")
        assert (left["heard_text"], left["interrupted"]) == (SECOND.strip(), True)
        assert turn_of(server, waiting, "error")["heard_text"] == ""
        with server.ask("GET", f"/video/{second}") as video:
            assert (video.status, video.read()[4:8]) == (200, b"ftyp")
        fourth = begin_answer(server, model, gate)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(60)
    gate.set()
    said = [each["content"] for each in model.received[-1].body["messages"][1:]]
    assert said[:4] == ["One.", FIRST, "Two.", SECOND.strip()]
    assert said[-1].endswith("Two.")
    turns = TurnTable(Database(tmp_path / "results")).history("default")
    assert [turn.state for turn in turns] == ["done", "error", "error", "cancelled"]
    assert (turns[-1].id, turns[-1].heard_text) == (fourth, SECOND.strip())
    assert turns[-1].interrupted
    assert check_film(film).faults == []


def begin_answer(server: Server, model: ScriptedServer, gate: Event) -> str:
    """Have an answer begun whose first sentence is in the film; return the id of its turn."""
    model.script = Script(tokens=[SECOND, *NEVER], gate=gate, gate_after=3)
    turn = ask(server, "Two.")
    turn_of(server, turn, "render")
    wait_until(lambda: is_said(server, turn), "the first sentence to be in the film")
    return turn


def is_said(server: Server, turn: str) -> bool:
    """True if the first sentence of a turn is in the film."""
    sentences = server.call("GET", f"/status/{turn}")[1]["sentences"]
    film_s = server.call("GET", "/session")[1]["duration_s"]
    return bool(sentences) and film_s >= sentences[0]["end_s"]
