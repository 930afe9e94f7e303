"""`POST /speak` takes a recording: as a form, as the body, or by its address."""

import io
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.given_sounds import RATE_HZ, babble, wav_of

GIVEN = babble(0.6)
WAV = wav_of(GIVEN)
SILENCE = wav_of(np.zeros(RATE_HZ // 2, np.float32))


def speak(client: FlaskClient, data: object, **named: Any) -> Any:
    return client.post("/speak", data=data, **named)


def form(data: bytes, name: str = "a.wav", **fields: str) -> dict[str, object]:
    return {**fields, "audio": (io.BytesIO(data), name)}


def test_a_recording_in_a_form_is_spoken_with_its_fields(client: FlaskClient) -> None:
    answer = speak(client, form(WAV, "lie.png", session_id="berlin", text="Guten Tag.", lead_s="2"))
    assert answer.status_code == 200, answer.json
    assert answer.json["session_id"] == "berlin"
    assert answer.json["clip"]["text"] == "Guten Tag."
    assert answer.json["clip"]["whole"] is True
    assert answer.json["voice"] is None
    assert answer.json["clip"]["frames"] >= 15
    captions = client.get("/sessions/berlin/full_session.vtt").text
    assert captions.count("Guten Tag.") == 1


def test_a_recording_may_be_the_body_with_its_fields_in_the_query(client: FlaskClient) -> None:
    answer = speak(
        client,
        WAV,
        content_type="audio/x-wav",
        query_string={"session_id": "paris"},
        headers={"Accept": "text/event-stream"},
    )
    names = [line for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names[0] == "event: speech"
    assert names[-1] == "event: done"
    assert names.count("event: fragment") == len(names) - 2
    assert '"duration_s": 0.6' in answer.text
    assert client.get("/sessions/paris").json["clips"][0]["text"] == ""


def speak_parts(client: FlaskClient, *parts: tuple[str, bytes]) -> Any:
    """Send a form whose parts are in this order."""
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in parts
    )
    return speak(client, body + b"--x--\r\n", content_type="multipart/form-data; boundary=x")


def test_fields_may_follow_a_recording_whose_length_is_known(client: FlaskClient) -> None:
    answer = speak_parts(client, ("audio", WAV), ("session_id", b"rome"))
    assert answer.json["session_id"] == "rome"


def test_fields_that_follow_others_and_the_recording_are_named(client: FlaskClient) -> None:
    answer = speak_parts(client, ("text", b"Hi."), ("audio", WAV), ("session_id", b"rome"))
    assert answer.status_code == 422
    assert list(answer.json["details"]) == ["body.session_id"]


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        (form(SILENCE), 422, "RecordingError"),
        (form(b""), 422, "RecordingError"),
        (form(WAV[:44]), 422, "RecordingError"),
        (form(b"\x89PNG\r\n\x1a\n" + bytes(100), "sound.wav"), 415, "UnsupportedMediaTypeError"),
        (form(b"words " * 100, "sound.mp3"), 415, "UnsupportedMediaTypeError"),
        ({"text": "Hello"}, 422, "ValidationError"),
        (form(WAV, session_id="a/b"), 422, "ValidationError"),
        (form(WAV, lead_s="soon"), 422, "ValidationError"),
        (form(WAV, voice="heart"), 422, "ValidationError"),
    ],
)
def test_what_cannot_be_spoken_is_named_and_changes_nothing(
    data: object, status: int, kind: str, client: FlaskClient
) -> None:
    answer = speak(client, data, content_type="multipart/form-data")
    assert (answer.status_code, answer.json["kind"]) == (status, kind), answer.json
    assert client.get("/session").json["clips"] == []


def test_other_types_of_bodies_are_refused(client: FlaskClient) -> None:
    assert speak(client, WAV, content_type="image/png").status_code == 415
    assert speak(client, WAV, content_type="application/json").status_code == 400


def test_a_recording_with_too_many_bytes_is_refused(client_with: Any) -> None:
    client = client_with(max_recording_mb=0.01)
    answer = speak(client, WAV, content_type="audio/wav")
    assert answer.status_code == 413
    assert "max_recording_mb" in answer.json["detail"]


def test_an_uploaded_recording_is_spoken_by_its_address(client: FlaskClient) -> None:
    uploaded = client.post("/uploads", data={"file": (io.BytesIO(WAV), "a.wav")})
    url = uploaded.json["url"]
    answer = client.post("/speak", json={"audio_url": url, "text": "Hi."})
    assert answer.status_code == 200, answer.json
    assert answer.json["clip"]["text"] == "Hi."


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"audio_url": "https://example.com/a.wav"}, "fetch_urls"),
        ({"audio_url": "/uploads/" + "0" * 32 + ".wav"}, "audio_url"),
        ({"audio_url": "/uploads/" + "0" * 32 + ".wav", "voice": "heart"}, "voice"),
        ({"audio_url": 5}, "audio_url"),
        ({}, "text"),
    ],
)
def test_an_address_that_cannot_be_read_is_named(
    body: dict[str, object], part: str, client: FlaskClient
) -> None:
    answer = client.post("/speak", json=body)
    assert answer.status_code == 422, answer.json
    assert part in answer.json["detail"]
