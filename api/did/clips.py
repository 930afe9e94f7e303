"""`/clips`: films of an avatar that speaks a text or a recording."""

from typing import Any

from api.answers.did import ClipAnswer, ClipsAnswer, DeliveriesAnswer, FilmCreated
from api.did.clip_body import ClipBody, film_of_clip
from api.did.errors import did_blueprint
from api.did.film_bodies import submit_film
from api.did.film_json import clip_json, created_json
from api.did.film_routes import (
    ListQuery,
    delete_film,
    deliveries_json,
    idempotency_key,
    list_films,
)
from api.did.lenient import read_lenient
from api.job_results import find_job
from api.operation import operation
from api.serializers import absolute_url

SURFACE = "clips"
ID_PREFIX = "clp_"

clips = did_blueprint("clips")


@clips.post("/clips", strict_slashes=False)
@operation(
    body=ClipBody,
    answers={201: FilmCreated},
    headers=("Idempotency-Key",),
    problems=(404, 409),
    tag="did",
    scope="speak",
)
def create() -> tuple[dict[str, Any], int]:
    """Make a film of an avatar that speaks a text or a recording, as a job."""
    body = read_lenient(ClipBody)
    request, shown = film_of_clip(body)
    job = submit_film(
        body,
        request,
        surface=SURFACE,
        id_prefix=ID_PREFIX,
        extra=shown,
        idempotency_key=idempotency_key(),
    )
    return created_json(job, "clip"), 201


@clips.get("/clips", strict_slashes=False)
@operation(query=ListQuery, answers={200: ClipsAnswer}, tag="did", scope="watch")
def list_all() -> dict[str, Any]:
    """The clips of the caller, the newest first."""
    jobs, token = list_films(SURFACE)
    return {"clips": [clip_json(job, absolute_url) for job in jobs], "token": token}


@clips.get("/clips/<clip_id>", strict_slashes=False)
@operation(answers={200: ClipAnswer}, tag="did", scope="watch")
def show(clip_id: str) -> dict[str, Any]:
    """A clip of the caller; `result_url` is set when its status is `done`."""
    return clip_json(find_job(clip_id, SURFACE), absolute_url)


@clips.delete("/clips/<clip_id>", strict_slashes=False)
@operation(answers={200: ClipAnswer}, problems=(409,), tag="did", scope="speak")
def delete(clip_id: str) -> dict[str, Any]:
    """Delete a clip and its film; a clip that is still being made cannot be deleted."""
    return clip_json(delete_film(clip_id, SURFACE), absolute_url)


@clips.get("/clips/<clip_id>/webhooks", strict_slashes=False)
@operation(answers={200: DeliveriesAnswer}, tag="did", scope="watch")
def webhooks(clip_id: str) -> dict[str, Any]:
    """The messages that were sent at the end of a clip, with every attempt."""
    return deliveries_json(find_job(clip_id, SURFACE))
