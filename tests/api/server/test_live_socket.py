"""A live socket of a real server: what goes in comes back with pictures, and ends are exact."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any

import av
import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import unix_connect

from tests.api.live_sockets import LiveSocket, live_socket, noise
from tests.api.server_process import Server, free_port, launched, serving
from tests.polling import wait_until
from tests.tiny_face import HEIGHT, WIDTH

pytestmark = pytest.mark.slow

SPEAKER, WATCHER = "speaker-0123456789abcdef", "watcher-0123456789abcdef"
KEYS = f"agent:speak+watch:{SPEAKER},page:watch:{WATCHER}"
IDLE_FRAMES = 10
"""Length of the tiny avatar's loop."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    results = tmp_path_factory.mktemp("live") / "results"
    with serving(results, "none", f"api_keys={KEYS}") as server:
        yield server


Opened = Callable[..., LiveSocket]


@pytest.fixture
def opened(server: Server, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens sockets of a session that only this test uses."""
    name = request.node.originalname[-40:]
    with ExitStack() as held:

        def open_socket(query: str = "", key: str = SPEAKER, session: str = name) -> LiveSocket:
            base = f"ws://127.0.0.1:{server.port}"
            return held.enter_context(live_socket(base, session, query, X_Api_Key=key))

        yield open_socket


def ask(server: Server, method: str, path: str, body: object = None) -> Any:
    with server.ask(method, path, body, **{"X-Api-Key": SPEAKER}) as answer:
        assert answer.status == 200
        return json.loads(answer.read())


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_the_sound_comes_back_bit_for_bit(opened: Opened, rate: int) -> None:
    client = opened(f"sound=pcm&rate={rate}", session=f"rate-{rate}")
    assert client.events[0]["rate"] == rate
    pcm = noise(0.5, rate, silence_s=0.2)
    client.say(pcm, "a", piece=777)
    finished = client.wait_for("finished")
    assert (finished["position_s"], finished["interrupted"]) == (0.5, False)
    packets, number = client.heard(finished["number"]), 2 * rate // 50
    assert len(packets) >= 8
    assert packets[0].position >= 0.1 * rate  # the silence before is left out
    for each in packets:
        assert each.payload == pcm[2 * each.position :][:number].ljust(number, b"\0")


def test_utterances_follow_one_another_and_each_ends_once(opened: Opened) -> None:
    client = opened("sound=pcm&rate=16000")
    client.say(noise(0.2, 16_000), "first")
    client.say(noise(0.2, 16_000), "wrong", rate=44_100)
    client.say(bytes(16_000), "silent")
    client.say(b"", "empty")
    client.say(noise(0.2, 48_000), "last", rate=48_000)
    client.wait_for("finished", utterance="last")
    assert client.kinds("first") == ["queued", "started", "finished"]
    assert client.kinds("wrong") == ["error"]
    assert client.kinds("silent") == client.kinds("empty") == ["queued", "finished"]
    assert client.kinds("last") == ["queued", "started", "finished"]
    finished = [each for each in client.events if each["type"] == "finished"]
    assert [each["number"] for each in finished] == [1, 2, 3, 4]
    assert [each["position_s"] for each in finished] == [0.2, 0.5, 0, 0.2]
    loud = np.frombuffer(b"".join(each.payload for each in client.heard(4)), "<i2")
    assert np.abs(loud).max() > 1000


def test_a_clear_ends_sound_and_mouth_at_once_and_reports_what_was_heard(opened: Opened) -> None:
    client = opened("pictures=raw&sound=pcm&rate=16000")
    client.receive_sounds(2 * IDLE_FRAMES + 4)
    idle = {each.payload for each in client.pictures}
    client.say(noise(4, 16_000), "long")
    client.say(noise(1, 16_000), "never")
    client.wait_for("started")
    client.receive_sounds(20)
    talking = {each.payload for each in client.pictures if each.number}
    client.tell("clear")
    finished = client.wait_for("finished")
    never = client.wait_for("finished")
    client.wait_for("cleared")
    last = [each for each in client.sounds if each.number][-1]
    assert finished["interrupted"]
    assert finished["position_s"] == (last.position + len(last.payload) // 2) / 16_000
    assert (never["utterance"], never["position_s"], never["interrupted"]) == ("never", 0, True)
    after = client.receive_sounds(15)
    assert {each.number for each in after} == {0}
    silent = [index for index, each in enumerate(after) if not any(each.payload)]
    assert silent[0] * 0.02 <= 0.15
    closed = [each for each in client.pictures if each.clock > last.clock][4:]
    assert closed
    assert {each.payload for each in closed} <= idle
    assert len(talking - idle) >= 3
    client.say(noise(0.2, 16_000), "again")
    assert client.wait_for("finished")["interrupted"] is False


def test_many_clears_at_once_are_one_and_what_follows_is_heard(opened: Opened) -> None:
    client = opened("sound=pcm&rate=16000")
    client.say(noise(3, 16_000), "long")
    client.wait_for("started")
    for number in range(30):
        client.tell("clear")
        client.say(noise(0.1, 16_000), f"short-{number}")
    for _ in range(100):
        client.tell("clear")
    client.say(noise(0.2, 16_000), "last")
    finished = client.wait_for("finished", utterance="last")
    assert (finished["position_s"], finished["interrupted"]) == (0.2, False)
    assert client.heard(finished["number"])
    for number in range(30):
        assert client.kinds(f"short-{number}")[-1] == "finished"


def test_one_client_speaks_and_others_watch_or_stop_it(opened: Opened) -> None:
    client, other, watcher = opened(), opened(), opened(key=WATCHER)
    assert watcher.events[0]["may_speak"] is False
    watcher.say(noise(0.1, 24_000), "mine")
    assert watcher.wait_for("error", utterance="mine")["problem"]["kind"] == "PermissionError"
    client.say(noise(5, 24_000), "long")
    watcher.wait_for("started", own=False, utterance="long")
    other.say(noise(1, 24_000), "rude")
    refused = other.wait_for("error", utterance="rude")
    assert "another client speaks" in refused["problem"]["detail"]
    other.tell("clear")
    for each in (client, other, watcher):
        ended = each.wait_for("finished", utterance="long")
        assert ended["interrupted"]
        assert ended["own"] == (each is client)
    other.say(noise(0.2, 24_000), "polite")
    assert other.wait_for("finished")["position_s"] == 0.2


def test_texts_are_spoken_in_between(server: Server, opened: Opened) -> None:
    client = opened("sound=pcm&rate=16000")
    session = client.events[0]["session"]
    spoken = ask(server, "POST", "/speak", {"text": "Hello.", "session_id": session})
    client.say(noise(0.2, 16_000), "mine", text="Noise.")
    client.wait_for("finished", own=True)
    named = [each for each in client.events if each["type"] in {"started", "finished", "caption"}]
    assert [(each["type"], each["own"]) for each in named] == [
        ("started", False), ("caption", False), ("finished", False),
        ("started", True), ("caption", True), ("finished", True),
    ]  # fmt: skip
    assert [each["text"] for each in named if each["type"] == "caption"] == ["Hello.", "Noise."]
    assert named[2]["position_s"] == spoken["clip"]["duration_s"]
    assert len({each["number"] for each in named}) == 2


def test_interruptions_and_resets_by_others_are_reported(server: Server, opened: Opened) -> None:
    client = opened("sound=pcm&rate=16000")
    session = client.events[0]["session"]
    for path in ("/interrupt", "/reset"):
        client.say(noise(5, 16_000), path)
        client.wait_for("started", utterance=path)
        client.receive_sounds(10)
        ask(server, "POST", path, {"session_id": session})
        finished = client.wait_for("finished")
        assert (finished["utterance"], finished["interrupted"]) == (path, True)
        last = client.heard(finished["number"])[-1]
        assert finished["position_s"] == (last.position + len(last.payload) // 2) / 16_000
    client.say(noise(0.2, 16_000), "after")
    assert client.wait_for("finished")["position_s"] == 0.2


def test_a_client_that_vanishes_leaves_nothing_behind(server: Server, opened: Opened) -> None:
    client = opened()
    session = client.events[0]["session"]
    client.tell("begin")
    client.connection.send(noise(6, 24_000))
    client.wait_for("started")
    client.connection.socket.close()

    def is_over() -> bool:
        state = ask(server, "GET", f"/sessions/{session}")
        return state["state"] == "idle" and state["duration_s"] < 5

    wait_until(is_over, "the end of the speech")
    again = opened(session=session)
    again.say(noise(0.2, 24_000), "again")
    assert again.wait_for("finished", own=True)["position_s"] == 0.2


def test_pictures_come_in_each_form(opened: Opened) -> None:
    jpeg, h264 = opened("pictures=jpeg"), opened("pictures=h264")
    with suppress(TimeoutError):
        while len(jpeg.pictures) < 8:
            jpeg.receive()
        while len(h264.pictures) < 8:
            h264.receive()
    for each in jpeg.pictures:
        picture = cv2.imdecode(np.frombuffer(each.payload, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (HEIGHT, WIDTH, 3)
    decoder = av.CodecContext.create("h264", "r")
    decoded = [frame for each in h264.pictures for frame in decoder.decode(av.Packet(each.payload))]
    assert len(decoded) + decoder.has_b_frames >= 7
    assert [each.flags & 1 for each in h264.pictures[:3]] == [1, 0, 0]
    steps = np.diff([each.clock for each in jpeg.pictures])
    assert set(steps % (24_000 // 25)) == {0}


@pytest.mark.parametrize(
    ("name", "code"),
    [("not UTF-8", 1007), ("too long", 1009), ("not masked", 1002), ("not a message", 1008)],
)
def test_a_connection_that_breaks_the_rules_is_closed_with_a_reason(
    opened: Opened, name: str, code: int
) -> None:
    client = opened(session="rules")
    connection = client.connection
    with pytest.raises(ConnectionClosed) as closed:
        match name:
            case "not UTF-8":
                connection.send(b"\xff\xfe", text=True)
            case "too long":
                connection.send(bytes((1 << 20) + 1))
            case "not masked":
                connection.socket.sendall(b"\x82\x01\x00")
            case _:
                for _ in range(70):
                    connection.send("{}")
        while True:
            client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert closed.value.rcvd.reason


def test_a_key_is_needed(opened: Opened) -> None:
    with pytest.raises(InvalidStatus) as refused:
        opened(key="wrong")
    assert refused.value.response.status_code == 401


@contextmanager
def nginx(folder: Path, upstream: Path) -> Iterator[int]:
    """Run nginx in front of a unix socket, as docs/deployment.md describes; yield its port."""
    port, program = free_port(), which("nginx")
    if program is None:
        pytest.skip("nginx is missing; `apt-get install nginx` installs it")
    text = f"""
        user root; daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
        events {{ worker_connections 64; }}
        http {{ access_log off; server {{
            listen 127.0.0.1:{port};
            location ~ ^/talk(/sessions/[^/]+/live)$ {{
                proxy_pass http://unix:{upstream}:$1$is_args$args;
                proxy_http_version 1.1;
                proxy_set_header Host $http_host;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "upgrade";
            }}
        }} }}
    """
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        text = text.replace("access_log off;", f"access_log off; {kind}_temp_path {folder}/{kind};")
    (folder / "conf").write_text(text)
    command = [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: is_listening(port), "nginx")
            yield port
        finally:
            process.terminate()


def is_listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_it_works_on_a_unix_socket_and_behind_a_proxy_until_the_server_stops(
    tmp_path: Path,
) -> None:
    path = tmp_path / "http"
    with launched(tmp_path / "results", (), "none", f"host=unix:{path}") as server:
        wait_until_ready_on(path, server)
        with nginx(tmp_path, path) as port, ExitStack() as held:
            proxied = held.enter_context(
                live_socket(f"ws://127.0.0.1:{port}/talk", "a", "sound=pcm")
            )
            local = held.enter_context(unix_connect(str(path), "ws://localhost/sessions/a/live"))
            proxied.say(noise(0.2, 24_000), "a")
            assert proxied.wait_for("finished", own=True)["position_s"] == 0.2
            os.kill(live_process(server), signal.SIGKILL)
            with pytest.raises(ConnectionClosed):
                while True:
                    proxied.receive()
            with pytest.raises(ConnectionClosed):
                while True:
                    local.recv(timeout=60)
            again = reopened(held, f"ws://127.0.0.1:{port}/talk")
            again.say(noise(0.2, 24_000), "b")
            assert again.wait_for("finished", own=True)["position_s"] == 0.2
            os.kill(server.process.pid, signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    again.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            status, log = server.wait_for_exit()
            assert status == 0
            assert "Traceback" not in log


def reopened(held: ExitStack, base: str) -> LiveSocket:
    """Connect again, as soon as the next live process has started."""
    found: list[LiveSocket] = []

    def is_open() -> bool:
        with suppress(InvalidStatus):
            found.append(held.enter_context(live_socket(base, "a", "sound=pcm")))
        return bool(found)

    wait_until(is_open, "another live process")
    return found[0]


def wait_until_ready_on(path: Path, server: Server) -> None:
    assert server.process.stdout is not None
    assert str(path) in server.process.stdout.readline()


def live_process(server: Server) -> int:
    """Process id of the live process, a child of the worker."""
    lines = server.log.read_text(encoding="utf-8").splitlines()
    return int(next(json.loads(each)["pid"] for each in lines if "live process started" in each))
