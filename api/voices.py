"""`GET /voices` and a sample of each voice."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from pydantic import Field

from api.answers.voices import VoicesAnswer
from api.body import LooseQuery, read_loose_query
from api.context import context
from api.operation import operation
from api.serializers import url
from tts.voice import VoiceInfo
from warm.sessions.paths import DEFAULT_SESSION

CACHE_S = 3600
"""Time for which a browser may keep a sample."""

voices = Blueprint("voices", __name__)


class SampleQuery(LooseQuery):
    """The query of `GET /voices/sample`."""

    voice: str | None = Field(None, description="The id of a voice; without it, the default one.")
    language: str | None = Field(None, description="One of its languages.")


@voices.get("/voices")
@operation(answers={200: VoicesAnswer}, tag="voices", scope="watch")
def list_all() -> dict[str, Any]:
    """All voices, and the one of the default session."""
    runtime = context().runtime
    default = runtime.choose(runtime.sessions.registry.peek(DEFAULT_SESSION))
    return {
        "default": default.voice,
        "default_language": default.language,
        "voices": [voice_json(info) for info in runtime.voices()],
    }


@voices.get("/voices/sample")
@operation(
    query=SampleQuery,
    answers={200: "audio/wav", 206: "audio/wav", 304: ""},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(416,),
    tag="voices",
    scope="watch",
)
def sample() -> Response:
    """A few words of a voice: `?voice=` and, if it speaks several, `&language=`."""
    query = read_loose_query(SampleQuery)
    choice = context().runtime.choose(voice=query.voice, language=query.language)
    wav = context().voice_samples.of(choice)
    headers = {"Cache-Control": f"private, max-age={CACHE_S}"}
    response = Response(wav, mimetype="audio/wav", headers=headers)
    response.add_etag()
    return response.make_conditional(request, accept_ranges=True, complete_length=len(wav))  # type: ignore[return-value]


def voice_json(info: VoiceInfo) -> dict[str, Any]:
    """JSON of a voice."""
    can_speak = info.problem is None
    return {
        **asdict(info),
        "knows_phonemes": info.knows_phonemes,
        "sample_url": url(f"/voices/sample?{urlencode({'voice': info.id})}") if can_speak else None,
    }
