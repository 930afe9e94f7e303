"""Files of clients are stored while they arrive, recognised by content, and served safely."""

import io
import wave
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from PIL import Image

from warm.settings import Settings


def png(width: int = 64, height: int = 48) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(file, "PNG")
    return file.getvalue()


def wav(seconds: float = 0.5) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(int(seconds * 16_000) * 2))
    return file.getvalue()


def files_left(settings: Settings) -> list[str]:
    return sorted(
        path.name for path in (settings.results_dir / "uploads").rglob("*") if path.is_file()
    )


def send(client: FlaskClient, data: bytes, name: str = "a.png", **fields: Any) -> Any:
    return client.post("/uploads", data={"file": (io.BytesIO(data), name), **fields})


def test_a_picture_is_stored_and_its_bytes_are_served(client: FlaskClient) -> None:
    answer = send(client, png(), name="../../face.jpg")
    assert answer.status_code == 201
    assert answer.json["kind"] == "picture"
    assert answer.json["media_type"] == "image/png"
    assert (answer.json["width"], answer.json["height"]) == (64, 48)
    assert answer.json["name"] == "face.jpg"
    path = answer.json["url"].removeprefix("http://localhost")
    assert path == f"/uploads/{answer.json['id']}.png"
    with client.get(path) as served:
        assert served.data == png()
        assert served.mimetype == "image/png"
        assert served.headers["X-Content-Type-Options"] == "nosniff"
        assert served.headers["Content-Security-Policy"].startswith("sandbox")
    with client.get(path, headers={"Range": "bytes=1-3"}) as part:
        assert (part.status_code, part.data) == (206, b"PNG")


def test_the_body_may_be_the_file_itself(client: FlaskClient) -> None:
    answer = client.post("/uploads", data=wav(), content_type="audio/wav")
    assert (answer.status_code, answer.json["kind"]) == (201, "sound")
    assert answer.json["duration_s"] == 0.5


def test_the_file_of_a_request_that_is_refused_after_its_form_was_read_is_removed(
    client: FlaskClient, settings: Settings
) -> None:
    body = {"video_file": (io.BytesIO(png()), "a.png"), "avatar_id": "new"}
    headers = {"Idempotency-Key": "with a space"}
    answer = client.post("/avatars/prepare", data=body, headers=headers)
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json["detail"]
    assert files_left(settings) == []


def test_an_upload_is_deleted_once(client: FlaskClient, settings: Settings) -> None:
    answer = send(client, png())
    assert client.delete(f"/uploads/{answer.json['id']}").status_code == 204
    assert client.delete(f"/uploads/{answer.json['id']}").status_code == 404
    assert client.get(f"/uploads/{answer.json['id']}.png").status_code == 404
    assert files_left(settings) == []
