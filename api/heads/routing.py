"""Routing: a request is answered by the head that has its session, whichever head receives it.

A proxy sends the requests of a session to one head, which takes the session when it is free, and
asks for it when another head has it but does not use it. A request that reaches another head is
passed on.
"""

import time
from http import HTTPStatus

from flask import Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue

from api.caller import caller
from api.context import context, end_uses, use_session
from api.cross_site import changes_state
from api.heads.passing import (
    NOT_HELD,
    PASSED_SESSION,
    BodyIncomplete,
    HeadUnreachable,
    NotHeld,
    pass_on,
)
from api.heads.socket_passing import pass_socket_on
from api.operation import operation_of
from api.problem import answer_problem
from warm.avatars.store import ID_PATTERN
from warm.heads.errors import HeadLost, HeadSilent, HeldElsewhere, KeyHomeAbsent
from warm.heads.head import Head
from warm.heads.heads import Heads
from warm.heads.peers import HEAD_HEADER, RELAY_HEADER
from warm.jobs.jobs import KEY_PATTERN

SESSION_HEADER = "X-Session-Id"
"""Header by which a client names the session of a request whose body names it."""
KEY_HEADER = "Idempotency-Key"
ROUTED_HEADER = "Warmtalk-Routed"
"""Header by which a proxy reports the session for which it chose this head."""
SETTLE_S = 8.0
"""Longest search for the head of a session, while heads end and start."""
POLL_S = 0.1
OWN_RULES = frozenset(
    (
        *("/", "/health", "/livez", "/metrics", "/stats", "/docs", "/openapi.json", "/heads"),
        *("/heads/own", "/heads/release", "/heads/drain", "/heads/jobs", "/heads/uploads"),
        "/heads/avatars",
        *("/web/<path:name>", "/sessions"),
    )
)
"""Routes that concern the head that receives the request."""
FOLDERS_OF_HEADS = (
    *("/jobs/", "/uploads/", "/results/", "/generate/", "/status/", "/video/", "/chat/<job_id>"),
    *("/talks/", "/clips/<", "/talk-status/", "/audios/", "/images/"),
    "/avatars/<avatar_id>/preparation",
)
"""Routes of jobs, uploads and the like, which belong to one head and to no session."""


def route_to_heads(app: Flask) -> None:
    """Have every request answered by the head that has its session."""
    app.before_request(route_request)
    app.after_request(name_head)
    app.after_request(seek_elsewhere)
    app.teardown_request(end_uses)
    app.register_error_handler(HeldElsewhere, route_late)


def route_request() -> Response | None:
    """Answer a request that names a session of another head in its path, query or header."""
    heads = context().heads
    if heads is None or request.url_rule is None or request.method == "OPTIONS":
        return None
    g.keeps_body = True
    g.is_passed = heads.peers.sender(request.headers.get(RELAY_HEADER)) is not None
    key = idempotency_key()
    if key is not None:
        return answer_of_home(heads, key)
    session_id = named_session()
    if session_id is None or not ID_PATTERN.fullmatch(session_id):
        return None
    return settle(heads, session_id)


def idempotency_key() -> str | None:
    """Return the key of a request that makes a job and was not passed on; None without one.

    A key that is not valid is refused by the view.
    """
    key, rule = request.headers.get(KEY_HEADER), request.url_rule
    if key is None or rule is None or g.is_passed or not KEY_PATTERN.fullmatch(key):
        return None
    described = operation_of(current_app.view_functions[rule.endpoint])
    return key if described is not None and KEY_HEADER in described.headers else None


def answer_of_home(heads: Heads, key: str) -> Response | None:
    """Return the answer of the head that has the job of a key, so that each key makes one job;
    None if this is the one. Raises KeyHomeAbsent, HeadLost, BodyIncomplete and OSError."""
    name = heads.key_homes.home(caller().name, key)
    if name == heads.own.name:
        return None
    home = heads.other(name)
    if home is None:
        raise KeyHomeAbsent(key, name)
    try:
        return pass_on(home, heads.peers, context().passages)
    except HeadUnreachable as error:
        raise KeyHomeAbsent(key, name) from error


def named_session() -> str | None:
    """Return the session that the path, the query or a header of a request names, if any."""
    rule = request.url_rule
    if rule is None or rule.rule in OWN_RULES:
        return None
    if g.is_passed:
        return request.headers.get(PASSED_SESSION)
    named = (request.view_args or {}).get("session_id") or request.args.get("session_id")
    return named or request.headers.get(SESSION_HEADER)


def route_late(error: HeldElsewhere) -> ResponseReturnValue:
    """Answer a request whose body names a session of another head: the error handler."""
    heads = context().heads
    if heads is None or g.get("is_late", False):
        return refused(error)
    g.is_late = True
    try:
        found = settle(heads, error.session_id)
        if found is None and "received_body" not in g:
            return current_app.dispatch_request()  # the session has come here meanwhile
    except (BodyIncomplete, HeldElsewhere):
        return refused(error)
    except Exception as other:  # noqa: BLE001 - the top of a request
        return answer_problem(other)
    return refused(error) if found is None else found


def refused(error: HeldElsewhere) -> Response:
    """Refuse a request that cannot be passed on."""
    response = answer_problem(error)
    response.headers[NOT_HELD] = error.session_id
    return response


def settle(heads: Heads, session_id: str) -> Response | None:
    """Have a session belong to this head and return None, or return the answer of its head.

    Raises HeldElsewhere for a request that was passed on, HeadSilent, HeadLost, BodyIncomplete, and
    the errors of `Ownership.claim`.
    """
    ownership = context().runtime.sessions.registry.ownership
    if changes_state(request):
        use_session(ownership, session_id)
    deadline_s = time.monotonic() + SETTLE_S
    while True:
        holder = None
        try:
            ownership.claim(session_id)
        except HeldElsewhere as error:
            if g.is_passed:
                raise
            holder = error.holder
        else:
            return None
        if holder is None:
            time.sleep(POLL_S)
        elif (answer := answer_of(heads, holder, session_id)) is not None:
            return answer
        if time.monotonic() > deadline_s:
            raise HeadSilent(session_id, holder)


def wants_session(heads: Heads, session_id: str) -> bool:
    """True if a proxy chose this head for a session, so that the session should move here."""
    return request.headers.get(ROUTED_HEADER) == session_id and not heads.is_draining


def answer_of(heads: Heads, holder: Head, session_id: str) -> Response | None:
    """Return the answer of the head that has a session; None if the session may now be free.

    Raises HeadSilent, HeadLost and BodyIncomplete.
    """
    if wants_session(heads, session_id) and heads.peers.release(holder, session_id):
        return None
    if heads.peers.is_silent(holder):
        raise HeadSilent(session_id, holder)
    try:
        if is_socket():
            return pass_socket_on(holder, heads.peers, session_id)
        return pass_on(holder, heads.peers, context().passages, session_id=session_id)
    except HeadUnreachable as error:
        if heads.peers.is_silent(holder):
            raise HeadSilent(session_id, holder) from error
    except NotHeld:
        pass
    except HeadLost:
        if changes_state(request):
            raise
    time.sleep(POLL_S)
    return None


def is_socket() -> bool:
    """True if the current request opens a WebSocket."""
    rule = request.url_rule
    return rule is not None and rule.websocket


def seek_elsewhere(response: Response) -> Response:
    """Return the answer of another head if this one does not know the job or upload of a request.
    Jobs and uploads belong to the head that received them."""
    heads, rule = context().heads, request.url_rule
    if heads is None or rule is None or response.status_code != HTTPStatus.NOT_FOUND:
        return response
    if g.get("is_passed", False) or not rule.rule.startswith(FOLDERS_OF_HEADS):
        return response
    for head in heads.others():
        try:
            found = pass_on(head, heads.peers, context().passages)
        except (HeadUnreachable, HeadLost, NotHeld, BodyIncomplete):
            continue
        if found.status_code != HTTPStatus.NOT_FOUND:
            response.close()
            return found
        found.close()
    return response


def name_head(response: Response) -> Response:
    """Name this head in the response, unless another head made the response."""
    heads = context().heads
    if heads is not None:
        response.headers.setdefault(HEAD_HEADER, heads.own.name)
    return response
