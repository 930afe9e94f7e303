"""Requests for names that are not this server's, as a page sends them after DNS rebinding."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.test_cross_site import CHANGING, call
from warm.settings import Settings

ClientWith = Callable[..., FlaskClient]

PATHS = ("/", "/health", "/session", "/sessions", "/stats", "/session/full_session.mp4", "/nowhere")
LOOPBACK = ("localhost", "localhost:8000", "LOCALHOST.", "a.localhost", "127.0.0.1:9", "127.9.8.7")
FOREIGN = (
    *("evil.example", "evil.example:8000", "localhost.evil.example", "evillocalhost", "8.8.8.8"),
    *("[2001:db8::1]:8000", "192.0.2.7:8000", "0.0.0.0:8000", "127.0.0.1.nip.io", "xn--80ak6aa92e"),
)
MALFORMED = (
    *("", " ", "localhost, evil.example", "evil.example@localhost", "localhost/", "localhost:80a"),
    *("[::1", "::1", "[localhost]", "[v1.a]", "http://localhost", "local host", "localhost:123456"),
    *(".localhost", "localhost..", "lo\xe9", "*", "localhost#", "localhost?", "localhost\\evil"),
)
TARGETS = [
    ("http://localhost:8000/health", 200),
    ("HTTP://LOCALHOST", 200),
    ("http://evil.example/health", 421),
    ("http://evil.example", 421),
    ("http://evil.example?a=/", 421),
    ("http://localhost@evil.example/health", 400),
    ("http://evil.example@localhost/health", 400),
    ("http:///health", 400),
    ("/health?next=http://evil.example/", 200),
]
"""Targets of a request line, and the status of the answer."""


def problem(answer: TestResponse) -> dict[str, Any]:
    assert answer.mimetype == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.text)
    return body


def status(client: FlaskClient, host: str, path: str = "/health") -> int:
    with client.get(path, headers={"Host": host}) as answer:
        return answer.status_code


def test_nothing_is_read_or_changed_under_a_name_that_is_not_the_servers(
    client: FlaskClient,
) -> None:
    client.post("/speak", json={"text": "Hello.", "session_id": "kept"})
    before = client.get("/session?session_id=kept").get_json()
    for host in FOREIGN:
        require_refusal(client, host)
    assert client.get("/session?session_id=kept").get_json() == before


def require_refusal(client: FlaskClient, host: str) -> None:
    own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    for path in PATHS:
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            assert client.open(path, method=method, headers=own).status_code == 421
    for method, rule in CHANGING:
        detail = refusal_detail(call(client, method, rule, own), rule)
        assert f"Host = {host!r}: is not a name of this server" in detail
        assert "allowed_hosts" in detail


def refusal_detail(answer: TestResponse, rule: str) -> str:
    """Return the message of a refusal; that of OpenAI's routes has the shape of its errors."""
    assert answer.status_code == 421
    if rule.startswith("/v1/") and rule != "/v1/runtime-tokens/request":  # that is bitHuman's
        return str(answer.get_json()["error"]["message"])
    content = problem(answer)
    assert (content["status"], content["kind"]) == (421, "MisdirectedRequestError")
    return str(content["detail"])


@pytest.mark.parametrize("allowed", [None, "*"])
def test_a_malformed_host_is_refused_even_where_every_name_is_allowed(
    client_with: ClientWith, allowed: str | None
) -> None:
    client = client_with(allowed_hosts=allowed)
    for host in MALFORMED:
        answer = problem(client.get("/health", headers={"Host": host}))
        assert (answer["status"], answer["kind"]) == (400, "BadRequestError")
        assert f"Host = {host!r}: must be one host name or address" in answer["detail"]


def test_loopback_is_always_known(client_with: ClientWith) -> None:
    for bound in ("127.0.0.1", "0.0.0.0", "192.0.2.7"):
        client = client_with(host=bound)
        for host in (*LOOPBACK, "[::1]:8000", "[::ffff:127.0.0.1]"):
            assert status(client, host) == 200


def test_a_request_without_a_host_is_refused_unless_it_is_http_1_0(client: FlaskClient) -> None:
    def get(protocol: str) -> TestResponse:
        environ = {"HTTP_HOST": None, "SERVER_PROTOCOL": protocol}
        return client.get("/health", environ_overrides=environ)

    assert "Host is missing" in problem(get("HTTP/1.1"))["detail"]
    assert get("HTTP/1.1").status_code == 400
    assert get("HTTP/1.0").status_code == 200


def test_the_host_in_an_absolute_target_is_checked_too(client: FlaskClient) -> None:
    for target, expected in TARGETS:
        answer = client.get("/health", environ_overrides={"RAW_URI": target})
        assert (target, answer.status_code) == (target, expected)


def test_the_address_and_the_name_that_the_server_is_bound_to_are_known(
    client_with: ClientWith,
) -> None:
    assert status(client_with(host="192.0.2.7"), "192.0.2.7:8000") == 200
    assert status(client_with(host="2001:DB8::7"), "[2001:db8:0::7]:8000") == 200
    assert status(client_with(host="Talk.Example"), "talk.example:8000") == 200
    assert status(client_with(host="192.0.2.7"), "192.0.2.8") == 421


def machine_hosts() -> list[str]:
    """Name and addresses of this machine."""
    name = socket.gethostname()
    found = {name, name.partition(".")[0].upper()}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return sorted(found)
        return sorted({*found, probe.getsockname()[0]})


def test_a_server_on_all_interfaces_knows_the_names_and_addresses_of_its_machine(
    client_with: ClientWith,
) -> None:
    for bound, shown in (("0.0.0.0", "0.0.0.0"), ("::", "[::]")):
        client = client_with(host=bound)
        for host in (*machine_hosts(), shown):
            assert status(client, f"{host}:8000") == 200
        for host in ("evil.example", "192.0.2.7", "[2001:db8::1]", "224.0.0.1"):
            assert status(client, host) == 421


def test_the_setting_adds_names_domains_and_addresses(client_with: ClientWith) -> None:
    as_text = "Talk.example, .example.org 192.0.2.7"
    for allowed in (as_text, ["talk.example", "*.example.org", "192.0.2.7"]):
        client = client_with(allowed_hosts=allowed)
        for host in ("talk.example", "TALK.example.:80", "example.org", "a.b.example.org"):
            assert status(client, host) == 200
        assert status(client, "192.0.2.7") == status(client, "localhost") == 200
        for host in ("a.talk.example", "evilexample.org", "example.org.evil.example"):
            assert status(client, host) == 421


def test_an_asterisk_opens_the_server_to_every_name(client_with: ClientWith) -> None:
    client = client_with(allowed_hosts="*")
    for host in FOREIGN:
        assert status(client, host) == 200


@pytest.mark.parametrize(
    "word", ["http://talk.example", "talk.example:80", "a/b", "a..b", "*a", "-a", "é", "."]
)
def test_a_bad_host_in_the_settings_is_named(word: str) -> None:
    with pytest.raises(ValueError, match="is not a host; allowed: names, IP addresses"):
        Settings(allowed_hosts=f"talk.example {word}")
