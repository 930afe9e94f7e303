"""Descriptions of all routes: `GET /openapi.json` for programs, `GET /docs` for people."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from api.openapi.document import make_document
from api.operation import operation
from api.page import file

EXTENSION = "warmtalk-openapi"

documents = Blueprint("documents", __name__)


@documents.get("/openapi.json")
@operation(
    answers={200: "application/json", 304: ""},
    headers=("If-Match", "If-None-Match"),
    tag="documents",
    scope="public",
)
def openapi() -> Response:
    """This document: OpenAPI 3.1."""
    response = jsonify({**document(), "servers": [{"url": request.script_root or "/"}]})
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    return response


@documents.get("/docs")
@operation(
    answers={200: "text/html", 206: "text/html", 304: ""},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(416,),
    tag="documents",
    scope="public",
)
def show() -> Response:
    """A page that shows the document, and sends requests."""
    return file("docs.html")


def document() -> dict[str, Any]:
    """Return the document of this application, which is made once."""
    made = current_app.extensions
    if EXTENSION not in made:
        made[EXTENSION] = make_document(current_app)
    found: dict[str, Any] = made[EXTENSION]
    return found
