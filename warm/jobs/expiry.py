"""Deletion of old results, and of results over the limit of disk space."""

from collections.abc import Iterator, Sequence

from warm.jobs.files import JobFiles
from warm.jobs.limits import MB, JobLimits
from warm.jobs.table import JobTable, KeptResult

MAX_ENDED = 20_000
"""Rows of ended jobs without a result that are kept."""


class Expiry:
    """Deletes results, and later their rows. One thread."""

    def __init__(self, table: JobTable, files: JobFiles, limits: JobLimits) -> None:
        self._table, self._files, self._limits = table, files, limits

    def run(self, now_s: float) -> None:
        """Delete results and rows that are too old or too many. Raises JobStoreError and OSError.

        A download that has begun keeps its open file.
        """
        self._table.limit_age(now_s)
        for job_id in overdue(self._table.kept_results(), self._limits, now_s):
            self._table.expire(job_id)
            self._files.discard(job_id)
        before_s = now_s - 2 * self._limits.job_ttl_s if self._limits.job_ttl_s else 0.0
        self._table.forget(before_s=before_s, most=MAX_ENDED)


def overdue(kept: Sequence[KeptResult], limits: JobLimits, now_s: float) -> Iterator[str]:
    """Yield the ids of the results to delete, the oldest first.

    The newest result is not deleted because of its size.
    """
    total = sum(result.bytes for result in kept)
    for place, result in enumerate(kept):
        is_old = bool(limits.job_ttl_s) and now_s - result.kept_from_s >= limits.job_ttl_s
        is_newest = place == len(kept) - 1
        if is_old or (total > limits.max_jobs_mb * MB and not is_newest):
            total -= result.bytes
            yield result.id
