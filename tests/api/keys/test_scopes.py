"""Scopes of all routes of the application."""

import json
import re
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import get_args

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context import context
from api.cross_site import CHANGED_BY_GET
from api.operation import operation_of
from tests.api.keys.conftest import Served, make_key
from warm.keys.scopes import KeyScope

PUBLIC = {
    *(("GET", path) for path in ("/", "/health", "/livez", "/login", "/openapi.json")),
    *(("POST", "/login"), ("POST", "/logout"), ("GET", "/docs")),
}
"""Calls that need no key, besides those of `PUBLIC_FOLDERS`."""
CHECKED_BY_VIEW = {("GET", "/caller"), ("GET", "/jobs/<job_id>/video")}
"""Calls whose views check the key themselves."""
OF_HEADS = {
    *(("GET", "/heads/own"), ("POST", "/heads/release"), ("GET", "/heads/jobs")),
    *(("GET", "/heads/uploads"), ("DELETE", "/heads/uploads"), ("GET", "/heads/avatars")),
}
"""Routes for other heads, whose views check the heads' secret."""
PUBLIC_FOLDERS = ("/web/", "/results/", "/uploads/<", "/docs/")
"""Files of the page, and those whose addresses cannot be guessed: they may be read."""
OWN_ONLY = "/jobs/<job_id>"
"""Routes of a job that the key itself has made; making it required another scope."""
VIEWERS = "/whep"
"""Connections of viewers, whose addresses cannot be guessed: watching begins with a `POST`."""
READING = ("GET", "HEAD")
SECRET_ADDRESSES = re.compile(r"<[^>]*>")

Call = tuple[str, str]


def calls(app: Flask) -> list[Call]:
    """Method and rule of every route."""
    return sorted(
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
    )


def is_public(method: str, rule: str) -> bool:
    if method in READING and rule.startswith(PUBLIC_FOLDERS):
        return True
    return ("GET" if method == "HEAD" else method, rule) in PUBLIC | CHECKED_BY_VIEW | OF_HEADS


def without_views(app: Flask) -> Flask:
    """The application with views that do nothing, because some would wait for a film."""
    for name, view in app.view_functions.items():
        app.view_functions[name] = wraps(view)(lambda **_: ("", 204))
    return app


def status(client: FlaskClient, call: Call, key: str | None = None) -> tuple[int, str]:
    """Status and kind of the answer to a call with a key."""
    method, rule = call
    path = SECRET_ADDRESSES.sub("unknown", rule)
    query = None if "<" in rule else {"session_id": "unknown"}
    sent = {} if key is None else {"Authorization": f"Bearer {key}"}
    with client.open(path, method=method, query_string=query, headers=sent) as answer:
        return answer.status_code, "" if method == "HEAD" else kind_of(answer)


def kind_of(answer: TestResponse) -> str:
    """Kind of the error of an answer, in either of its shapes; empty if it is none."""
    if answer.mimetype == "application/problem+json":
        return str(json.loads(answer.text)["kind"])
    is_of_openai = answer.mimetype == "application/json" and answer.status_code >= 400
    return str(answer.json["error"]["code"]) if is_of_openai and answer.json else ""


def test_every_route_without_a_valid_key_is_refused_unless_it_is_public(
    served: Served, key_file: Path
) -> None:
    make_key(key_file, "n8n", "admin")
    app = served()
    client = without_views(app).test_client()
    for call in calls(app):
        if is_public(*call):
            assert (call, status(client, call)[0]) == (call, 204)
            continue
        for key in (None, "wt_wrong"):
            context(app).access.failures.forget()
            answer = status(client, call, key)
            kind = "" if call[0] == "HEAD" else "AuthorizationError"
            assert (call, answer) == (call, (401, kind))


def test_views_that_check_the_key_themselves_refuse_a_request_without_one(
    served: Served, key_file: Path
) -> None:
    make_key(key_file, "n8n", "admin")
    client = served().test_client()
    for call in CHECKED_BY_VIEW:
        assert (call, status(client, call)) == (call, (401, "AuthorizationError"))


def test_every_scope_permits_the_routes_that_name_it_and_no_others(
    served: Served, key_file: Path
) -> None:
    scopes: tuple[KeyScope, ...] = get_args(KeyScope)
    keys = {scope: make_key(key_file, scope, scope) for scope in scopes}
    app = without_views(served())
    client = app.test_client()
    tried = set()
    for call, needed in scoped_calls(app):
        for scope, key in keys.items():
            found, kind = status(client, call, key)
            expected = 204 if scope in (needed, "admin") else 403
            assert (call, scope, found) == (call, scope, expected)
            assert kind in ("", "PermissionError")
        tried.add(needed)
    assert {"watch", "speak"} <= tried


def scoped_calls(app: Flask) -> Iterator[tuple[Call, str]]:
    """Each call that needs a key, with the scope in the description of its view."""
    for rule in app.url_map.iter_rules():
        described = operation_of(app.view_functions[rule.endpoint])
        assert described is not None, f"{rule.rule}: its view has no @operation"
        for method in (rule.methods or set()) - {"OPTIONS"}:
            if not is_public(method, rule.rule):
                yield (method, rule.rule), described.scope


def test_no_route_that_changes_something_is_open_to_a_key_that_may_only_watch(
    served: Served, key_file: Path
) -> None:
    make_key(key_file, "n8n", "watch")
    for (method, rule), scope in scoped_calls(served()):
        assert scope != "public", (method, rule)
        if rule.startswith(OWN_ONLY) or VIEWERS in rule:
            continue
        if method not in READING or rule in CHANGED_BY_GET:
            assert (method, rule, scope == "watch") == (method, rule, False)


def test_the_answer_names_the_scope_that_is_missing_and_those_of_the_key(
    served: Served, key_file: Path
) -> None:
    key = make_key(key_file, "screen", "watch")
    client = served().test_client()
    answer = client.post("/speak", json={"text": "Hi."}, headers={"X-Api-Key": key})
    assert (answer.status_code, json.loads(answer.text)["kind"]) == (403, "PermissionError")
    detail = json.loads(answer.text)["detail"]
    assert detail.startswith("key = 'screen': lacks the scope 'speak', which this route needs")
    assert "it has watch" in detail


def test_preflight_requests_need_no_key(served: Served, key_file: Path) -> None:
    make_key(key_file, "n8n", "speak")
    client = served(allowed_origins="https://www.example.com").test_client()
    headers = {
        "Origin": "https://www.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key,x-api-key",
    }
    answer = client.options("/speak", headers=headers)
    assert answer.status_code == 200
    allowed = answer.headers["Access-Control-Allow-Headers"]
    assert {"Authorization", "Idempotency-Key", "X-Api-Key"} <= set(allowed.split(", "))
    refused = client.post("/speak", json={"text": "Hi."}, headers={"Origin": headers["Origin"]})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://www.example.com"
    assert "RateLimit-Remaining" in refused.headers["Access-Control-Expose-Headers"]


def test_a_server_without_keys_permits_everything_to_its_local_caller(served: Served) -> None:
    client = served(api_keys=None).test_client()
    assert client.get("/sessions").status_code == 200
    assert client.get("/caller").get_json() == {
        "required": False,
        "name": "",
        "scopes": ["admin", "prepare", "speak", "watch"],
    }
