"""Fixtures of jobs with a handler that the test controls."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.warm.jobs.gated_handler import GatedHandler
from warm.jobs.job import JobError
from warm.jobs.jobs import Jobs
from warm.jobs.limits import JobLimits

MakeJobs = Callable[..., Jobs]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def handler() -> GatedHandler:
    return GatedHandler()


@pytest.fixture
def make_jobs(results: Path, handler: GatedHandler) -> Iterator[MakeJobs]:
    """Makes jobs with these limits, which are not started; they are closed after the test."""
    made = []

    def make(folder: Path = results, *, now: Callable[[], float] | None = None, **named: object):
        limits = JobLimits(**{"stop_s": 5.0, **named})  # type: ignore[arg-type]
        clock = {} if now is None else {"now": now}
        jobs = Jobs(folder, limits, describe=lambda error: JobError("E", str(error)), **clock)
        jobs.register(handler)
        made.append(jobs)
        return jobs

    yield make
    handler.gate.set()
    for jobs in made:
        jobs.close()


@pytest.fixture
def jobs(make_jobs: MakeJobs) -> Jobs:
    jobs = make_jobs()
    jobs.start()
    return jobs
