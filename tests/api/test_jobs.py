"""The routes of jobs and of their results."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context import context
from tests.polling import wait_until
from tests.warm.jobs.gated_handler import GatedHandler
from tests.warm.jobs.test_database import locked, set_wait
from warm.jobs.job import Job
from warm.jobs.jobs import Jobs
from warm.settings import Settings

PATIENCE_S = 60.0
CONTENT = "0123456789"


@pytest.fixture
def handler() -> GatedHandler:
    return GatedHandler()


@pytest.fixture
def jobs(app: Flask, handler: GatedHandler) -> Iterator[Jobs]:
    jobs = context(app).jobs
    jobs.register(handler)
    jobs.start()
    yield jobs
    handler.gate.set()


def submit(jobs: Jobs, **request: object) -> Job:
    return jobs.submit("film", request, surface="jobs", extra={"webhook": "https://secret"})


def done(jobs: Jobs) -> Job:
    return jobs.wait(submit(jobs, content=CONTENT).id, PATIENCE_S)


def running(jobs: Jobs, handler: GatedHandler) -> Job:
    handler.gate.clear()
    job = submit(jobs)
    wait_until(lambda: jobs.get(job.id).stage == "drawing", "the start of the job")
    return job


def fetch(client: FlaskClient, path: str, headers: dict[str, str] | None = None) -> TestResponse:
    """Return a whole response, whose file is closed."""
    with client.get(path, headers=headers) as response:
        response.get_data()
    return response


def result_path(client: FlaskClient, job: Job) -> str:
    url = client.get(f"/jobs/{job.id}").get_json()["result_url"]
    assert url.startswith("http://localhost/results/")
    return str(url).removeprefix("http://localhost")


def test_a_job_is_shown_with_its_result_and_times(client: FlaskClient, jobs: Jobs) -> None:
    job = done(jobs)
    answer = client.get(f"/jobs/{job.id}").get_json()
    assert answer["state"] == "done"
    assert answer["result"] == {"frames": 10}
    assert answer["result_url"] == f"http://localhost/results/{job.secret}/{job.id}.mp4"
    times = [datetime.fromisoformat(answer[f"{name}_at"]) for name in ("created", "finished")]
    assert times == sorted(times)
    assert answer["timings"]["running_s"] >= 0
    assert "webhook" not in json.dumps(answer)


def test_a_list_has_pages(client: FlaskClient, jobs: Jobs) -> None:
    made = [submit(jobs).id for _ in range(3)]
    first = client.get("/jobs?limit=2").get_json()
    second = client.get(f"/jobs?limit=2&token={first['token']}").get_json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == made[::-1]
    assert second["token"] is None
    assert client.get("/jobs?surface=talks").get_json() == {"jobs": [], "token": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "token=x", "other=1"])
def test_a_bad_query_of_the_list_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/jobs?{query}")
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.get_json()["kind"] == "ValidationError"


def test_a_result_is_sent_whole_and_in_ranges(client: FlaskClient, jobs: Jobs) -> None:
    path = result_path(client, done(jobs))
    whole = fetch(client, path)
    assert (whole.status_code, whole.text, whole.mimetype) == (200, CONTENT, "video/mp4")
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = fetch(client, path, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.text) == (206, "234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    assert fetch(client, path, headers={"Range": "bytes=-3"}).text == "789"
    beyond = fetch(client, path, headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")


def test_a_result_has_a_tag_that_saves_sending_it_again(client: FlaskClient, jobs: Jobs) -> None:
    path = result_path(client, done(jobs))
    tag = fetch(client, path).headers["ETag"]
    assert fetch(client, path, headers={"If-None-Match": tag}).status_code == 304
    assert fetch(client, path, headers={"If-Match": '"other"'}).status_code == 412
    resumed = {"Range": "bytes=8-", "If-Range": tag}
    assert fetch(client, path, headers=resumed).text == "89"
    assert fetch(client, path, headers={**resumed, "If-Range": '"other"'}).text == CONTENT


def test_head_reports_the_size_of_a_result(client: FlaskClient, jobs: Jobs) -> None:
    with client.head(result_path(client, done(jobs))) as answer:
        assert (answer.status_code, answer.headers["Content-Length"], answer.data) == (
            200,
            "10",
            b"",
        )


def test_the_video_route_names_the_file(client: FlaskClient, jobs: Jobs) -> None:
    job = done(jobs)
    played = fetch(client, f"/jobs/{job.id}/video")
    assert played.text == CONTENT
    assert played.headers["Content-Disposition"] == f"inline; filename={job.id}.mp4"
    saved = fetch(client, f"/jobs/{job.id}/video?download=1&secret={job.secret}")
    assert saved.headers["Content-Disposition"] == f"attachment; filename={job.id}.mp4"


def test_a_wrong_secret_finds_nothing(client: FlaskClient, jobs: Jobs) -> None:
    job = done(jobs)
    for path in (
        f"/results/{'0' * 32}/{job.id}.mp4",
        f"/results/{job.secret[:-1]}/{job.id}.mp4",
        f"/results/{job.secret}/{job.id}.mov",
        f"/results/{job.secret}/{job.id}",
        f"/results/%C3%A9/{job.id}.mp4",
        f"/jobs/{job.id}/video?secret=",
        f"/jobs/{job.id}/video?secret={job.secret[:-1]}",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["kind"]) == (404, "NotFoundError"), path


def test_a_job_without_a_result_yet_is_a_conflict(
    client: FlaskClient, jobs: Jobs, handler: GatedHandler
) -> None:
    job = running(jobs, handler)
    answer = client.get(f"/results/{job.secret}/{job.id}.mp4")
    assert (answer.status_code, answer.get_json()["kind"]) == (409, "NotReadyError")
    assert client.get(f"/jobs/{job.id}").get_json()["result_url"] is None


def test_a_result_whose_file_is_gone_is_gone(
    client: FlaskClient, jobs: Jobs, settings: Settings
) -> None:
    job = done(jobs)
    (settings.results_dir / "jobs" / job.id / "result.mp4").unlink()
    answer = client.get(f"/jobs/{job.id}/video")
    assert (answer.status_code, answer.get_json()["kind"]) == (410, "GoneError")


def test_a_download_goes_on_while_its_job_is_deleted(
    client: FlaskClient, jobs: Jobs, settings: Settings
) -> None:
    job = done(jobs)
    with client.get(f"/jobs/{job.id}/video") as download:
        assert client.delete(f"/jobs/{job.id}").status_code == 204
        folder = settings.results_dir / "jobs"
        wait_until(lambda: not list(folder.iterdir()), "the removal")
        assert download.text == CONTENT
    assert client.get(f"/jobs/{job.id}").status_code == 404


def test_a_running_job_is_not_deleted_but_cancelled(
    client: FlaskClient, jobs: Jobs, handler: GatedHandler
) -> None:
    job = running(jobs, handler)
    refused = client.delete(f"/jobs/{job.id}")
    assert (refused.status_code, refused.get_json()["kind"]) == (409, "NotReadyError")
    assert client.post(f"/jobs/{job.id}/cancel").status_code in {200, 202}
    assert jobs.wait(job.id, PATIENCE_S).state == "cancelled"
    assert client.delete(f"/jobs/{job.id}").status_code == 204


@pytest.mark.parametrize(
    "job_id",
    ["nothing", "..%2f..%2fjobs.sqlite3", "%00", "job_" + "0" * 32, "j%D0%BEb_0", "%F0%9F%98%80"],
)
def test_an_odd_id_is_not_found_by_any_route(
    client: FlaskClient, jobs: Jobs, settings: Settings, job_id: str
) -> None:
    done(jobs)
    paths = [f"/jobs/{job_id}{rest}" for rest in ("", "/video", "/video?secret=x", "/events")]
    paths += [f"/results/x/{job_id}.mp4", f"/results/{job_id}/job_{'0' * 32}.mp4"]
    answers = [client.get(path) for path in paths]
    answers += [client.delete(f"/jobs/{job_id}"), client.post(f"/jobs/{job_id}/cancel")]
    assert {answer.status_code for answer in answers} == {404}
    assert Path(settings.results_dir, "jobs.sqlite3").is_file()


def test_events_follow_a_job_to_its_end(
    client: FlaskClient, jobs: Jobs, handler: GatedHandler
) -> None:
    job = running(jobs, handler)
    texts = (part.decode() for part in client.get(f"/jobs/{job.id}/events").response)
    first = json.loads(next(texts).split("data: ")[1])
    assert (first["state"], first["stage"], first["progress"]) == ("running", "drawing", 0.5)
    handler.gate.set()
    last = [json.loads(text.split("data: ")[1]) for text in texts if text.startswith("event")][-1]
    assert (last["state"], last["result"]) == ("done", {"frames": 4})


def test_events_of_a_job_that_is_deleted_end_with_an_error(
    client: FlaskClient, jobs: Jobs, handler: GatedHandler
) -> None:
    job = running(jobs, handler)
    waiting = submit(jobs)
    other = submit(jobs)  # the places are taken
    texts = (part.decode() for part in client.get(f"/jobs/{other.id}/events").response)
    assert '"queued"' in next(texts)
    jobs.delete(other.id)
    *_, last = texts
    assert last.startswith("event: error")
    assert "no such job" in last
    both = (job, waiting)
    wait_until(lambda: {jobs.get(each.id).state for each in both} == {"running"}, "both to run")


def test_events_take_a_slot_of_the_viewers(
    app: Flask, client: FlaskClient, jobs: Jobs, handler: GatedHandler
) -> None:
    job = running(jobs, handler)
    context(app).viewers.limit = 1
    watching = client.get(f"/jobs/{job.id}/events")
    refused = client.get(f"/jobs/{job.id}/events")
    assert (refused.status_code, refused.get_json()["kind"]) == (503, "QueueFullError")
    watching.close()
    client.get(f"/jobs/{job.id}/events").close()
    assert context(app).viewers.taken == 0


def test_a_locked_database_is_answered_with_503_and_the_rest_goes_on(
    client: FlaskClient, jobs: Jobs, settings: Settings
) -> None:
    job = done(jobs)
    set_wait(jobs, 0.05)
    assert client.get(f"/jobs/{job.id}").status_code == 200
    with locked(settings.results_dir):
        answer = client.delete(f"/jobs/{job.id}")
        assert (answer.status_code, answer.get_json()["kind"]) == (503, "StorageError")
        assert int(answer.headers["Retry-After"]) >= 1
        assert fetch(client, f"/jobs/{job.id}/video").text == CONTENT
        assert client.get("/health").status_code == 200
        assert client.post("/speak", json={"text": "Hello"}).status_code == 200
    assert client.delete(f"/jobs/{job.id}").status_code == 204


def test_jobs_are_counted(client: FlaskClient, jobs: Jobs, handler: GatedHandler) -> None:
    done(jobs)
    for _ in range(2):
        running(jobs, handler)
    submit(jobs)
    counts = {"queued": 1, "running": 2, "done": 1, "error": 0, "cancelled": 0}
    assert client.get("/stats").get_json()["jobs"] == counts
    health = client.get("/health").get_json()
    assert (health["jobs_queued"], health["jobs_processing"]) == (1, 2)


def test_a_full_queue_answers_when_to_come_back(client_with: Callable[..., FlaskClient]) -> None:
    client = client_with(max_queue_size=1)
    body = {"avatar_id": "tiny", "text": {"text": "Hello"}}
    assert client.post("/films", json=body, headers={"Idempotency-Key": "k"}).status_code == 202
    full = client.post("/films", json=body, headers={"Idempotency-Key": "other"})
    assert (full.status_code, full.get_json()["kind"]) == (503, "QueueFullError")
    assert int(full.headers["Retry-After"]) >= 1
    assert full.get_json()["limit"]["setting"] == "max_queue_size"
    assert client.post("/films", json=body, headers={"Idempotency-Key": "k"}).status_code == 202
    changed = {**body, "text": {"text": "Bye"}}
    refused = client.post("/films", json=changed, headers={"Idempotency-Key": "k"})
    assert (refused.status_code, refused.get_json()["kind"]) == (422, "ValidationError")
    assert len(client.get("/jobs").get_json()["jobs"]) == 1
    context(client.application).jobs.close()
