"""`GET /voices`."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint

from api.context import running

voices = Blueprint("voices", __name__)


@voices.get("/voices")
def list_all() -> dict[str, Any]:
    """Every voice, and the one that speaks when none is asked for."""
    runtime = running().runtime
    default = runtime.choose(voice=None, language=None, speed=None)
    return {
        "default": default.voice,
        "default_language": default.language,
        "voices": [asdict(info) for info in runtime.voices()],
    }
