"""`GET /voices`."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint

from api.context import context, find_session
from warm.sessions.paths import DEFAULT_SESSION

voices = Blueprint("voices", __name__)


@voices.get("/voices")
def list_all() -> dict[str, Any]:
    """All voices, and the one of the default session."""
    runtime = context().runtime
    default = runtime.choose(find_session(DEFAULT_SESSION))
    return {
        "default": default.voice,
        "default_language": default.language,
        "voices": [asdict(info) for info in runtime.voices()],
    }
