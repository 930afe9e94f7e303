"""Answers to requests that Flask never sees: malformed, too slow, or too many."""

import logging
from http import HTTPStatus

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from api.problem import BODY_KINDS, RETRY_S, Problem, problem_of_bug
from api.response_headers import protective_headers
from api.server.request_reader import BodyTooLong

STATUSES = {
    BodyTooLong: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}
"""Status of each error; all others get 400."""

log = logging.getLogger(__name__)


def rejection(error: BaseException, *, client: str) -> bytes:
    """Return the whole response, head and body, which closes the connection.

    `client` is the name of the peer for the log.
    """
    if not isinstance(error, ParseException):
        return closing_response(problem_of_bug(error))
    log.warning("a request could not be read: %s", error, extra={"client": client})
    return closing_response(problem_of(error))


def closing_response(problem: Problem) -> bytes:
    """Return the bytes of a problem response, after which the connection is closed."""
    answer = problem.response()
    answer.headers.update(protective_headers(("none",)))
    answer.headers["Connection"] = "close"
    return f"HTTP/1.1 {answer.status}\r\n{answer.headers}".encode("latin-1") + answer.get_data()


def problem_of(error: ParseException) -> Problem:
    """Return the answer to a request that violates HTTP or exceeds a limit of the server."""
    status = STATUSES.get(type(error), HTTPStatus.BAD_REQUEST)
    return Problem(
        status=status,
        kind=BODY_KINDS.get(status, BODY_KINDS[HTTPStatus.BAD_REQUEST]),
        detail=f"the request cannot be read: {error}",
    )


def too_slow(part: str, limit: str) -> bytes:
    """Return the answer to a request that does not arrive in time."""
    return closing_response(
        Problem(
            status=HTTPStatus.REQUEST_TIMEOUT,
            kind=BODY_KINDS[HTTPStatus.REQUEST_TIMEOUT],
            detail=f"the {part} is incomplete: {limit}; send the request again, faster",
        )
    )


def too_busy(detail: str) -> bytes:
    """Return the answer to a request that the server has no room for."""
    return closing_response(
        Problem(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            kind="QueueFullError",
            detail=f"{detail}; try again soon",
            headers={"Retry-After": str(RETRY_S)},
        )
    )
