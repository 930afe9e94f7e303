"""Answers to requests that gunicorn rejects before Flask sees them."""

import logging
from http import HTTPStatus

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from api.problem import Problem, problem_of_bug

STATUSES = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}
"""Status of each error; all others get 400."""

log = logging.getLogger(__name__)


def rejection(error: BaseException) -> bytes:
    """Return the whole response, head and body, which closes the connection."""
    problem = problem_of(error) if isinstance(error, ParseException) else problem_of_bug(error)
    answer = problem.response()
    answer.headers["Connection"] = "close"
    return f"HTTP/1.1 {answer.status}\r\n{answer.headers}".encode("latin-1") + answer.get_data()


def problem_of(error: ParseException) -> Problem:
    """Return the answer to a request that violates HTTP or exceeds a limit of the server."""
    log.warning("a request could not be read: %s", error)
    return Problem(
        status=STATUSES.get(type(error), HTTPStatus.BAD_REQUEST),
        kind="BadRequestError",
        detail=f"the request cannot be read: {error}",
    )
