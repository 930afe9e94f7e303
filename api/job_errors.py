"""Errors of jobs, with the same kinds as those of requests."""

from api.problem import problem_of
from warm.jobs.job import JobError


def job_error(error: Exception) -> JobError:
    """Return the kind and the text of an error; an unexpected one is logged."""
    problem = problem_of(error)
    return JobError(problem.kind, problem.detail)
