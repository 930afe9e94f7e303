"""A real server whose jobs are short: `python -m bench.job_kills.server ARGS…`.

`POST /bench/jobs` makes a job from a number and a duration. A table of the job database gets a row
for each end of a job, in the transaction of the end.
"""

import sqlite3
import sys
import time
from functools import partial
from hashlib import sha256
from typing import Any

from flask import Blueprint, Flask, jsonify, request

from api.context import context
from api.job_results import job_json
from api.server.folder_lock import lock_folder
from api.server.gunicorn_app import listen, serve
from app import assemble
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine
from warm.jobs.database import Component
from warm.jobs.job import Job
from warm.jobs.progress import JobProgress
from warm.runtime import Runtime
from warm.settings import Settings, read_settings
from warm.voice_factory import configured_voices

KIND = SURFACE = "bench"
STEP_S = 0.01
ENDS = Component(
    name="ends",
    migrations=(("CREATE TABLE ends (job TEXT NOT NULL, state TEXT NOT NULL)",),),
    check="SELECT job, state FROM ends LIMIT 1",
)

routes = Blueprint("bench", __name__)


class ShortWork:
    """Writes one line after another for the time that the request names."""

    kind = KIND

    def run(self, job: Job, progress: JobProgress) -> dict[str, Any]:
        """Write the lines of the job's number."""
        number, work_s = job.request["number"], job.request["work_s"]
        started = time.monotonic()
        lines = lines_of(number)
        with (progress.folder / "result.mp4").open("w", encoding="ascii") as result:
            for place, line in enumerate(lines):
                result.write(line)
                result.flush()
                progress.report(place / len(lines), "writing")
                progress.check()
                time.sleep(max(0.0, started + work_s * place / len(lines) - time.monotonic()))
        return {"number": number}


def lines_of(number: int) -> list[str]:
    """The content of the result of a number."""
    return [f"{sha256(f'{number} {place}'.encode()).hexdigest()}\n" for place in range(50)]


@routes.post("/bench/jobs")
def submit() -> Any:
    """Make a job, once for each idempotency key."""
    job = context().jobs.submit(
        KIND,
        request.get_json(),
        surface=SURFACE,
        idempotency_key=request.headers["Idempotency-Key"],
    )
    return jsonify(job_json(job)), 201


def record_end(connection: sqlite3.Connection, job: Job) -> None:
    """Add a row for an end."""
    connection.execute("INSERT INTO ends VALUES (?, ?)", (job.id, job.state))


def main(*arguments: str) -> None:
    """Serve until a signal arrives."""
    settings = read_settings(list(arguments))
    make_engine(settings)  # imports it here, so that the next worker starts quickly
    with lock_folder(settings.results_dir), listen(settings.host, settings.port) as listener:
        serve(settings, listener, partial(load, settings))


def load(settings: Settings) -> Flask:
    """Return the server's application, with the handler and the table of this measurement.

    The engine is not loaded, because these jobs render nothing.
    """
    store = AvatarStore(settings.results_dir)
    runtime = Runtime(
        settings=settings,
        avatar=store.open(settings.avatar_id),
        engine=make_engine(settings),
        voices=configured_voices(settings),
    )
    app = assemble(settings, runtime, store)
    app.register_blueprint(routes)
    jobs = context(app).jobs
    jobs.register(ShortWork())
    jobs.database.register(ENDS)
    jobs.with_end(record_end)
    jobs.start()
    return app


if __name__ == "__main__":
    main(*sys.argv[1:])
