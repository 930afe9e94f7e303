"""Errors in the shape of OpenAI's API, which its clients read."""

import json

from flask import Response

from api.problem import Problem

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
STATUSES = (
    *(400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 421, 429, 431),
    *(500, 502, 503, 504, 507),
)
"""Statuses of errors."""


def openai_error(problem: Problem) -> dict[str, object]:
    """Return the JSON of an error."""
    kind = "server_error" if problem.status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": problem.detail,
            "type": TYPES.get(problem.status, kind),
            "param": next(iter(problem.details), None),
            "code": problem.kind,
        }
    }


def openai_response(problem: Problem) -> Response:
    """Return the response of an error; a body that cannot be used is 400."""
    return Response(
        json.dumps(openai_error(problem)),
        status=400 if problem.status == 422 else problem.status,
        headers=problem.headers,
        mimetype="application/json",
    )
