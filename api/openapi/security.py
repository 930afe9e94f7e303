"""Credentials of operations."""

from api.credentials import KEY_HEADER
from api.login_cookies import COOKIE
from api.openapi.schemas import Json
from api.operation import Scope

SCHEMES: dict[str, Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key: `Authorization: Bearer KEY`.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "An API key as user name or password, as clients of D-ID send it.",
    },
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": KEY_HEADER,
        "description": "An API key in a header of its own.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The login of the page.",
    },
}
"""Kinds of credentials. A server without keys asks for none."""


def security(scope: Scope) -> list[Json]:
    """Return the alternatives: each names the scope that the key must have."""
    return [] if scope == "public" else [{name: [scope]} for name in SCHEMES]
