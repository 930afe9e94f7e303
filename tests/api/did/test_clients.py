"""Clients of D-ID against a real server, unchanged but for the base URL."""

import base64
import importlib.metadata
import importlib.util
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from session.fragmented.boxes import iter_boxes
from tests.api.did.conftest import decoded, picture, tone
from tests.api.keys.conftest import make_key
from tests.api.server_process import Server, serving
from tests.polling import wait_until
from tests.tiny_face import HEIGHT, WIDTH
from tests.warm.webhooks.receiver import Receiver, webhook_receiver

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[3] / "docs" / "did.md"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcd").decode()
PATIENCE_S = 60


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as found:
        yield found


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def key(key_file: Path) -> str:
    return make_key(key_file, "ann", "speak", "watch")


@pytest.fixture(scope="module")
def server(key: str, key_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    results = tmp_path_factory.mktemp("did") / "results"
    settings = (f"api_keys={key_file}", "webhooks=any", f"webhook_secret={SECRET}")
    with serving(results, "none", *settings) as found:
        yield found


@pytest.fixture(scope="module")
def base_url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def polled(get: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Poll as clients do until the talk has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = get()
        if found["status"] in ("done", "error", "rejected"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"did not end: {found}")


def test_the_python_package_did_api_makes_lists_and_deletes_a_clip(
    base_url: str, key: str, receiver: Receiver, tmp_path: Path
) -> None:
    if importlib.util.find_spec("D_ID") is None:
        pytest.skip("did-api is not installed; `make check` installs it")
    from D_ID import Clips  # noqa: PLC0415

    assert importlib.metadata.version("did-api") == "0.0.6"
    client = Clips(f"ann:{key}")
    client.url = f"{base_url}/{client.endpoint}"
    assert client.get_list_of_the_presenter()["presenters"] == []
    made = client.create_text_to_video_clip(
        "Hello from a package.",
        presenter_id="tiny",
        WEBHOOK_URL=f"{receiver.url}/clips",
        extra_data={"order": 7},
    )
    assert (made["object"], made["status"]) == ("clip", "created")
    clip = polled(lambda: client.get_clip_by_id(made["id"]))
    assert clip["status"] == "done", clip
    assert json.loads(clip["user_data"]) == {"order": 7}
    film = requests.get(clip["result_url"], timeout=PATIENCE_S)
    frames, size, _ = decoded(film.content, tmp_path / "film.mp4")
    assert (frames, size) == (clip["metadata"]["num_frames"], (WIDTH, HEIGHT))
    assert [each["id"] for each in client.get_clips(limit=10)["clips"]] == [made["id"]]
    wait_until(lambda: receiver.received, "the webhook")
    check_webhook(receiver, clip)
    assert client.get_presenter_by_id("nobody")["kind"] == "NotFoundError"
    assert client.delete_a_clip(made["id"])["id"] == made["id"]
    assert client.get_clip_by_id(made["id"])["kind"] == "NotFoundError"


def check_webhook(receiver: Receiver, clip: dict[str, Any]) -> None:
    """The message is the clip, and the code of the documentation accepts its signature."""
    (received,) = receiver.received
    assert json.loads(received.body) == clip
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    code: dict[str, Any] = {}
    exec(found.group(1), code)
    is_genuine = code["is_genuine"]
    assert is_genuine(received.headers, received.body, SECRET)
    assert not is_genuine(received.headers, received.body + b" ", SECRET)
    assert not is_genuine(received.headers, received.body, SECRET[:-4] + "AAAA")
    old = received.headers | {"Webhook-Timestamp": str(int(time.time()) - 400)}
    assert not is_genuine(old, received.body, SECRET)


@pytest.mark.parametrize("scheme", ["basic base64", "basic plain", "bearer"])
def test_the_flow_of_n8n_submits_waits_tests_and_downloads(
    base_url: str, key: str, scheme: str, tmp_path: Path
) -> None:
    """The steps of its HTTP node: submit, wait, get, compare the status, download."""
    headers = {
        "basic base64": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}",
        "basic plain": f"Basic ann@example.com:{key}",
        "bearer": f"Bearer {key}",
    }
    authorised = {"Authorization": headers[scheme], "Accept": "application/json"}
    submitted = requests.post(
        f"{base_url}/talks",
        headers=authorised,
        json={
            "source_url": "tiny",
            "script": {
                "type": "text",
                "subtitles": "false",
                "provider": {"type": "microsoft", "voice_id": "en-US-JennyNeural"},
                "input": "Hello from a workflow.",
                "ssml": "false",
            },
            "config": {"fluent": "false", "pad_audio": "0.0", "stitch": "true"},
        },
        timeout=PATIENCE_S,
    )
    assert submitted.status_code == 201, submitted.text
    talk_url = f"{base_url}/talks/{submitted.json()['id']}"
    talk = polled(lambda: requests.get(talk_url, headers=authorised, timeout=PATIENCE_S).json())
    assert talk["status"] == "done", talk
    assert talk["user_id"] == "ann"
    film = requests.get(talk["result_url"], timeout=PATIENCE_S)
    assert film.status_code == 200
    assert film.headers["Content-Type"] == "video/mp4"
    kinds = [kind for kind, *_ in iter_boxes(film.content)]
    assert kinds.index(b"moov") < kinds.index(b"mdat") and b"moof" not in kinds
    frames, size, sound_s = decoded(film.content, tmp_path / "film.mp4")
    assert (frames, size) == (talk["metadata"]["num_frames"], (WIDTH, HEIGHT))
    assert sound_s == pytest.approx(talk["duration"], abs=0.1)
    part = requests.get(talk["result_url"], headers={"Range": "bytes=0-99"}, timeout=PATIENCE_S)
    assert (part.status_code, part.content) == (206, film.content[:100])


def test_files_are_uploaded_and_used_with_a_key(base_url: str, key: str) -> None:
    authorised = {"Authorization": f"Bearer {key}"}
    sent = requests.post(
        f"{base_url}/audios",
        headers=authorised,
        files={"audio": ("a.wav", tone(0.8), "audio/wav")},
        timeout=PATIENCE_S,
    )
    assert sent.status_code == 201
    body = {
        "source_url": "tiny",
        "script": {"type": "audio", "audio_url": sent.json()["url"]},
    }
    made = requests.post(f"{base_url}/talks", headers=authorised, json=body, timeout=PATIENCE_S)
    assert made.status_code == 201, made.text
    url = f"{base_url}/talks/{made.json()['id']}"
    talk = polled(lambda: requests.get(url, headers=authorised, timeout=PATIENCE_S).json())
    assert talk["status"] == "done", talk
    image = requests.post(
        f"{base_url}/images",
        headers=authorised,
        files={"image": ("face.jpg", picture(), "image/jpeg")},
        timeout=PATIENCE_S,
    )
    assert image.json()["url"].startswith(base_url)


def test_a_request_without_a_key_is_refused_as_by_d_id(base_url: str, key: str) -> None:
    for headers in ({}, {"Authorization": "Basic wrong:key"}, {"Authorization": "Bearer x"}):
        refused = requests.get(f"{base_url}/talks", headers=headers, timeout=PATIENCE_S)
        assert (refused.status_code, refused.json()["kind"]) == (401, "AuthorizationError")


def test_another_key_sees_nothing_of_a_talk(
    base_url: str, key: str, key_file: Path, server: Server
) -> None:
    other = make_key(key_file, "bob", "speak", "watch")
    mine, theirs = ({"Authorization": f"Bearer {each}"} for each in (key, other))
    made = requests.post(
        f"{base_url}/talks",
        headers=mine,
        json={"source_url": "tiny", "script": {"input": "Mine."}},
        timeout=PATIENCE_S,
    ).json()
    url = f"{base_url}/talks/{made['id']}"
    polled(lambda: requests.get(url, headers=mine, timeout=PATIENCE_S).json())
    wait_until(
        lambda: requests.get(url, headers=theirs, timeout=PATIENCE_S).status_code == 404,
        "the new key to be read",
    )
    assert requests.delete(url, headers=theirs, timeout=PATIENCE_S).status_code == 404
    listed = requests.get(f"{base_url}/talks", headers=theirs, timeout=PATIENCE_S).json()
    assert listed["talks"] == []
    assert requests.get(url, headers=mine, timeout=PATIENCE_S).status_code == 200
