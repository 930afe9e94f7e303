"""`/talks`: films of a picture or an avatar that speaks a text or a recording."""

from typing import Any

from api.answers.did import DeliveriesAnswer, FilmCreated, TalkAnswer, TalksAnswer
from api.did.errors import did_blueprint
from api.did.film_bodies import submit_film
from api.did.film_json import created_json, talk_json
from api.did.film_routes import (
    ListQuery,
    delete_film,
    deliveries_json,
    idempotency_key,
    list_films,
)
from api.did.lenient import read_lenient
from api.did.talk_body import TalkBody, film_of_talk
from api.job_results import find_job
from api.operation import operation
from api.serializers import absolute_url

SURFACE = "talks"
ID_PREFIX = "tlk_"

talks = did_blueprint("talks")


@talks.post("/talks", strict_slashes=False)
@operation(
    body=TalkBody,
    answers={201: FilmCreated},
    headers=("Idempotency-Key",),
    problems=(409,),
    tag="did",
    scope="speak",
)
def create() -> tuple[dict[str, Any], int]:
    """Make a film of a picture or an avatar that speaks a text or a recording, as a job."""
    body = read_lenient(TalkBody)
    request, shown = film_of_talk(body)
    job = submit_film(
        body,
        request,
        surface=SURFACE,
        id_prefix=ID_PREFIX,
        extra=shown,
        idempotency_key=idempotency_key(),
    )
    return created_json(job, "talk"), 201


@talks.get("/talks", strict_slashes=False)
@operation(query=ListQuery, answers={200: TalksAnswer}, tag="did", scope="watch")
def list_all() -> dict[str, Any]:
    """The talks of the caller, the newest first."""
    jobs, token = list_films(SURFACE)
    return {"talks": [talk_json(job, absolute_url) for job in jobs], "token": token}


@talks.get("/talks/<talk_id>", strict_slashes=False)
@operation(answers={200: TalkAnswer}, tag="did", scope="watch")
def show(talk_id: str) -> dict[str, Any]:
    """A talk of the caller; `result_url` is set when its status is `done`."""
    return talk_json(find_job(talk_id, SURFACE), absolute_url)


@talks.delete("/talks/<talk_id>", strict_slashes=False)
@operation(answers={200: TalkAnswer}, problems=(409,), tag="did", scope="speak")
def delete(talk_id: str) -> dict[str, Any]:
    """Delete a talk and its film; a talk that is still being made cannot be deleted."""
    return talk_json(delete_film(talk_id, SURFACE), absolute_url)


@talks.get("/talks/<talk_id>/webhooks", strict_slashes=False)
@operation(answers={200: DeliveriesAnswer}, tag="did", scope="watch")
def webhooks(talk_id: str) -> dict[str, Any]:
    """The messages that were sent at the end of a talk, with every attempt."""
    return deliveries_json(find_job(talk_id, SURFACE))
