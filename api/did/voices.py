"""`/tts/voices`: the voices of this server as D-ID lists voices."""

from typing import Any

from flask import jsonify
from flask.wrappers import Response
from pydantic import Field

from api.answers.did import DidVoicesAnswer
from api.context import context
from api.did.errors import did_blueprint
from api.did.lenient import Lenient, read_lenient_query
from api.did.provider_voices import language_name
from api.operation import operation
from tts.voice import VoiceInfo

OWN_PROVIDER = "warmtalk"

did_voices = did_blueprint("did_voices")


class VoicesQuery(Lenient):
    """The query of `GET /tts/voices`."""

    provider: str | None = Field(
        default=None,
        max_length=100,
        description="Any name; each voice is listed under it, as all of them speak for every "
        "provider.",
    )


@did_voices.get("/tts/voices", strict_slashes=False)
@operation(query=VoicesQuery, answers={200: DidVoicesAnswer}, tag="did", scope="watch")
def list_all() -> Response:
    """The voices that can speak."""
    provider = read_lenient_query(VoicesQuery).provider or OWN_PROVIDER
    usable = [info for info in context().runtime.voices() if info.problem is None]
    return jsonify([voice_json(info, provider) for info in usable])


def voice_json(info: VoiceInfo, provider: str) -> dict[str, Any]:
    """JSON of a voice."""
    return {
        "id": info.id,
        "name": info.name,
        "gender": info.gender,
        "provider": provider,
        "access": "public",
        "languages": [{"language": language_name(tag), "locale": tag} for tag in info.languages],
        "styles": [],
    }
