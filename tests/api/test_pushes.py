"""Pushes over HTTP: states, limits, refused addresses, and what is not shown."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from flask.testing import FlaskClient

from api.context import context
from tests.polling import wait_until
from tests.warm.live.push.rtmp_server import RtmpServer

SECRET = "the-secret-key"
PATH = "/sessions/a/push"


@pytest.fixture
def make(client_with: Callable[..., FlaskClient]) -> Callable[..., FlaskClient]:
    return client_with


@pytest.fixture
def live_client(client_with: Callable[..., FlaskClient]) -> Iterator[FlaskClient]:
    client = client_with(push_urls="127.0.0.1", max_pushes=1)
    with closing(context(client.application).live):
        yield client


def test_pushes_are_off_by_default(client: FlaskClient) -> None:
    answer = client.post(PATH, json={"url": f"rtmp://127.0.0.1/live/{SECRET}"})
    assert answer.status_code == 422
    assert "pushes are off" in answer.get_json()["details"]["body.url"]["message"]
    assert SECRET not in answer.text


UNUSABLE: list[tuple[dict[str, object], str, str]] = [
    ({}, "url", "is missing"),
    ({"url": "ftp://host/app/KEY"}, "url", "must begin with rtmp://"),
    ({"url": "KEY"}, "url", "must begin with rtmp://"),
    ({"url": "rtmp://user:KEY@host/app/x"}, "url", "user name or password"),
    ({"url": "rtmp://host/KEY"}, "url", "rtmp://HOST/APPLICATION/STREAM_KEY"),
    ({"url": "rtmp:///app/KEY"}, "url", "no usable host"),
    ({"url": "rtmp://host:0/app/KEY"}, "url", "1 to 65535"),
    ({"url": "rtmp://host:99999/app/KEY"}, "url", "host or port is malformed"),
    ({"url": "rtmp://host/app/KEY\r\n"}, "url", "percent-encoded"),
    ({"url": "rtmp://host/app/KEY" + "x" * 3000}, "url", "at most 2048"),
    ({"url": "srt://host?streamid=KEY"}, "url", "needs a port"),
    ({"url": "srt://host:9000?streamid=KEY", "key": "KEY"}, "key", "given twice"),
    ({"url": "srt://host:9000?passphrase=KEY"}, "url", "10 to 79 bytes"),
    ({"url": "srt://host:9000?latency=200000&streamid=KEY"}, "url", "microseconds"),
    ({"url": "srt://host:9000?mode=listener&streamid=KEY"}, "url", "caller"),
    ({"url": "srt://host:9000?transtype=file&streamid=KEY"}, "url", "allowed: streamid"),
    ({"url": "srt://host:9000?KEY"}, "url", "allowed: streamid"),
    ({"url": "srt://host:9000/KEY"}, "url", "has a path"),
    ({"url": "rtmp://host/app", "key": "KEY KEY"}, "key", "printable"),
    ({"url": "rtmp://host/app", "key": ""}, "key", "printable"),
    ({"url": ["KEY"]}, "url", "string"),
    ({"url": "rtmp://host/app", "key": {"is": "KEY"}}, "key", "string"),
    ({"url": "rtmp://127.0.0.2/app/KEY"}, "url", "push_urls does not allow"),
    ({"url": "https://[::1]/KEY"}, "url", "push_urls does not allow"),
    ({"url": "http://93.184.216.34/KEY"}, "url", "push_urls does not allow"),
    ({"url": "rtmp://93.184.216.34:25/app/KEY"}, "url", "push_urls does not allow"),
    ({"url": "rtmp://2130706433/app/KEY"}, "url", "no usable host"),
]
"""Bodies with a secret, `KEY`; the member that is at fault; words of the message."""


def test_an_address_that_is_not_usable_is_refused_without_being_shown(
    make: Callable[..., FlaskClient],
) -> None:
    client = make(push_urls="public, 127.0.0.1, host")
    for body, field, words in UNUSABLE:
        answer = client.post(PATH, json=body)
        assert answer.status_code == 422, body
        message = answer.get_json()["details"][f"body.{field}"]["message"]
        assert words in message
        assert "KEY" not in message.replace("STREAM_KEY", "")


@pytest.mark.slow
def test_a_push_is_started_shown_counted_and_ended(live_client: FlaskClient) -> None:
    with RtmpServer() as server:
        body = {"url": f"rtmp://127.0.0.1:{server.port}/live", "key": SECRET}
        made = live_client.post(PATH, json=body)
        assert made.status_code == 201
        place = made.headers["Location"]
        assert place == f"{PATH}/{made.get_json()['id']}"
        wait_until(
            lambda: live_client.get(place).get_json()["state"] == "live", "the push to be live"
        )
        wait_until(
            lambda: live_client.get(place).get_json()["bytes"] > 0, "its bytes to be counted"
        )
        shown = live_client.get(PATH)
        assert [each["id"] for each in shown.get_json()["pushes"]] == [made.get_json()["id"]]
        counted = live_client.get("/stats")
        assert counted.get_json()["pushes"]["live"] == 1
        full = live_client.post("/sessions/b/push", json=body)
        assert (full.status_code, full.get_json()["kind"]) == (503, "QueueFullError")
        ended = live_client.delete(place)
        assert (ended.status_code, ended.get_json()["state"]) == (200, "stopped")
        answers = [made, shown, counted, full, ended]
        assert [each.text for each in answers if SECRET in each.text] == []
    assert live_client.get(place).status_code == 404
    assert live_client.delete(place).status_code == 404
    assert ["publish", SECRET] in [[each[0], each[3]] for each in server.commands if len(each) > 3]


@pytest.mark.slow
def test_the_pushes_of_a_session_end_with_it_but_outlast_a_reset(live_client: FlaskClient) -> None:
    with RtmpServer() as server:
        live_client.post("/sessions", json={"session_id": "a"})
        url = f"rtmp://127.0.0.1:{server.port}/live/{SECRET}"
        place = live_client.post(PATH, json={"url": url}).headers["Location"]
        wait_until(lambda: server.media, "media")
        assert live_client.post("/reset", json={"session_id": "a"}).status_code == 200
        before = len(server.media)
        wait_until(lambda: len(server.media) > before + 10, "media after the reset")
        assert live_client.get(place).get_json()["restarts"] == 0
        assert live_client.delete("/sessions/a").status_code == 200
        wait_until(lambda: server.closed, "the end of the connection")
    assert live_client.get(PATH).get_json()["pushes"] == []
