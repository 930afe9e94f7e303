"""Servers that are wrong, refuse, break off or stand still, and a live process that dies."""

import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.tiny_face import WIDTH
from tests.warm.live.push.live_place import ALLOWED, LivePlace, live_place
from tests.warm.live.push.rtmp_server import Media, RtmpServer
from tests.warm.live.push.whip_server import WhipServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost`, followed by its key, that the live process trusts."""
    folder = tmp_path_factory.mktemp("certificate")
    path, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[LivePlace]:
    folder = tmp_path_factory.mktemp("pushes")
    allowed = f"{ALLOWED}, unknown.invalid, 192.0.2.0/24"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate))
        with live_place(folder, push_urls=allowed, max_pushes=50) as place:
            yield place


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def start(place: LivePlace, url: str, key: str | None = None) -> str:
    return str(place.pushes.start("a", url, key)["id"])


def reason(place: LivePlace, push_id: str, state: str = "waiting") -> str:
    """Return the reason of a push that has this state, and end it."""
    place.wait_for("a", push_id, state)
    found = place.pushes.show("a", push_id)["reason"]
    place.pushes.stop("a", push_id)
    return str(found)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtmp://127.0.0.1:1/live/key", "connection refused"),
        ("rtmps://localhost:1/live/key", "connection refused"),
        ("srt://127.0.0.1:1", "connection refused"),
        ("http://127.0.0.1:1/whip", "connection refused"),
        ("rtmp://unknown.invalid/live/key", "is not known to the name service"),
        ("srt://unknown.invalid:9000", "is not known to the name service"),
        ("https://unknown.invalid/whip", "is not known to the name service"),
    ],
)
def test_a_server_that_is_not_there_is_tried_again(
    place: LivePlace, url: str, expected: str
) -> None:
    assert expected in reason(place, start(place, url))


def test_the_reason_of_a_refusal_is_shown_without_the_key(place: LivePlace) -> None:
    with RtmpServer("refuses", target="stream secret-key is taken") as server:
        found = reason(place, start(place, f"rtmp://127.0.0.1:{server.port}/live/secret-key"))
    assert "NetStream.Publish.BadName" in found
    assert "stream *** is taken" in found


def test_a_server_of_another_protocol_is_named_as_such(place: LivePlace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        push = start(place, f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live/key")
        client, _ = listener.accept()
        with client:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            assert "does not speak RTMP" in reason(place, push)


def test_a_token_that_is_wrong_is_reported(place: LivePlace) -> None:
    with WhipServer(token="right") as server:
        found = reason(place, start(place, f"http://localhost:{server.port}/whip", "wrong"))
    assert "the token is missing or wrong" in found


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (201, "", "is not a description of a session"),
        (201, "v=0", "is not a usable description"),
        (201, "v=0\r\nm=video 9 x/y\r\na=candidate:1", "push_urls does not allow"),
        (201, "v=0" + "x" * 200_000, "too long"),
        (404, "", "no such stream"),
        (503, "", "status 503"),
    ],
)
def test_an_answer_of_whip_that_is_not_usable_is_reported(
    place: LivePlace, status: int, answer: str, expected: str
) -> None:
    with WhipServer(answers={"/broken": (status, {})}) as server:
        server.answer = answer
        push = start(place, f"http://127.0.0.1:{server.port}/broken")
        state = "failed" if "push_urls" in expected else "waiting"
        assert expected in reason(place, push, state)


@pytest.mark.parametrize(
    ("found", "put", "expected"),
    [
        ("H264", "VP8", "does not take H.264"),
        ("opus", "G722", "does not take Opus"),
        ("a=recvonly", "a=inactive", "does not take H.264"),
        ("a=recvonly", "a=sendonly", "does not take H.264"),
        ("m=video [0-9]+", "m=video 0", "does not take H.264"),
        ("a=fingerprint.*\r\n", "", "has no a=fingerprint"),
    ],
)
def test_an_answer_of_whip_that_takes_nothing_is_a_refusal(
    place: LivePlace, found: str, put: str, expected: str
) -> None:
    with WhipServer() as server:
        server.alter = lambda text: re.sub(found, put, text)
        push = start(place, f"http://localhost:{server.port}/whip")
        assert expected in reason(place, push)
        assert ("DELETE", "/whip/1") in [each[:2] for each in server.requests]


def test_an_address_of_whip_may_have_other_letters_than_ascii(place: LivePlace) -> None:
    with WhipServer(answers={"/b%C3%BChne?n=%C3%A9": (404, {})}) as server:
        push = start(place, f"http://localhost:{server.port}/bühne?n=é")
        assert "no such stream" in reason(place, push)
    assert server.requests[0][2]["host"] == f"localhost:{server.port}"


def test_commands_without_contents_are_ignored(place: LivePlace) -> None:
    with RtmpServer("murmurs") as server:
        push = start(place, f"rtmp://127.0.0.1:{server.port}/live/key")
        wait_until(lambda: len(server.media) > 5, "media")
        assert place.pushes.stop("a", push)["state"] == "stopped"


def test_a_redirect_of_whip_is_followed_with_the_token(place: LivePlace) -> None:
    answers = {"/first": (307, {"Location": "/whip"}), "/back": (302, {"Location": "/whip"})}
    with WhipServer(token="right", answers=answers) as server:
        push = start(place, f"http://localhost:{server.port}/first", "right")
        place.wait_for("a", push, "live")
        wait_until(lambda: len(server.pictures) > 2, "pictures")
        place.pushes.stop("a", push)
        wait_until(lambda: server.requests[-1][0] == "DELETE", "the end of the session")
        found = reason(place, start(place, f"http://localhost:{server.port}/back", "right"))
    assert [path for method, path, _ in server.requests if method == "POST"][:2] == [
        "/first",
        "/whip",
    ]
    assert "status 302" in found


def test_a_redirect_of_rtmp_is_followed(place: LivePlace) -> None:
    with RtmpServer() as second:
        target = f"rtmp://127.0.0.1:{second.port}/other"
        with RtmpServer("redirects", target=target) as first:
            push = start(place, f"rtmp://127.0.0.1:{first.port}/live/the-key")
            wait_until(lambda: len(second.media) > 5, "media at the second server")
            place.pushes.stop("a", push)
    assert ["publish", "the-key"] in [
        [each[0], each[3]] for each in second.commands if len(each) > 3
    ]


def test_a_redirect_to_a_forbidden_address_is_not_followed(place: LivePlace) -> None:
    with RtmpServer("redirects", target="rtmp://198.51.100.7/other") as server:
        push = start(place, f"rtmp://127.0.0.1:{server.port}/live/key")
        assert "push_urls does not allow" in reason(place, push, "failed")


def test_tls_uses_the_name_of_the_host(place: LivePlace, certificate: Path) -> None:
    with RtmpServer(tls=tls_of(certificate)) as server:
        push = start(place, f"rtmps://localhost:{server.port}/live/key")
        wait_until(lambda: len(server.media) > 5, "media over TLS")
        place.pushes.stop("a", push)
        other = start(place, f"rtmps://127.0.0.1:{server.port}/live/key")
        assert "the certificate of 127.0.0.1 is not trusted" in reason(place, other)
    assert server.names[0] == "localhost"


def test_a_push_to_a_silent_server_ends_at_once(place: LivePlace) -> None:
    with RtmpServer("silent") as server:
        push = start(place, f"rtmp://127.0.0.1:{server.port}/live/key")
        wait_until(lambda: server.connections, "a connection")
        assert place.pushes.stop("a", push)["state"] == "stopped"
        wait_until(lambda: server.closed, "the end of the connection")


def test_a_server_that_reads_nothing_does_not_hold_up_the_feed(place: LivePlace) -> None:
    with RtmpServer("deaf") as deaf, RtmpServer() as other:
        stuck = start(place, f"rtmp://127.0.0.1:{deaf.port}/live/key")
        place.wait_for("a", stuck, "live")
        push = start(place, f"rtmp://127.0.0.1:{other.port}/live/key")
        wait_until(lambda: len(pictures(other)) > 30, "pictures at the other server")
        assert [place.pushes.stop("a", each)["state"] for each in (stuck, push)] == ["stopped"] * 2
        wait_until(lambda: deaf.connections == other.closed == 1, "the end of the connection")


def test_times_go_on_after_a_connection_that_broke(place: LivePlace) -> None:
    with RtmpServer("closes") as server:
        push = start(place, f"rtmp://127.0.0.1:{server.port}/live/key")
        wait_until(lambda: server.connections == 2 and len(pictures(server, 2)) > 5, "a restart")
        state = place.pushes.stop("a", push)
    assert state["restarts"] == 1
    assert is_rising(server.media)
    assert server.descriptions[-1]["width"] == WIDTH
    first, second = pictures(server, 1), pictures(server, 2)
    assert 300 < second[1].time_ms - first[-1].time_ms < 20_000
    assert second[0].data[:2] == b"\x17\x00"  # the parameter sets, again
    assert second[1].data[:2] == b"\x17\x01"  # a key frame


def test_pushes_go_on_when_the_live_process_dies(place: LivePlace) -> None:
    with RtmpServer() as server:
        push = start(place, f"rtmp://127.0.0.1:{server.port}/live/key")
        wait_until(lambda: len(pictures(server)) > 5, "pictures")
        pid = place.hub.stats()["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(pictures(server, 2)) > 5, "pictures of the next process")
        state = place.pushes.stop("a", push)
    assert (state["state"], state["restarts"]) == ("stopped", 1)
    assert place.hub.stats()["pid"] != pid
    assert is_rising(server.media)


def pictures(server: RtmpServer, connection: int = 1) -> list[Media]:
    """Return the messages of pictures of one connection."""
    return [each for each in server.media if each.type == 9 and each.connection == connection]


def is_rising(media: list[Media]) -> bool:
    """True if the times of each track never go back, over all connections."""
    for kind in (8, 9):
        times = [each.time_ms for each in media if each.type == kind and each.data[1] == 1]
        if any(later <= earlier for earlier, later in pairwise(times)):
            return False
    return True
