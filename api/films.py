"""`POST /films`: a film of a face that speaks a text or a recording, made by a job."""

from typing import Any

from flask import Blueprint, request

from api.answers.jobs import JobAnswer
from api.body import Body, read_body
from api.caller import caller
from api.context import context
from api.example import example
from api.job_results import job_json
from api.operation import operation
from warm.production.film_request import FilmRequest

films = Blueprint("films", __name__)


class FilmBody(FilmRequest, Body):
    """The body of `POST /films`: exactly one of `avatar_id` and `source`, and of `text` and
    `recording`."""

    model_config = example(
        avatar_id="demo",
        text={"text": "Welcome to our museum.", "voice": "heart"},
        options={"result_format": "mp4", "output_resolution": 480, "subtitles": True},
    )


@films.post("/films")
@operation(
    body=FilmBody,
    answers={202: JobAnswer},
    headers=("Idempotency-Key",),
    problems=(404, 409, 415, 507),
    tag="jobs",
    scope="speak",
)
def make_film() -> tuple[dict[str, Any], int]:
    """Make a film; answers with the job that makes it.

    Live speech of sessions has priority.
    """
    body = read_body(FilmBody)
    context().films.checks.check(body)
    job = context().jobs.submit(
        "film",
        body.model_dump(mode="json"),
        surface="jobs",
        owner=caller().name,
        idempotency_key=request.headers.get("Idempotency-Key"),
        max_queued=caller().max_queued,
    )
    return job_json(job), 202
