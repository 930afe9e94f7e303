"""What is answered to bytes that are no request: gunicorn finds these before Flask is asked."""

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
"""Those that are not 400."""

log = logging.getLogger(__name__)


def refusal(error: BaseException) -> bytes:
    """The whole answer, head and body; the connection ends with it."""
    problem = problem_of(error) if isinstance(error, ParseException) else problem_of_bug(error)
    answer = problem.response()
    answer.headers["Connection"] = "close"
    return f"HTTP/1.1 {answer.status}\r\n{answer.headers}".encode("latin-1") + answer.get_data()


def problem_of(error: ParseException) -> Problem:
    """What to say to a request that breaks the rules of HTTP, or is longer than ours."""
    log.warning("a request could not be read: %s", error)
    return Problem(
        status=STATUSES.get(type(error), HTTPStatus.BAD_REQUEST),
        kind="BadRequestError",
        detail=f"the request cannot be read: {error}",
    )
