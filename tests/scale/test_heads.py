"""Three real heads behind a real nginx: sessions are found, move, and lose nothing."""

import http.client
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from websockets.sync.client import connect

from session.fragmented.check import check_film
from tests.api.live_sockets import noise
from tests.given_sounds import babble, wav_of
from tests.polling import wait_until
from tests.scale.heads import NAMES, NO_NGINX, Answer, Cluster, cluster, find_nginx, nginx_before

pytestmark = pytest.mark.slow
PAUSE_S = 0.2
"""Pause of a client, which leaves processor time for the head that starts."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if find_nginx() is None:
        pytest.skip(NO_NGINX)
    folder = tmp_path_factory.mktemp("heads")
    with cluster(folder / "results") as started, nginx_before(started, folder / "nginx"):
        yield started


def speak(found: Cluster, session_id: str, text: str, **headers: str) -> Answer:
    """Speak through the proxy."""
    return found.ask("POST", "/speak", {"text": text, "session_id": session_id}, **headers)


def clips_of(found: Cluster, session_id: str) -> list[dict[str, Any]]:
    """The clips of a session, which must be idle."""
    clips: list[dict[str, Any]] = found.ask("GET", f"/sessions/{session_id}").json["clips"]
    return clips


def require_film(found: Cluster, session_id: str, frames: int) -> None:
    """The film of a session decodes, and has this many pictures."""
    check = check_film(found.results / "sessions" / session_id / "full_session.mp4")
    assert (check.faults, check.frames) == ([], frames)


def test_every_head_answers_for_every_session(found: Cluster) -> None:
    first = speak(found, "berlin", "One.", X_Session_Id="berlin")
    assert first.status == 200, first.content
    holder = first.head
    for number, name in enumerate(NAMES, start=1):
        body = {"text": f"Number {number}.", "session_id": "berlin"}
        answer = found[name].ask("POST", "/speak", body)  # only the body names the session
        assert (answer.status, answer.head) == (200, holder)
        assert answer.json["clip"]["index"] == number
        film = found[name].ask("GET", "/sessions/berlin/full_session.mp4", Range="bytes=0-99")
        assert (film.status, film.head, len(film.content)) == (206, holder, 100)
    assert [clip["text"] for clip in clips_of(found, "berlin")][1:] == [
        f"Number {number}." for number in (1, 2, 3)
    ]
    listed = {each["session_id"] for each in found["a"].ask("GET", "/sessions").json["sessions"]}
    assert "berlin" in listed


def test_a_form_that_names_its_session_is_passed_on(found: Cluster) -> None:
    holder = speak(found, "forms", "First.").head
    other = next(name for name in NAMES if name != holder)
    form = (
        b'--x\r\nContent-Disposition: form-data; name="session_id"\r\n\r\nforms\r\n'
        b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
        + tone()
        + b"\r\n--x--\r\n"
    )
    answer = found[other].ask(
        "POST", "/speak", form, Content_Type="multipart/form-data; boundary=x"
    )
    assert (answer.status, answer.head) == (200, holder), answer.content
    assert len(clips_of(found, "forms")) == 2


def test_a_live_socket_reaches_the_head_of_its_session(found: Cluster) -> None:
    holder = speak(found, "socket", "First.").head
    other = next(name for name in NAMES if name != holder)
    address = f"ws://127.0.0.1:{found[other].port}/sessions/socket/live?rate=24000"
    with connect(address, open_timeout=60, proxy=None) as connection:
        assert json.loads(connection.recv(timeout=60))["type"] == "hello"
        connection.send(json.dumps({"type": "begin"}))
        connection.send(noise(0.6, 24_000))
        connection.send(json.dumps({"type": "end"}))
        wait_until(lambda: len(clips_of(found, "socket")) == 2, "the clip of the sound")
    assert found[other].ask("GET", "/sessions/socket").head == holder


def test_a_request_that_names_two_sessions_is_answered_for_that_of_its_body(found: Cluster) -> None:
    assert speak(found, "first", "First.").status == 200
    answer = speak(found, "second", "Second.", X_Session_Id="first")
    assert (answer.status, answer.json["session_id"]) == (200, "second"), answer.content
    assert [clip["text"] for clip in clips_of(found, "second")] == ["Second."]


def test_a_session_of_the_servers_choice_is_found(found: Cluster) -> None:
    created = found.ask("POST", "/sessions", {"speed": 1.5})
    assert created.status == 201, created.content
    session_id = created.json["session_id"]
    for name in NAMES:
        answer = found[name].ask("GET", f"/sessions/{session_id}")
        assert (answer.status, answer.json["speed"]) == (200, 1.5)


def test_an_upload_is_found_at_another_head(found: Cluster) -> None:
    made = found["a"].ask("POST", "/uploads", tone(), Content_Type="audio/wav")
    assert made.status == 201, made.content
    path = made.json["url"][made.json["url"].index("/uploads/") :]
    answer = found["b"].ask("GET", path)
    assert (answer.status, answer.head, answer.content) == (200, "a", tone())
    unknown = found["b"].ask("GET", f"/uploads/{'0' * 32}.wav")
    assert (unknown.status, unknown.head) == (404, "b")


def test_only_heads_may_use_the_routes_of_heads(found: Cluster) -> None:
    for method, path in (
        *(("GET", "/heads/own"), ("POST", "/heads/release?session_id=berlin")),
        *(("GET", "/heads/jobs?limit=9"), ("GET", "/heads/uploads?upload_id=0")),
        *(("DELETE", "/heads/uploads?upload_id=0"), ("GET", "/heads/avatars?avatar_id=tiny")),
    ):
        answer = found["a"].ask(method, path, Warmtalk_Relay="b wrong")
        assert (answer.status, answer.json["kind"]) == (403, "ForbiddenError")


def test_a_silent_session_moves_to_the_head_that_the_proxy_chose(found: Cluster) -> None:
    assert speak(found, "moving", "Before.", X_Session_Id="moving").status == 200
    holder = found.ask("GET", "/sessions/moving").head
    other = next(name for name in NAMES if name != holder)
    before = found.ask("GET", "/sessions/moving/full_session.mp4")
    with ThreadPoolExecutor(1) as pool:
        events = pool.submit(found[str(holder)].ask, "GET", "/sessions/moving/events?from=0")
        routed = {"Warmtalk_Routed": "moving"}
        wait_until(
            lambda: found[other].ask("GET", "/sessions/moving", **routed).head == other,
            f"head {other} to get the session",
        )
        received = events.result(timeout=60).content.decode()
    assert "event: fragment" in received
    assert "event: reset" not in received  # the film continues elsewhere
    body = {"text": "After.", "session_id": "moving"}
    answer = found[other].ask("POST", "/speak", body)
    assert (answer.status, answer.head, answer.json["clip"]["index"]) == (200, other, 1)
    after = found[other].ask("GET", "/sessions/moving/full_session.mp4")
    assert after.content.startswith(before.content)
    assert after.headers["ETag"] == before.headers["ETag"]
    require_film(found, "moving", sum(clip["frames"] for clip in clips_of(found, "moving")))


def test_no_acknowledged_clip_is_lost_when_a_head_is_killed(found: Cluster) -> None:
    sessions = [f"kill-{number}" for number in range(4)]
    acknowledged: dict[str, dict[int, Any]] = {each: {} for each in sessions}
    heads: list[str | None] = []
    is_over = Event()

    def run(session_id: str) -> None:
        while not is_over.wait(PAUSE_S):
            try:
                answer = speak(found, session_id, "Yes.", X_Session_Id=session_id)
            except (OSError, http.client.HTTPException):
                continue
            if answer.status == 200:
                clip = answer.json["clip"]
                assert clip["index"] not in acknowledged[session_id]
                acknowledged[session_id][clip["index"]] = clip
                heads.append(answer.head)

    with ThreadPoolExecutor(len(sessions)) as pool:
        clients = [pool.submit(run, each) for each in sessions]
        try:
            wait_until(lambda: all(acknowledged.values()), "a clip of each session")
            victim = found[max(NAMES, key=heads.count)]
            victim.kill()
            counts = {each: len(clips) for each, clips in acknowledged.items()}
            wait_until(
                lambda: all(len(acknowledged[each]) > count for each, count in counts.items()),
                "a clip of each session while a head is gone",
            )
            victim.start()
            victim.wait()
            spoken = heads.count(victim.name)
            wait_until(lambda: heads.count(victim.name) > spoken, "a clip of the head that is back")
        finally:
            is_over.set()
        for client in clients:
            client.result(timeout=60)
    for session_id, clips in acknowledged.items():
        there = {clip["index"]: clip for clip in clips_of(found, session_id)}
        assert {index: there.get(index) for index in clips} == clips
        require_film(found, session_id, sum(clip["frames"] for clip in there.values()))


def test_sessions_of_a_head_that_hangs_are_refused_and_not_written_by_others(
    found: Cluster,
) -> None:
    body = {"text": "Hold on.", "session_id": "hanging"}
    holder = found[str(found.ask("POST", "/speak", body).head)]
    other = found[next(name for name in NAMES if name != holder.name)]
    holder.signal(signal.SIGSTOP)
    try:
        refused = other.ask("POST", "/speak", body, Warmtalk_Routed="hanging")
    finally:
        holder.signal(signal.SIGCONT)
    assert (refused.status, refused.json["kind"]) == (503, "HeadError"), refused.content
    assert f"head {holder.name!r}" in refused.json["detail"]
    assert int(refused.headers["Retry-After"]) >= 1
    wait_until(lambda: other.ask("POST", "/speak", body).status == 200, "the head to continue")
    require_film(found, "hanging", sum(clip["frames"] for clip in clips_of(found, "hanging")))


def test_a_drained_head_has_left_its_sessions_and_passes_requests_on(found: Cluster) -> None:
    holder = found[str(speak(found, "drained", "Here.", X_Session_Id="drained").head)]
    drained = holder.ask("POST", "/heads/drain", {"timeout_s": 30})
    assert (drained.status, drained.json["is_drained"]) == (200, True), drained.content
    health = holder.ask("GET", "/health")
    assert (health.status, health.json["status"]) == (503, "draining")
    answer = holder.ask("POST", "/speak", {"text": "There.", "session_id": "drained"})
    assert (answer.status, answer.json["clip"]["index"]) == (200, 1), answer.content
    assert answer.head != holder.name
    holder.signal(signal.SIGTERM)
    assert holder.process is not None
    assert holder.process.wait(timeout=60) == 0
    assert speak(found, "drained", "Gone.", X_Session_Id="drained").json["clip"]["index"] == 2


def tone() -> bytes:
    """A short sound, as a WAV file."""
    return wav_of(babble(0.6))
