"""Uploads that unfinished jobs need, which must not expire."""

import re
from collections.abc import Iterator

from warm.jobs.jobs import Jobs

UPLOAD_ID = re.compile(r"[0-9a-f]{32}")


def used_uploads(jobs: Jobs) -> set[str]:
    """Return the ids of all uploads that the requests of unfinished jobs name."""
    return {found for job in jobs.unfinished() for found in upload_ids(job.request)}


def upload_ids(value: object) -> Iterator[str]:
    """Yield every text in a JSON value that may be the id of an upload."""
    if isinstance(value, str):
        if UPLOAD_ID.fullmatch(value):
            yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from upload_ids(part)
    elif isinstance(value, list):
        for part in value:
            yield from upload_ids(part)
