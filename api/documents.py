"""`GET /openapi.json`: the description of all routes for programs."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from api.openapi.document import make_document
from api.operation import operation

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


def document() -> dict[str, Any]:
    """Return the document of this application, which is made once."""
    made = current_app.extensions
    if EXTENSION not in made:
        made[EXTENSION] = make_document(current_app)
    found: dict[str, Any] = made[EXTENSION]
    return found
