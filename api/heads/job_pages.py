"""Pages of the jobs of all heads, the newest job first.

Each head has its own database. A page is merged from one page of each head, so its token has a
position in the list of each head: `a.12~b.7`.
"""

import heapq
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from api.context import context
from warm.heads.head import Head
from warm.heads.heads import Heads
from warm.jobs.errors import BadJobToken
from warm.jobs.job import Job, JobError

TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]+\.[0-9]{1,18}(~[A-Za-z0-9_-]+\.[0-9]{1,18})*")

JobPage = tuple[Sequence[Job], str | None]
"""Jobs of one head, the newest first, and the token of the older ones; None if there are none."""

log = logging.getLogger(__name__)


def list_jobs(
    surface: str | None, owner: str | None, *, limit: int, token: str | None
) -> tuple[Sequence[Job], str | None]:
    """Return jobs of all heads that answer, and the token of the next page; None on the last one.

    `surface` and `owner`: only their jobs. Raises BadJobToken, JobStoreError and OSError.
    """
    heads, jobs = context().heads, context().jobs
    if heads is None:
        return jobs.list(surface, owner, limit, token)
    positions = None if token is None else positions_of(token)
    pages = {}
    if positions is None or heads.own.name in positions:
        own_token = None if positions is None else positions[heads.own.name]
        pages[heads.own.name] = jobs.list(surface, owner, limit, own_token)
    for head in heads.others():
        if positions is None or head.name in positions:
            query = {"surface": surface, "owner": owner, "limit": limit}
            page = page_of(heads, head, query | {"token": positions and positions[head.name]})
            if page is not None:
                pages[head.name] = page
    return merged(pages, limit)


def merged(pages: Mapping[str, JobPage], limit: int) -> tuple[list[Job], str | None]:
    """Return the newest jobs of the pages of all heads, and the token of the older ones."""
    named = ([(name, job) for job in jobs] for name, (jobs, _) in pages.items())
    newest = [*heapq.merge(*named, key=lambda each: -each[1].created_s)][:limit]
    counts = Counter(name for name, _ in newest)
    after = {name: position_after(page, counts[name]) for name, page in pages.items()}
    token = "~".join(f"{name}.{each}" for name, each in after.items() if each is not None)
    return [job for _, job in newest], token or None


def position_after(page: JobPage, count: int) -> str | None:
    """Return the position in the list of a head after the first `count` jobs of a page; None at
    its end."""
    jobs, token = page
    return token if count == len(jobs) else str(jobs[count].number + 1)


def positions_of(token: str) -> dict[str, str]:
    """Return the positions in the lists of heads, by their names; raises BadJobToken."""
    if not TOKEN_PATTERN.fullmatch(token):
        raise BadJobToken(token)
    return dict(each.split(".", 1) for each in token.split("~"))


def page_of(heads: Heads, head: Head, query: Mapping[str, object]) -> JobPage | None:
    """Return a page of another head; None if it does not answer with one in time."""
    given = {name: value for name, value in query.items() if value is not None}
    answer = heads.peers.get(head, f"/heads/jobs?{urlencode(given)}", {})
    try:
        return None if answer is None else read_page(answer)
    except (KeyError, TypeError, AttributeError) as error:
        log.error("%s lists its jobs in another form: %s", head, error)  # noqa: TRY400
        return None


def page_json(page: JobPage) -> dict[str, Any]:
    """JSON of a page, for another head."""
    jobs, token = page
    return {"jobs": [asdict(job) for job in jobs], "token": token}


def read_page(answer: Mapping[str, Any]) -> JobPage:
    """Return the page of another head; raises KeyError, TypeError and AttributeError."""
    return [read_job(each) for each in answer["jobs"]], answer["token"]


def read_job(members: Mapping[str, Any]) -> Job:
    """Return a job of another head; raises TypeError and AttributeError."""
    error = members.get("error")
    return Job(**{**members, "error": error and JobError(**error)})
