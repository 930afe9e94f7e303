"""Conditional requests (RFC 9110, section 13): the same for films, captions and files."""

from http import HTTPStatus

from flask import Flask, Response, request

from api.problem import FailedPrecondition, answer_problem

SELECTED = (200, 206, 304, 412)
"""Statuses of a response about an existing representation."""
KEPT = ("Cache-Control", "ETag", "Vary")
"""Headers of a response that its 304 repeats."""


def honour_preconditions(app: Flask) -> None:
    """Compare the entity tag of every response with those in the request."""
    app.before_request(accept_any_match)
    app.after_request(check_preconditions)


def accept_any_match() -> None:
    """Drop `If-Match: *`, which every representation matches; werkzeug would take it for a tag."""
    if request.if_match.star_tag:
        del request.environ["HTTP_IF_MATCH"]


def check_preconditions(response: Response) -> Response:
    """Return the response; 412 if `If-Match` fails, 304 if `If-None-Match` matches a strong tag.

    Views with weak tags compare them with `If-None-Match` themselves.
    """
    if request.method not in {"GET", "HEAD"} or response.status_code not in SELECTED:
        return response
    tag, is_weak = response.get_etag()
    strong = None if is_weak else tag
    if "If-Match" in request.headers and (strong is None or strong not in request.if_match):
        response.close()
        return answer_problem(FailedPrecondition(request.headers["If-Match"], tag))
    known = request.if_none_match
    if strong is not None and (known.star_tag or known.contains_weak(strong)):
        response.close()
        kept = {name: value for name, value in response.headers if name in KEPT}
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=kept)
    return response
