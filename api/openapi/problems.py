"""Errors of operations: the statuses, and the kinds of each."""

from collections.abc import Mapping
from http import HTTPStatus

from werkzeug.routing import Rule

from api.openapi.schemas import Json, Schemas
from api.operation import Operation
from api.problem import problem_kinds

PROBLEM = "application/problem+json"
EVERYWHERE = (400, 421, 431, 500, 503)
"""Statuses of every operation: a malformed or foreign `Host`, long headers, a bug, and a server
that is starting or full."""
WITH_PATH = (404, 414, 422)
WITH_QUERY = (400, 414, 422)
WITH_BODY = (400, 408, 413, 415, 422)
WITH_KEY = (401, 403, 429)
CHANGES = (403, 507)
"""Statuses of a change: a request from the page of another site, and a full disk."""
SAFE = ("GET", "HEAD")
WITH_MATCH = 412
"""Status of every `GET` whose `If-Match` names other entity tags."""


def problem_statuses(rule: Rule, method: str, operation: Operation) -> list[int]:
    """Return the statuses of the errors of an operation that are answered as problem details."""
    found = {*EVERYWHERE, *operation.problems}
    found |= set(WITH_PATH if rule.arguments - set(rule.defaults or ()) else ())
    found |= set(WITH_QUERY if operation.query else ())
    found |= set(WITH_BODY if operation.body or operation.form else ())
    found |= set(WITH_KEY if operation.scope != "public" else ())
    found |= set(CHANGES if method not in SAFE or rule.rule == "/reset" else ())
    found |= {WITH_MATCH} if method in SAFE else set()
    return sorted((found & problem_kinds().keys()) - operation.answers.keys())


def problem_responses(schemas: Schemas) -> Mapping[str, Json]:
    """Return the response with each status, as components of the document."""
    kinds = problem_kinds()
    return {str(status): problem_response(status, kinds[status], schemas) for status in kinds}


def problem_response(status: int, kinds: list[str], schemas: Schemas) -> Json:
    """Return the response with one status; its description lists the kinds of error."""
    listed = ", ".join(f"`{kind}`" for kind in kinds)
    return {
        "description": f"{HTTPStatus(status).phrase}: {listed}",
        **({"headers": RETRY_AFTER} if status in {429, 503} else {}),
        **({"headers": AUTHENTICATE} if status == 401 else {}),
        "content": {PROBLEM: {"schema": schemas.problem()}},
    }


RETRY_AFTER: Json = {
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 0},
    }
}
AUTHENTICATE: Json = {
    "WWW-Authenticate": {
        "description": "Accepted kinds of credentials.",
        "schema": {"type": "string"},
    }
}
