"""Jobs belong to the key that made them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api.context import context
from tests.api.keys.conftest import Served, make_key
from tests.warm.jobs.gated_handler import GatedHandler
from warm.jobs.job import Job
from warm.jobs.jobs import Jobs

PATIENCE_S = 60.0


@pytest.fixture
def secrets(key_file: Path) -> dict[str, str]:
    return {
        "ann": make_key(key_file, "ann", "watch"),
        "bob": make_key(key_file, "bob", "watch", "speak"),
        "eve": make_key(key_file, "eve", "prepare"),
        "root": make_key(key_file, "root", "admin"),
    }


@pytest.fixture
def app(served: Served, secrets: dict[str, str]) -> Iterator[Flask]:
    app = served()
    jobs = context(app).jobs
    jobs.register(GatedHandler())
    jobs.start()
    yield app
    jobs.close()


@pytest.fixture
def jobs(app: Flask) -> Jobs:
    return context(app).jobs


def done(jobs: Jobs, owner: str) -> Job:
    return jobs.wait(jobs.submit("film", {}, surface="jobs", owner=owner).id, PATIENCE_S)


def call(
    app: Flask, secrets: dict[str, str], who: str, path: str, method: str = "GET"
) -> TestResponse:
    headers = {"Authorization": f"Bearer {secrets[who]}"} if who else {}
    with app.test_client().open(path, method=method, headers=headers) as response:
        response.get_data()
    return response


def test_a_key_finds_only_its_own_jobs(app: Flask, jobs: Jobs, secrets: dict[str, str]) -> None:
    job = done(jobs, "ann")
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/video", f"/jobs/{job.id}/events"):
        found = [call(app, secrets, who, path).status_code for who in ("ann", "root", "bob")]
        assert found == [200, 200, 404], path
    listed = {
        who: [each["id"] for each in call(app, secrets, who, "/jobs").get_json()["jobs"]]
        for who in ("ann", "root", "bob")
    }
    assert job.id in listed["ann"]
    assert job.id in listed["root"]
    assert listed["bob"] == []


def test_a_key_changes_only_its_own_jobs(app: Flask, jobs: Jobs, secrets: dict[str, str]) -> None:
    job = done(jobs, "ann")
    assert call(app, secrets, "bob", f"/jobs/{job.id}/cancel", "POST").status_code == 404
    assert call(app, secrets, "bob", f"/jobs/{job.id}", "DELETE").status_code == 404
    assert jobs.get(job.id).state == "done"
    assert call(app, secrets, "ann", f"/jobs/{job.id}", "DELETE").status_code == 204


def test_a_result_needs_a_key_or_its_secret(
    app: Flask, jobs: Jobs, secrets: dict[str, str]
) -> None:
    job = done(jobs, "ann")
    answers = {
        path: call(app, secrets, who, path).status_code
        for who, path in (
            ("", f"/results/{job.secret}/{job.id}.mp4"),
            ("", f"/jobs/{job.id}/video?secret={job.secret}"),
            ("", f"/jobs/{job.id}/video?secret=x"),
            ("", f"/jobs/{job.id}/video"),
            ("eve", f"/jobs/{job.id}/video?"),
        )
    }
    assert list(answers.values()) == [200, 200, 404, 401, 403]
