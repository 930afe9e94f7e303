"""Avatars over HTTP: preparations as jobs, one at a time for each id; facts; deletion."""

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import warm.preparer.preparer
from api.context import context
from tests.api.test_uploads import png
from tests.polling import wait_until
from tests.warm.avatars.test_store import save
from tests.warm.sample_videos import film, numbered
from warm.avatars.store import AvatarStore
from warm.jobs.jobs import Jobs
from warm.prepare.errors import NoFaceError
from warm.preparer.seen_face import SeenFace

FACE = SeenFace((64, 48), (1.0, 2.0, 30.0, 40.0), ((5.0, 6.0),) * 468, b"\xff\xd8\xff")


class GatedPreparation:
    """Stores an avatar without a face when its gate is open."""

    def __init__(self) -> None:
        self.gate = Event()
        self.error: Exception | None = None
        self.requests: list[dict[str, Any]] = []
        self.results: AvatarStore | None = None

    def __call__(
        self,
        request: dict[str, Any],
        _limits: object,
        *,
        on_progress: Callable[[float, str], None],
        on_face: Callable[[SeenFace], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.requests.append(request)
        on_face(FACE)
        on_progress(0.5, "closing the mouth")
        while not self.gate.wait(0.05):
            is_cancelled()
        if self.error is not None:
            raise self.error
        assert self.results is not None
        save(self.results, request["avatar_id"])


@pytest.fixture
def preparation(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatedPreparation]:
    gated = GatedPreparation()
    gated.results = context(app).avatars
    monkeypatch.setattr(warm.preparer.preparer, "run_preparation", gated)
    with closing(context(app).jobs):
        context(app).jobs.start()
        yield gated
        gated.gate.set()


@pytest.fixture
def jobs(app: Flask) -> Jobs:
    return context(app).jobs


def prepare(client: FlaskClient, avatar_id: str = "anna", **fields: Any) -> TestResponse:
    headers = fields.pop("headers", None)
    data = {"avatar_id": avatar_id, "video_file": (io.BytesIO(png()), "me.png"), **fields}
    return client.post("/avatars/prepare", data=data, headers=headers)


def state(client: FlaskClient, avatar_id: str = "anna") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/avatars/{avatar_id}/preparation").get_json()
    return found


def ended(client: FlaskClient, avatar_id: str = "anna") -> dict[str, Any]:
    wait_until(lambda: state(client, avatar_id)["completed_at"], "the end of the preparation")
    return state(client, avatar_id)


def test_a_preparation_shows_the_face_while_it_runs_and_the_avatar_appears_at_its_end(
    client: FlaskClient, preparation: GatedPreparation
) -> None:
    answer = prepare(client, bbox_shift="-3", teeth="keep", force_recreate="true", batch_size="4")
    assert answer.status_code == HTTPStatus.OK
    wait_until(lambda: state(client)["progress"], "its progress")
    running = state(client)
    assert (running["status"], running["progress"]) == ("running", 0.5)
    assert running["stage"] == "closing the mouth"
    assert running["face"]["box"] == [1.0, 2.0, 30.0, 40.0]
    assert len(running["face"]["landmarks"]) == 468
    shown = client.get(running["preview_url"])
    assert (shown.data, shown.mimetype) == (FACE.jpeg, "image/jpeg")
    assert client.get("/avatars/anna").status_code == HTTPStatus.NOT_FOUND
    preparation.gate.set()
    assert (ended(client)["status"], state(client)["progress"]) == ("done", 1.0)
    assert client.get("/avatars/anna").get_json()["state"] == "ready"
    options = preparation.requests[0]["options"]
    assert (options["bbox_shift"], options["teeth"], options["force"]) == (-3, "keep", True)
    assert options["source_name"] == "me.png"
    assert "batch_size" in running["remarks"][0]


def test_an_avatar_is_prepared_by_one_request_at_a_time(
    client: FlaskClient, preparation: GatedPreparation
) -> None:
    first = prepare(client, headers={"Idempotency-Key": "one"}).get_json()
    again = prepare(client, headers={"Idempotency-Key": "one"}).get_json()
    assert again["job_id"] == first["job_id"]
    for headers in ({}, {"Idempotency-Key": "two"}):
        refused = prepare(client, headers=headers)
        assert (refused.status_code, refused.get_json()["kind"]) == (409, "NotReadyError")
    other = prepare(client, headers={"Idempotency-Key": "one"}, bbox_shift="9")
    assert other.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert prepare(client, "berta").status_code == HTTPStatus.OK
    preparation.gate.set()
    assert ended(client)["status"] == ended(client, "berta")["status"] == "done"
    assert [each["avatar_id"] for each in preparation.requests] == ["anna", "berta"]


def test_a_background_is_a_colour_or_an_uploaded_picture_and_part_of_the_request(
    client: FlaskClient, preparation: GatedPreparation
) -> None:
    key = {"headers": {"Idempotency-Key": "one"}}

    def picture(shade: int) -> dict[str, Any]:
        encoded = cv2.imencode(".png", np.full((64, 64, 3), shade, np.uint8))[1].tobytes()
        return {"background_file": (io.BytesIO(encoded), "office.png")}

    first = prepare(client, **picture(90), **key).get_json()
    assert prepare(client, **picture(90), **key).get_json()["job_id"] == first["job_id"]
    assert prepare(client, **picture(91), **key).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert prepare(client, "berta", background="#0f0").status_code == HTTPStatus.OK
    both = prepare(client, "carla", background="#0f0", **picture(90))
    assert both.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "was sent with background; send a colour or a picture" in both.get_json()["detail"]
    preparation.gate.set()
    assert ended(client)["status"] == ended(client, "berta")["status"] == "done"
    shown = [each["options"]["background"] for each in preparation.requests]
    assert shown[1] == "#0f0"
    assert Path(shown[0]).read_bytes().startswith(b"\x89PNG")


def test_an_enhancement_is_passed_on_and_refused_if_its_weights_are_missing(
    client: FlaskClient, preparation: GatedPreparation
) -> None:
    refused = prepare(client, enhance="gfpgan")
    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "--method sharpen" in refused.get_json()["detail"]
    preparation.gate.set()
    prepare(client, enhance="sharpen")
    assert ended(client)["status"] == "done"
    assert [each["options"]["enhance"] for each in preparation.requests] == ["sharpen"]


def test_a_cancelled_or_failed_preparation_leaves_the_old_avatar(
    client: FlaskClient, preparation: GatedPreparation, app: Flask
) -> None:
    old = save(context(app).avatars, "anna")
    job_id = prepare(client).get_json()["job_id"]
    wait_until(lambda: state(client)["progress"], "its progress")
    client.post(f"/jobs/{job_id}/cancel")
    assert ended(client)["status"] == "cancelled"
    preparation.error = NoFaceError("No face was found in me.png. Send another photo.")
    preparation.gate.set()
    prepare(client)
    failed = ended(client)
    assert failed["error"] == {
        "kind": "InvalidFaceError",
        "description": "No face was found in me.png. Send another photo.",
    }
    assert context(app).avatars.open("anna").digest == old.digest
    assert client.get("/avatars/anna/preparation/preview.jpg").status_code == 404


@pytest.mark.parametrize(
    "avatar_id", ["", "a.b", "../x", "a/b", "a\0b", "аnna", "a" * 65, "a\n", "anna "]
)
def test_an_id_that_is_no_name_of_a_folder_is_refused_and_its_file_removed(
    avatar_id: str, client: FlaskClient, app: Flask
) -> None:
    answer = prepare(client, avatar_id)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "avatar_id" in answer.get_json()["detail"]
    assert context(app).uploads.of_owner(None) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"bbox_shift": "many"}, "bbox_shift"),
        ({"bbox_shift": "61"}, "from -60 to 60"),
        ({"batch_size": "0"}, "batch_size"),
        ({"force_recreate": "perhaps"}, "force_recreate"),
        ({"teeth": "gold"}, "teeth"),
        ({"video_url": "http://example.com/a.png"}, "video_url"),
        ({"colour": "red"}, "colour"),
        ({"background": "red"}, "background"),
        ({"enhance": "magic"}, "enhance"),
    ],
)
def test_every_field_is_checked(fields: dict[str, str], words: str, client: FlaskClient) -> None:
    answer = prepare(client, **fields)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert words in answer.get_json()["detail"]


def test_an_avatar_that_a_job_uses_is_not_deleted(
    client: FlaskClient, preparation: GatedPreparation, app: Flask
) -> None:
    save(context(app).avatars, "anna")
    job_id = prepare(client).get_json()["job_id"]
    refused = client.delete("/avatars/anna")
    assert (refused.status_code, refused.get_json()["kind"]) == (409, "AvatarError")
    assert job_id in refused.get_json()["detail"]
    preparation.gate.set()
    ended(client)
    assert client.delete("/avatars/anna").status_code == HTTPStatus.OK
    assert client.delete("/avatars/anna").status_code == HTTPStatus.NOT_FOUND
    assert not (context(app).avatars.root / "anna").exists()


def test_the_avatar_of_the_settings_is_not_deleted(client: FlaskClient, app: Flask) -> None:
    save(context(app).avatars, "tiny")
    refused = client.delete("/avatars/tiny")
    assert (refused.status_code, "settings" in refused.get_json()["detail"]) == (409, True)


def test_an_avatar_that_nobody_has_prepared_has_no_preparation(client: FlaskClient) -> None:
    for path in ("/avatars/anna/preparation", "/avatars/anna/preparation/preview.jpg"):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["kind"]) == (404, "NotFoundError")
    assert client.get("/avatars/a.b/preparation").status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def video_bytes(folder: Path) -> bytes:
    return film(folder / "wave.mp4", numbered(5)).read_bytes()


def test_the_films_of_actions_are_passed_on_with_their_names(
    client: FlaskClient, preparation: GatedPreparation, tmp_path: Path
) -> None:
    data = video_bytes(tmp_path)
    files = {f"action_{name}": (io.BytesIO(data), f"{name}.mp4") for name in ("wave", "nod-2")}
    assert prepare(client, **files).status_code == HTTPStatus.OK
    wait_until(lambda: preparation.requests, "the preparation")
    assert [(name, shown) for name, _, shown in preparation.requests[0]["actions"]] == [
        ("nod-2", "nod-2.mp4"),
        ("wave", "wave.mp4"),
    ]


def test_actions_are_added_to_an_avatar_that_exists_without_its_source(
    client: FlaskClient, preparation: GatedPreparation, tmp_path: Path
) -> None:
    save(AvatarStore(tmp_path / "results"), "anna")
    preparation.gate.set()
    data = {"avatar_id": "anna", "action_wave": (io.BytesIO(video_bytes(tmp_path)), "w.mp4")}
    assert client.post("/avatars/prepare", data=data).status_code == HTTPStatus.OK
    wait_until(lambda: preparation.requests, "the preparation")
    assert preparation.requests[0]["source"] is None


@pytest.mark.parametrize(
    ("fields", "status", "fault"),
    [
        ({}, 422, "send at least one"),
        ({"action_Wave": "film"}, 422, "must match"),
        ({"action_wave": "picture"}, 415, "action_wave"),
        ({"action_wave": "film"}, 404, "There is no avatar 'anna'"),
        ({"actions": "x"}, 422, "its own field"),
    ],
)
def test_a_request_for_actions_that_cannot_be_fulfilled_is_refused(
    client: FlaskClient, tmp_path: Path, fields: dict[str, str], status: int, fault: str
) -> None:
    contents = {"film": video_bytes(tmp_path), "picture": png()}
    data: dict[str, Any] = {
        name: (io.BytesIO(contents[kind]), "file") if kind in contents else kind
        for name, kind in fields.items()
    }
    answer = client.post("/avatars/prepare", data={"avatar_id": "anna", **data})
    assert (answer.status_code, fault in answer.get_json()["detail"]) == (status, True)
    assert not list((tmp_path / "results").glob("uploads/*/*"))
