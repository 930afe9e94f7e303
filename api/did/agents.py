"""`/v2/agents/ID/sessions/join`: a face joins a room of LiveKit, as D-ID's clients ask for it."""

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from api.answers.did import AgentSessionAnswer
from api.context import context
from api.did.errors import did_blueprint
from api.did.lenient import Lenient, read_lenient
from api.example import example
from api.operation import operation
from api.rooms import DEFAULT_RATE_HZ, face_of, room_request

RATES_HZ = (16_000, 24_000, 48_000)

agents = did_blueprint("agents")


class Transport(Lenient):
    """The room."""

    provider: Literal["livekit"] = "livekit"
    server_url: str = Field(max_length=2048, description="Address of the LiveKit server.")
    token: SecretStr = Field(max_length=8192, description="Access token of the room.")
    room_name: str | None = Field(default=None, description="No effect: the token names the room.")


class AudioConfig(Lenient):
    """The sound."""

    sample_rate: int = Field(default=DEFAULT_RATE_HZ, description="16000, 24000 or 48000.")

    @field_validator("sample_rate")
    @classmethod
    def _check_rate(cls, value: int) -> int:
        if value not in RATES_HZ:
            raise ValueError(f"must be one of {', '.join(map(str, RATES_HZ))}")
        return value


class JoinBody(Lenient):
    """The body of `POST /v2/agents/ID/sessions/join`."""

    model_config = example(
        transport={
            "provider": "livekit",
            "server_url": "wss://livekit.example",
            "token": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
            "room_name": "lobby",
        },
        audio_config={"sample_rate": 24_000},
    )

    transport: Transport
    audio_config: AudioConfig = AudioConfig()
    session_id: str | None = Field(
        default=None,
        description="A session that stays when the face has left the room. Default: one of its own,"
        " which is deleted then.",
    )


@agents.post("/v2/agents/<agent_id>/sessions/join", strict_slashes=False)
@operation(
    body=JoinBody,
    answers={201: AgentSessionAnswer},
    problems=(404, 409, 501, 502, 503, 504),
    tag="did",
    scope="speak",
)
def join(agent_id: str) -> tuple[dict[str, Any], int]:
    """Have the face of an avatar join a room; answers when it has."""
    body = read_lenient(JoinBody)
    rooms = context().rooms
    rooms.check("transport.server_url", body.transport.server_url)
    request = room_request(
        livekit_url=body.transport.server_url,
        token=body.transport.token.get_secret_value(),
        avatar_id=face_of(agent_id),
        session_id=body.session_id,
        sample_rate_hz=body.audio_config.sample_rate,
    )
    rooms.join(request)
    return {"id": request.session_id, "agent_id": agent_id, "status": "started"}, 201
