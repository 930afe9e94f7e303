"""Forms in which clients send a key, and values that are not keys."""

import base64
import hmac
from pathlib import Path
from random import Random

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from api.credentials import sent_secrets
from tests.api.keys.conftest import Served, make_key
from warm.keys import key_ring

Sent = dict[str, str]


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def forms(key: str) -> list[Sent]:
    """Every header by which a client may send a key."""
    unpadded = base64.b64encode(f"u:{key}".encode()).decode().rstrip("=")
    url_safe = base64.urlsafe_b64encode(f"ÿ?>~:{key}".encode()).decode()
    values = (
        *(f"Bearer {key}", f"bearer {key}", f"BEARER   {key}", f"Bearer {key} "),
        *(f"Basic user:{key}", f"Basic {key}:", f"Basic {key}", f"basic :{key}"),
        *(basic(f"user:{key}"), basic(f"{key}:"), basic(key), basic(f":{key}")),
        *(basic(f"me@example.com:{key}"), f"Basic {unpadded}", f"Basic {url_safe}"),
    )
    return [{"X-Api-Key": key}, *({"Authorization": value} for value in values)]


def who(client: FlaskClient, sent: Sent) -> str:
    answer = client.get("/caller", headers=sent)
    assert answer.status_code == 200, sent
    name: str = answer.get_json()["name"]
    return name


def test_every_form_of_every_client_is_accepted(served: Served, key_file: Path) -> None:
    key = make_key(key_file, "n8n", "watch")
    make_key(key_file, "other", "speak")
    client = served().test_client()
    for sent in forms(key):
        assert (sent, who(client, sent)) == (sent, "n8n")
        assert client.get("/sessions", headers=sent).status_code == 200


def test_a_key_may_contain_a_colon_as_keys_of_d_id_do(served: Served) -> None:
    key = "bWVAZXhhbXBsZS5jb20:Xk3v9sQp_0aBcDeFgHiJ"
    client = served(api_keys=f"did:speak+watch:{key}").test_client()
    plain = {"Authorization": f"Basic {key}"}
    for sent in ({"X-Api-Key": key}, plain, {"Authorization": basic(key)}):
        assert who(client, sent) == "did"
    assert who(client, {"Authorization": basic(f"{key}:")}) == "did"


def test_every_invalid_key_gets_the_same_answer(served: Served, key_file: Path) -> None:
    key = make_key(key_file, "n8n", "speak")
    client = served().test_client()
    answers = [
        refused(client, sent)
        for sent in (
            *({}, {"Authorization": ""}, {"Authorization": "Basic"}, {"Authorization": "Bearer "}),
            *({"Authorization": f"Digest {key}"}, {"Authorization": f"Bearer {key}x"}),
            *({"Authorization": f"Bearer {key[:-1]}"}, {"Authorization": f"Bearer {key.upper()}"}),
            *({"X-Api-Key": ""}, {"X-Api-Key": "n8n"}, {"X-Api-Key": "é" * 30}),
            *({"Authorization": "Basic ===="}, {"Authorization": basic("\x00" * 9)}),
            *({"Authorization": "Basic /////w"}, {"X-Api-Key": "x" * 100_000}),
            *({"Cookie": "warmtalk_login=forged"}, {"Cookie": f"warmtalk_login={key}"}),
        )
    ]
    bodies = [{**answer.get_json(), "request_id": ""} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert (bodies[0]["kind"], bodies[0]["status"]) == ("AuthorizationError", 401)
    assert bodies[0]["description"].startswith("Authorization: no valid key; send one as")


def refused(client: FlaskClient, sent: Sent) -> TestResponse:
    answer = client.get("/sessions", headers=sent)
    assert (sent, answer.status_code) == (sent, 401)
    schemes = answer.headers["WWW-Authenticate"]
    assert schemes == 'Bearer realm="Warmtalk", Basic realm="Warmtalk", charset="UTF-8"'
    return answer


def test_a_browser_is_not_made_to_ask_for_a_password_over_the_page(
    served: Served, key_file: Path
) -> None:
    make_key(key_file, "n8n", "speak")
    answer = served().test_client().get("/sessions", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Warmtalk"'


def test_wrong_and_right_keys_are_compared_in_constant_time(
    served: Served, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(key_file, "n8n", "watch")
    client = served().test_client()
    lengths: list[tuple[int, int]] = []
    original = hmac.compare_digest

    def compare(left: bytes, right: bytes) -> bool:
        lengths.append((len(left), len(right)))
        return original(left, right)

    monkeypatch.setattr(key_ring.hmac, "compare_digest", compare)  # type: ignore[attr-defined]
    for sent in (key, f"{key}x", "unknown", key[:-1]):
        client.get("/sessions", headers={"X-Api-Key": sent})
    assert lengths == [(32, 32)] * 4


def test_no_header_breaks_the_parser() -> None:
    random = Random(12)
    characters = [chr(code) for code in (*range(32, 127), *range(160, 256))] + list("=:: /+-_") * 9
    for _ in range(500):
        text = "".join(random.choices(characters, k=random.randrange(60)))
        for value in (text, f"Basic {text}", f"Bearer {text}"):
            found = sent_secrets(Headers([("Authorization", value)]))
            assert all(0 < len(secret) <= 1024 for secret in found)
