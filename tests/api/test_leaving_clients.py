"""Speech whose client leaves ends within about a second, unless somebody watches."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from session.fragmented.check import check_film
from tests.api.server_process import PATIENCE_S, Server, serving
from tests.polling import wait_until

pytestmark = pytest.mark.slow

LONG = " ".join(["The open ocean always amazes all of us."] * 240)
"""Ten minutes, which take far longer to render than any step of these tests."""
WORD = "a" * 5000
JSON, SSE = "application/json", "text/event-stream"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "results") as running:
        yield running


@contextmanager
def speaking(
    server: Server, session_id: str, text: str, accept: str, **options: float
) -> Iterator[socket.socket]:
    """Send a request to speak; yield its connection, which is closed at the end."""
    body = json.dumps({"text": text, "session_id": session_id, **options}).encode()
    head = (
        f"POST /speak HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAccept: {accept}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    address = ("127.0.0.1", server.port)
    with closing(socket.create_connection(address, timeout=PATIENCE_S)) as connection:
        connection.sendall(head.encode() + body)
        yield connection


def state_of(server: Server, session_id: str) -> Any:
    return server.call("GET", f"/session?session_id={session_id}")[1]


def wait_for_frames(server: Server, session_id: str, frames: int = 1) -> None:
    wait_until(lambda: state_of(server, session_id)["frames"] >= frames, "frames", PATIENCE_S)


def wait_for_silence(server: Server, session_id: str) -> Any:
    wait_until(lambda: state_of(server, session_id)["state"] != "speaking", "an end", PATIENCE_S)
    return state_of(server, session_id)


@pytest.mark.parametrize("accept", [JSON, SSE], ids=["json", "sse"])
def test_a_clip_whose_client_leaves_is_cut_and_its_film_is_whole(
    server: Server, accept: str
) -> None:
    session_id = accept.partition("/")[2].partition("-")[0]
    with speaking(server, session_id, LONG, accept):
        wait_for_frames(server, session_id)
    left_at_s = time.monotonic()
    state = wait_for_silence(server, session_id)
    spent_s = time.monotonic() - left_at_s
    assert not state["clips"][0]["whole"]
    assert state["frames"] < 25 * 60 * (1 + spent_s)
    assert check_film(Path(state["video_path"])).faults == []
    status, spoken = server.call("POST", "/speak", {"text": "Yes.", "session_id": session_id})
    assert (status, spoken["clip"]["index"]) == (200, 1)


def test_one_endless_word_does_not_block_the_requests_behind_it(server: Server) -> None:
    with speaking(server, "word", WORD, JSON):
        wait_until(lambda: state_of(server, "word")["state"] == "speaking", "speech", PATIENCE_S)
    status, spoken = server.call("POST", "/speak", {"text": "Yes.", "session_id": "word"})
    assert status == 200
    assert spoken["session"]["duration_s"] < 120


def test_a_request_that_waits_is_dropped_when_its_client_leaves(server: Server) -> None:
    with speaking(server, "queue", LONG, JSON):
        wait_for_frames(server, "queue")
        with speaking(server, "queue", "Never said.", JSON):
            wait_until(
                lambda: server.call("GET", "/health")[1]["jobs_queued"] == 1, "it", PATIENCE_S
            )
        wait_until(lambda: server.call("GET", "/health")[1]["jobs_queued"] == 0, "it", PATIENCE_S)
        assert state_of(server, "queue")["state"] == "speaking"
    assert len(wait_for_silence(server, "queue")["clips"]) == 1


def test_a_clip_goes_on_while_somebody_watches_and_ends_when_the_viewer_leaves(
    server: Server,
) -> None:
    with speaking(server, "watched", LONG, JSON, lead_s=1):
        wait_for_frames(server, "watched")
        viewer = server.ask("GET", "/sessions/watched/events?from=0")
    frames = state_of(server, "watched")["frames"]
    wait_for_frames(server, "watched", frames + 50)
    time.sleep(1.2)  # longer than a client without a viewer keeps its speech
    assert state_of(server, "watched")["state"] == "speaking"
    viewer.close()
    assert not wait_for_silence(server, "watched")["clips"][0]["whole"]


def test_a_client_that_polls_the_playlist_counts_as_a_viewer(server: Server) -> None:
    with speaking(server, "polled", LONG, JSON, lead_s=1):
        wait_for_frames(server, "polled")
        with server.ask("GET", "/sessions/polled/live.m3u8") as answer:
            assert answer.status == 200
    time.sleep(1.2)
    assert state_of(server, "polled")["state"] == "speaking"
    server.call("POST", "/interrupt", {"session_id": "polled"})


def test_a_client_that_closes_only_its_sending_side_is_answered(server: Server) -> None:
    with speaking(server, "half", LONG, JSON) as connection:
        wait_for_frames(server, "half")
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"interrupted": true' in answer or b'"interrupted":true' in answer


@pytest.mark.parametrize("policy", ["continue", "cancel"])
def test_the_setting_decides_about_speech_without_a_client(tmp_path: Path, policy: str) -> None:
    text = LONG[:799]
    with serving(tmp_path / "results", "none", f"on_disconnect={policy}") as server:
        viewer = server.ask("GET", "/sessions/a/events") if policy == "cancel" else None
        with speaking(server, "a", text, JSON):
            wait_for_frames(server, "a")
        state = wait_for_silence(server, "a")
        assert state["clips"][0]["whole"] is (policy == "continue")
        if viewer is not None:
            viewer.close()
