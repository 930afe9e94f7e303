"""Clips, presenters, images, credits and voices in the shapes of D-ID."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from api.context import context
from tests.api.did.conftest import TEXT, DidClient, decoded, picture
from tests.warm.avatars.test_store import FRAMES, save


def test_a_clip_is_made_of_a_presenter(did: DidClient, tmp_path: Path) -> None:
    body = {
        "presenter_id": "tiny",
        "driver_id": "uM00QMwJ9x",
        "script": TEXT,
        "config": {"result_format": ".mov", "output_resolution": "160"},
        "background": {"color": "#ffffff"},
        "user_data": "u",
    }
    created = did.post("/clips", body)
    assert created.status_code == 201, created.text
    assert re.fullmatch("clp_[0-9a-f]{32}", created.get_json()["id"])
    assert created.get_json()["object"] == "clip"
    clip = did.finished(f"/clips/{created.get_json()['id']}")
    assert clip["status"] == "done", clip
    assert (clip["presenter_id"], clip["driver_id"], clip["user_data"]) == (
        *("tiny", "uM00QMwJ9x"),
        "u",
    )
    assert any("background.color has no effect" in remark for remark in clip["remarks"])
    assert clip["result_url"].endswith(".mov")
    _, size, _ = decoded(did.film(clip), tmp_path / "film.mov")
    assert size == (192, 160)
    assert [each["id"] for each in did.http.get("/clips/").get_json()["clips"]] == [clip["id"]]
    assert did.http.get(f"/talks/{clip['id']}").status_code == 404
    assert did.http.delete(f"/clips/{clip['id']}").get_json()["id"] == clip["id"]


@pytest.mark.parametrize(
    ("body", "status", "member"),
    [
        ({"presenter_id": None}, 400, "presenter_id"),
        ({"presenter_id": "amy-jcwCkr1grs"}, 404, "presenter_id"),
        ({"background": {"color": "bluish"}}, 400, "background.color"),
        ({"crop": {"type": "circle"}}, 400, "crop"),
        ({"script": {}}, 400, "script.input"),
    ],
)
def test_clips_that_cannot_be_made_are_refused(
    waiting: DidClient, body: dict[str, Any], status: int, member: str
) -> None:
    answer = waiting.post("/clips", {"presenter_id": "tiny", "script": TEXT} | body)
    assert answer.status_code == status, answer.text
    assert f"body.{member}" in answer.get_json()["details"]


def test_a_picture_is_stored_and_deleted(waiting: DidClient) -> None:
    stored = waiting.image(detect_faces="true")
    assert stored.status_code == 201, stored.text
    image = stored.get_json()
    assert set(image) == {"url", "id"}
    assert re.fullmatch(r"http://localhost/uploads/[0-9a-f]{32}\.png", image["url"])
    with waiting.http.get(image["url"]) as served:
        assert served.get_data() == picture()
    for status in (204, 404):
        assert waiting.http.delete(f"/images/{image['id']}").status_code == status


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        (b"no picture at all", 415, "UnsupportedMimeTypeError"),
        (picture()[:200], 400, "BadRequestError"),
        (b"", 400, ""),
    ],
)
def test_files_that_are_no_pictures_are_refused_as_by_d_id(
    waiting: DidClient, data: bytes, status: int, kind: str
) -> None:
    answer = waiting.image(data)
    assert answer.status_code == status, answer.text
    assert kind in answer.get_json()["kind"]
    assert "image" in answer.get_json()["description"]


def test_a_missing_file_and_a_wrong_kind_are_named(waiting: DidClient) -> None:
    missing = waiting.http.post("/images", data={"detect_faces": "true"})
    assert missing.status_code == 400
    assert missing.get_json()["details"]["body.image"]
    data = {"audio": (BytesIO(picture()), "sound.wav")}
    assert waiting.http.post("/audios", data=data).status_code == 415


def test_the_credits_are_never_used_up(waiting: DidClient) -> None:
    found = waiting.http.get("/credits").get_json()
    assert found["remaining"] == found["total"] > 0
    assert found["credits"][0]["remaining"] == found["remaining"]


def test_the_voices_are_those_of_any_provider(waiting: DidClient) -> None:
    voices = waiting.http.get("/tts/voices?provider=microsoft").get_json()
    german = next(each for each in voices if each["id"] == "espeak:de")
    assert german["provider"] == "microsoft" and german["gender"] == "female"
    assert {"language": "German", "locale": "de"} in german["languages"]
    assert waiting.http.get("/tts/voices").get_json()[0]["provider"] == "warmtalk"


def test_presenters_are_the_avatars(waiting: DidClient) -> None:
    for name in ("anna", "bob"):
        save(context(waiting.app).avatars, name)
    page = waiting.http.get("/clips/presenters/?limit=1").get_json()
    (anna,) = page["presenters"]
    assert anna["presenter_id"] == anna["name"] == "anna"
    assert anna["preview_url"] == "http://localhost/avatars/anna/idle.mp4"
    with waiting.http.get(anna["image_url"]) as served:
        data = np.frombuffer(served.get_data(), np.uint8)
        tag = served.headers["ETag"]
    assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_COLOR), FRAMES[0])
    again = waiting.http.get(anna["image_url"], headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", anna["created_at"])
    rest = waiting.http.get(f"/clips/presenters?token={page['token']}").get_json()
    assert ([each["name"] for each in rest["presenters"]], rest["token"]) == (["bob"], None)
    assert waiting.http.get("/clips/presenters/anna").get_json() == anna
    drivers = waiting.http.get("/clips/presenters/anna/drivers").get_json()["clips_drivers"]
    assert drivers[0]["presenter_id"] == "anna"
    for path in ("/clips/presenters/nobody", "/clips/presenters/../drivers"):
        assert waiting.http.get(path).status_code == 404


@pytest.mark.parametrize("color", [False, "false", "transparent"])
def test_a_clip_without_a_background_is_transparent_where_the_format_allows_it(
    waiting: DidClient, color: object
) -> None:
    body = {"presenter_id": "tiny", "script": TEXT, "background": {"color": color}}
    for result_format, found in (("webm", "transparent"), ("mp4", None)):
        created = waiting.post("/clips", {**body, "config": {"result_format": result_format}})
        assert created.status_code == 201, created.text
        clip = waiting.http.get(f"/clips/{created.get_json()['id']}").get_json()
        is_reported = any("background.color has no effect" in each for each in clip["remarks"])
        assert is_reported is (found is None)
