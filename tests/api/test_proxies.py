"""Requests that come through proxies: client, scheme, host and path as the client sent them."""

import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask, jsonify, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.proxies import serve_behind_proxies
from api.server.admission import is_proxy
from api.server.log import JsonFormatter
from warm.settings import Settings
from warm.settings.network import TrustedProxies

ClientWith = Callable[..., FlaskClient]

PROXY = "10.0.0.2"
TRUSTED = "10.0.0.0/8, 2001:db8::1, unix"


def mirror(**named: object) -> FlaskClient:
    """An application that shows what it sees of a request."""
    app = Flask("mirror", static_folder=None)
    serve_behind_proxies(app, Settings.model_validate(named))

    @app.get("/")
    @app.get("/<path:path>")
    def show(path: str = "") -> Any:
        return jsonify(
            client=request.remote_addr,
            scheme=request.scheme,
            host=request.host,
            root=request.script_root,
            path=request.path,
        )

    return app.test_client()


def seen(client: FlaskClient, path: str = "/a", peer: str = PROXY, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "inner:8000"}
    return client.get(path, headers=sent, environ_overrides=environ).get_json()


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # nobody's proxy
        (PROXY, "198.51.100.1", "198.51.100.1"),
        (PROXY, "127.0.0.1, 198.51.100.1", "198.51.100.1"),  # the client wrote the first
        (PROXY, "198.51.100.1, 10.1.1.1", "198.51.100.1"),
        (PROXY, "9.9.9.9, 198.51.100.1, 10.1.1.1, 10.2.2.2", "198.51.100.1"),
        (PROXY, "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        (PROXY, "198.51.100.1:4711", "198.51.100.1"),
        (PROXY, "[2001:db8::9]:4711", "2001:db8::9"),
        (PROXY, "2001:DB8::9", "2001:db8::9"),
        (PROXY, "::ffff:198.51.100.1", "198.51.100.1"),
        (PROXY, "unknown", PROXY),
        (PROXY, "198.51.100.1, evil\x9b", PROXY),
        (PROXY, "", PROXY),
        (PROXY, ",,", PROXY),
        ("::ffff:10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "198.51.100.1", "198.51.100.1"),
        ("2001:db8::2", "198.51.100.1", "2001:db8::2"),
        ("", "198.51.100.1", "198.51.100.1"),  # a unix socket
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    peer: str, forwarded: str, client: str
) -> None:
    mirrored = mirror(trusted_proxies=TRUSTED)
    assert seen(mirrored, peer=peer, X_Forwarded_For=forwarded)["client"] == client
    assert seen(mirror(), peer="10.0.0.2", X_Forwarded_For=forwarded)["client"] == PROXY


def test_scheme_host_and_prefix_are_believed_only_from_trusted_proxies() -> None:
    sent = {
        "X_Forwarded_Proto": "HTTPS",
        "X_Forwarded_Host": "evil.example, talk.example",
        "X_Forwarded_Prefix": "/talk/",
    }
    believed = {"scheme": "https", "host": "talk.example", "root": "/talk", "path": "/a"}
    ignored = {"scheme": "http", "host": "inner:8000", "root": "", "path": "/a"}
    trusting, trusting_none = mirror(trusted_proxies=TRUSTED), mirror()
    assert {**seen(trusting, **sent), "client": 0} == {**believed, "client": 0}
    assert {**seen(trusting, peer="9.9.9.9", **sent), "client": 0} == {**ignored, "client": 0}
    for peer in ("127.0.0.1", "::1", ""):
        assert {**seen(trusting_none, peer=peer, **sent), "client": 0} == {**ignored, "client": 0}


@pytest.mark.parametrize(
    ("header", "client", "scheme", "host"),
    [
        ("for=198.51.100.1;proto=https;host=talk.example", "198.51.100.1", "https", "talk.example"),
        ('For="[2001:db8::9]:80" ; Host="talk.example"', "2001:db8::9", "http", "talk.example"),
        ("for=9.9.9.9, for=198.51.100.1, for=10.1.1.1;proto=https", "198.51.100.1", "https", ""),
        ("for=_hidden;proto=https", PROXY, "https", ""),
        ("for=unknown, for=10.1.1.1", "10.1.1.1", "http", ""),
    ],
)
def test_the_standard_header_is_understood(
    header: str, client: str, scheme: str, host: str
) -> None:
    found = seen(mirror(trusted_proxies=TRUSTED), Forwarded=header)
    assert (found["client"], found["scheme"]) == (client, scheme)
    assert found["host"] == (host or "inner:8000")


def test_the_standard_header_of_a_client_is_ignored_next_to_that_of_the_proxy() -> None:
    spoofed = {"Forwarded": "for=9.9.9.9;host=evil.example;proto=https"}
    found = seen(mirror(trusted_proxies=TRUSTED), X_Forwarded_For="198.51.100.1", **spoofed)
    assert (found["client"], found["scheme"]) == ("198.51.100.1", "http")
    assert found["host"] == "inner:8000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Prefix", "talk"),
        ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Forwarded-Prefix", "/talk/../other"),
        ("X-Forwarded-Prefix", '/"><script>'),
        ("Forwarded", "for"),
        ("Forwarded", 'for="198.51.100.1'),
        ("Forwarded", "for=198.51.100.1 host=a"),
    ],
)
def test_a_report_that_cannot_be_used_is_named(
    client_with: ClientWith, name: str, value: str
) -> None:
    client = client_with(trusted_proxies="127.0.0.1")
    answer = client.get("/health", headers={name: value})
    assert answer.status_code == 400
    assert name in problem(answer)["detail"]
    assert "correct it in the proxy" in problem(answer)["detail"]
    assert client_with().get("/health", headers={name: value}).status_code == 200


def problem(answer: TestResponse) -> dict[str, Any]:
    assert answer.mimetype == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.text)
    return body


def test_a_reported_host_is_checked_and_does_not_replace_the_check_of_the_received_one(
    client_with: ClientWith,
) -> None:
    client = client_with(trusted_proxies="127.0.0.1", allowed_hosts="talk.example, inner")

    def status(host: str, reported: str) -> int:
        headers = {"Host": host, "X-Forwarded-Host": reported}
        return client.get("/health", headers=headers).status_code

    assert status("inner:8000", "talk.example") == status("localhost", "talk.example") == 200
    assert status("inner", "evil.example") == status("evil.example", "talk.example") == 421
    assert status("evil.example", "localhost") == 421
    assert status("inner", "a b") == status("a b", "inner") == 400


@pytest.mark.parametrize(
    ("path", "root", "seen_path"),
    [
        ("/talk/a", "/talk", "/a"),
        ("/talk/", "/talk", "/"),
        ("/a", "/talk", "/a"),  # the proxy has removed the prefix
        ("/", "/talk", "/"),
        ("/talkative", "/talk", "/talkative"),
        ("/talk/talk/a", "/talk", "/talk/a"),
    ],
)
def test_the_prefix_is_taken_off_if_the_proxy_left_it(path: str, root: str, seen_path: str) -> None:
    for prefix in ("/talk", "/talk/"):
        found = seen(mirror(path_prefix=prefix), path)
        assert (found["root"], found["path"]) == (root, seen_path)
    reported = seen(mirror(trusted_proxies=TRUSTED), path, X_Forwarded_Prefix="/talk")
    assert (reported["root"], reported["path"]) == (root, seen_path)


def test_the_prefix_without_its_slash_leads_to_the_page(client_with: ClientWith) -> None:
    client = client_with(path_prefix="/a/talk")
    answer = client.get("/a/talk?session=b")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/a/talk/?session=b")
    assert client.get("/a/talk/").status_code == 200


def urls_in(value: object) -> list[str]:
    """All addresses in a JSON object."""
    if isinstance(value, dict):
        own = [text for name, text in value.items() if name.endswith("url") and text]
        return own + [url for part in value.values() for url in urls_in(part)]
    return [url for part in value for url in urls_in(part)] if isinstance(value, list) else []


@pytest.mark.parametrize("strips", [True, False])
def test_every_address_in_an_answer_works_below_the_prefix(
    client_with: ClientWith, strips: bool
) -> None:
    client = client_with(path_prefix="/talk", archive_on_reset=True)
    outside = "" if strips else "/talk"
    created = client.post(f"{outside}/sessions", json={"session_id": "b"})
    assert created.headers["Location"] == "/talk/sessions/b"
    answers = [
        client.post(f"{outside}/speak", json={"text": "Hello.", "session_id": "b"}),
        *(client.get(f"{outside}{path}") for path in ("/session?session_id=b", "/sessions/b")),
        *(client.get(f"{outside}{path}") for path in ("/sessions", "/avatars", "/archives")),
    ]
    found = {url for answer in answers for url in urls_in(answer.get_json())}
    assert {"/talk/sessions/b/full_session.mp4", "/talk/sessions/b/stream"} <= found
    for url in sorted(found - {"/talk/sessions/b/stream"}):
        with client.get(url.removeprefix("/talk") if strips else url) as answer:
            assert answer.status_code in {200, 404}, url  # this avatar has no pictures
    playlist = client.get(f"{outside}/sessions/b/live.m3u8").text
    uri = next(line for line in playlist.splitlines() if line.startswith("full_session"))
    film = urljoin(f"{outside}/sessions/b/live.m3u8", uri)
    assert client.get(film).status_code == 200


def test_the_page_names_its_base_below_a_prefix(client_with: ClientWith) -> None:
    client = client_with(path_prefix="/talk")
    page = client.get("/talk/")
    assert '<base href="/talk/">' in page.text
    again = client.get("/talk/", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304
    with client_with().get("/") as plain:
        assert "<base" not in plain.text
        assert 'src="/' not in plain.text
        assert 'href="/' not in plain.text


def test_the_log_names_the_client_and_escapes_what_changes_the_display(
    client_with: ClientWith, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_with(trusted_proxies="127.0.0.1")
    odd = "/a\x9b31m\u202eb\u2028c\u200bd\x7fe\ufefff\U000e0041g\x1b[31m"
    with caplog.at_level(logging.INFO):
        client.get(odd, headers={"X-Forwarded-For": "198.51.100.1"}).close()
    (record,) = [each for each in caplog.records if each.message == "request"]
    line = JsonFormatter().format(record)
    assert line.isprintable()
    entry = json.loads(line)
    assert (entry["client"], entry["path"]) == ("198.51.100.1", odd)


def test_half_a_character_does_not_break_the_log() -> None:
    record = logging.makeLogRecord({"msg": "half \ud800 é 漢", "levelname": "INFO"})
    line = JsonFormatter().format(record)
    assert line.encode().decode() == line
    assert "é 漢" in line
    assert json.loads(line)["message"] == "half \ud800 é 漢"


def test_the_connections_of_a_trusted_proxy_are_those_of_many_clients() -> None:
    proxies = TrustedProxies(TRUSTED)
    for peer in ((PROXY, 1), ("::ffff:10.0.0.2", 1), ("2001:db8::1", 1), "/run/a.sock", ""):
        assert is_proxy(peer, proxies)
        assert not is_proxy(peer, TrustedProxies(None))
    for peer in (("9.9.9.9", 1), ("2001:db8::2", 1)):
        assert not is_proxy(peer, proxies)


@pytest.mark.parametrize("word", ["proxy.example", "10.0.0.1/8", "*", "unix:/run/a", "10.0.0.0/33"])
def test_a_bad_proxy_in_the_settings_is_named(word: str) -> None:
    with pytest.raises(ValueError, match="is not a proxy; allowed: IP addresses, networks"):
        Settings(trusted_proxies=f"127.0.0.1, {word}")


@pytest.mark.parametrize("prefix", ["talk", "//talk", "/talk//a", "/../a", "/ta lk", '/"', "/é"])
def test_a_bad_prefix_in_the_settings_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="must be a path; allowed: "):
        Settings(path_prefix=prefix)
