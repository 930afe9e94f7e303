"""`/login`, `/logout` and `/caller`: the page logs in with a key."""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import Field

from api.access import KeyRequired, caller_of, challenge, identified
from api.answers.keys import CallerAnswer
from api.body import Body, read_body
from api.caller import Caller, caller
from api.context import context
from api.example import example
from api.login_cookies import COOKIE, LOGIN_S
from api.operation import operation
from api.page import file

MAX_KEY_CHARS = 512

login = Blueprint("login", __name__)


class LoginBody(Body):
    """The body of `POST /login`."""

    model_config = example(key="wt_kD1pQ9tXb3wZ7rM5cV2hL8nF4sJ6gY0aE1uK3iO5pTq")

    key: str = Field(min_length=1, max_length=MAX_KEY_CHARS)


@login.get("/login")
@operation(
    answers={200: "text/html", 304: ""},
    headers=("If-Match", "If-None-Match"),
    tag="keys",
    scope="public",
)
def show_form() -> Response:
    """The page on which a key is entered."""
    return file("login.html")


@login.post("/login")
@operation(
    body=LoginBody, answers={200: CallerAnswer}, problems=(401, 429), tag="keys", scope="public"
)
def log_in() -> Response:
    """Log in with a key; the answer sets a cookie that takes the place of the key."""
    secret = read_body(LoginBody).key.strip()
    access = context().access
    if not access.ring.is_required:
        return jsonify(caller_json(caller()))
    key = access.try_secrets([secret])
    if key is None:
        raise KeyRequired(challenge(request))
    response = jsonify(caller_json(caller_of(key)))
    set_cookie(response, access.cookies.issue(key))
    return response


@login.post("/logout")
@operation(answers={204: ""}, tag="keys", scope="public")
def log_out() -> Response:
    """End the login of the page; a caller without one gets the same answer."""
    value = request.cookies.get(COOKIE)
    if value is not None:
        context().access.cookies.end(value)
    response = Response(status=204)
    response.delete_cookie(
        COOKIE, path=cookie_path(), secure=request.is_secure, httponly=True, samesite="Strict"
    )
    return response


@login.get("/caller")
@operation(answers={200: CallerAnswer}, problems=(401, 429), tag="keys", scope="public")
def show_caller() -> dict[str, Any]:
    """The key of the request, and its scopes; every valid key permits this."""
    return caller_json(identified(context().access))


def caller_json(found: Caller) -> dict[str, Any]:
    """JSON of a caller."""
    return {
        "required": context().access.ring.is_required,
        "name": found.name,
        "scopes": sorted(found.scopes),
    }


def set_cookie(response: Response, value: str) -> None:
    """Set the cookie of a login: no script can read it, and no other site's page can send it."""
    response.set_cookie(
        COOKIE,
        value,
        max_age=LOGIN_S,
        path=cookie_path(),
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    response.headers["Cache-Control"] = "no-store"


def cookie_path() -> str:
    """Return the path of the cookie; below other paths of the host it is not sent."""
    return f"{request.script_root}/"
