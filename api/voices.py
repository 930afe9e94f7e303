"""`GET /voices`."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint

from api.context import context, find_session
from tts.voice import VoiceInfo
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
        "voices": [voice_json(info) for info in runtime.voices()],
    }


def voice_json(info: VoiceInfo) -> dict[str, Any]:
    """JSON of a voice."""
    return {**asdict(info), "knows_phonemes": info.knows_phonemes}
