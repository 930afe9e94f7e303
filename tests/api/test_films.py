"""Films ordered over HTTP, and requests for them that are refused by name."""

import io
from collections.abc import Iterator

import av
import cv2
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.context import context
from tests.tiny_face import HEIGHT, WIDTH
from warm.jobs.jobs import Jobs

PATIENCE_S = 600.0
TEXT = {"text": "Hello."}


@pytest.fixture
def jobs(app: Flask) -> Iterator[Jobs]:
    jobs = context(app).jobs
    jobs.start()
    yield jobs
    jobs.close()


def upload(client: FlaskClient, picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    data = cv2.imencode(".png", picture)[1].tobytes()
    answer = client.post("/uploads", data={"file": (io.BytesIO(data), "a.png")})
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])  # type: ignore[index]


@pytest.mark.slow
def test_a_film_is_ordered_followed_and_downloaded_without_a_key(
    client: FlaskClient, jobs: Jobs
) -> None:
    options = {"output_resolution": 160, "subtitles": True}
    body = {"avatar_id": "tiny", "text": TEXT, "options": options}
    answer = client.post("/films", json=body)
    assert answer.status_code == 202, answer.text
    job_id = answer.json["id"]  # type: ignore[index]
    assert jobs.wait(job_id, PATIENCE_S).error is None
    job = client.get(f"/jobs/{job_id}").json
    assert job is not None
    assert (job["state"], job["kind"], job["surface"]) == ("done", "film", "jobs")
    with client.get(job["result_url"].removeprefix("http://localhost")) as result:
        film = result.get_data()
    assert result.content_type == "video/mp4"
    captions_path = job["result_url"].removeprefix("http://localhost").replace(".mp4", ".vtt")
    with client.get(captions_path) as captions:
        assert captions.text.startswith("WEBVTT\n")
        assert captions.text.rstrip().endswith("Hello.")
    assert captions.content_type.startswith("text/vtt")
    with av.open(io.BytesIO(film)) as container:
        pictures = list(container.decode(video=0))
    assert len(pictures) == job["result"]["frames"]
    assert (pictures[0].width, pictures[0].height) == (160 * WIDTH // HEIGHT, 160)
    assert client.get("/session").json["clips"] == []  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        ({"avatar_id": None}, "the body", "needs exactly one of avatar_id and source"),
        ({"recording": "0" * 32}, "the body", "needs exactly one of text and recording"),
        ({"options": {"fps": 7}}, "options.fps", "must be a number from 10 to 60"),
        ({"options": {"fps": "25"}}, "options.fps", "must be a number from 10 to 60"),
        ({"options": {"result_format": "avi"}}, "options.result_format", "'mp4', 'mov' or 'webm'"),
        ({"options": {"pad_audio_s": 61}}, "options.pad_audio_s", "must be a number from 0 to 60"),
        ({"options": {"output_resolution": 149}}, "options.output_resolution", "from 150 to 1080"),
        ({"options": {"background": "green"}}, "options.background", "pattern"),
        ({"options": {"logo": {"x": 4}}}, "options.logo.upload", "is missing"),
        ({"options": {"enhance": "magic"}}, "options.enhance", "'gfpgan' or 'sharpen'"),
        ({"options": {"blur": 1}}, "options.blur", "not known; allowed: fluent, pad_audio_s"),
        ({"text": {"text": "Hi.", "pitch": 2}}, "text.pitch", "allowed: text, markup, voice"),
        ({"text": {"text": "..."}}, "text", "at least one letter"),
        ({"text": {"text": "Hi.", "voice": "nobody"}}, "voice", "nobody"),
    ],
)
def test_a_fault_in_a_request_is_named(
    client: FlaskClient, change: dict[str, object], name: str, message: str
) -> None:
    body = {"avatar_id": "tiny", "text": TEXT} | change
    answer = client.post("/films", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json
    assert problem is not None
    assert message in problem["details"][f"body.{name}"]["message"]


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"avatar_id": "nobody"}, 404, "nobody"),
        ({"avatar_id": None, "source": "0" * 32}, 404, "no stored file has this id"),
        ({"text": None, "recording": "f" * 32}, 404, "no stored file has this id"),
        ({"options": {"background": "transparent"}}, 400, "options.result_format = 'mp4': needs"),
        ({"options": {"enhance": "gfpgan"}}, 503, "--method sharpen"),
    ],
)
def test_a_film_that_cannot_be_made_is_refused_before_it_is_a_job(
    client: FlaskClient, change: dict[str, object], status: int, message: str
) -> None:
    answer = client.post("/films", json={"avatar_id": "tiny", "text": TEXT} | change)
    assert answer.status_code == status, answer.text
    assert message in answer.json["detail"]  # type: ignore[index]
    assert client.get("/jobs").json["jobs"] == []  # type: ignore[index]


def test_files_of_the_wrong_kind_and_logos_that_do_not_fit_are_refused(
    client: FlaskClient,
) -> None:
    picture = upload(client, np.full((HEIGHT, WIDTH + 8, 3), 90, np.uint8))
    body = {"avatar_id": "tiny", "text": TEXT, "options": {"logo": {"upload": picture}}}
    refused = client.post("/films", json=body)
    assert refused.status_code == 400
    assert f"does not fit into a film of {WIDTH}x{HEIGHT}" in refused.json["detail"]  # type: ignore[index]
    body = {"avatar_id": "tiny", "recording": picture}
    refused = client.post("/films", json=body)
    assert refused.status_code == 415, refused.text
