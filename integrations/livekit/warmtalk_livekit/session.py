"""The avatar of an agent session: `AvatarSession`, as other avatar plugins of LiveKit have it."""

import asyncio
from typing import Any, Literal

from livekit import rtc
from livekit.agents import AgentSession, get_job_context
from livekit.agents.types import ATTRIBUTE_PUBLISH_ON_BEHALF
from livekit.agents.voice.avatar import AvatarSession as BaseAvatarSession
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.api import AccessToken, VideoGrants
from warmtalk_client import Address, LiveFace
from warmtalk_client.sessions import call

from warmtalk_livekit.audio_output import FaceAudioOutput
from warmtalk_livekit.credentials import Credentials
from warmtalk_livekit.player import Player
from warmtalk_livekit.tracks import Tracks

IDENTITY = "warmtalk-avatar"
Place = Literal["agent", "server"]


class AvatarSession(BaseAvatarSession[Any]):
    """Gives an agent a face. Call `start` before `agent_session.start`.

    `place="agent"`: this process receives the pictures and publishes them as the agent's own
    tracks. `place="server"`: the server starts a worker, which joins the room as a participant of
    its own; the server needs the setting `livekit_worker`.
    """

    def __init__(  # noqa: PLR0913 - options of one face
        self,
        *,
        url: str,
        session_id: str | None = None,
        avatar_id: str | None = None,
        api_key: str | None = None,
        place: Place = "agent",
        sample_rate: int = 24_000,
        identity: str = IDENTITY,
    ) -> None:
        """`url` is the address of the Warmtalk server.

        `session_id` is the session whose face speaks, made if it does not exist; default: the name
        of the room, without the characters that a session cannot have. `avatar_id` is its face.
        """
        super().__init__()
        self._url, self._session_id, self._api_key = url, session_id, api_key
        self._avatar_id = avatar_id
        self._place: Place = place
        self._rate = sample_rate
        self._identity = identity
        self._face: LiveFace | None = None
        self._tracks: Tracks | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def avatar_identity(self) -> str:
        """Identity of the participant that publishes the face."""
        if self._place == "agent" and self._room is not None:
            return self._room.local_participant.identity
        return self._identity

    @property
    def provider(self) -> str:
        """Name in metrics."""
        return "warmtalk"

    async def start(
        self,
        agent_session: AgentSession[Any],
        room: rtc.Room,
        *,
        livekit_url: str | None = None,
        livekit_api_key: str | None = None,
        livekit_api_secret: str | None = None,
    ) -> None:
        """Start the face; raises ServerRefused and ConnectionLost.

        The credentials of LiveKit are needed for `place="server"` only; default: the environment's
        LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
        """
        await super().start(agent_session, room)
        address = Address(self._url, self._session_id or session_name(room.name), self._api_key)
        if self._place == "agent":
            await self._start_here(agent_session, room, address)
        else:
            credentials = Credentials.of(livekit_url, livekit_api_key, livekit_api_secret)
            await self._start_there(agent_session, room, address, credentials)

    async def _start_here(
        self, agent_session: AgentSession[Any], room: rtc.Room, address: Address
    ) -> None:
        self._face = LiveFace(address, rate=self._rate, avatar_id=self._avatar_id)
        self._tracks = Tracks(await self._face.start())
        output = FaceAudioOutput(self._rate)
        player = Player(self._face, self._tracks, output)
        output.set_player(player)
        self._tasks = [
            asyncio.create_task(player.run(), name="warmtalk player"),
            asyncio.create_task(self._publish(room, self._tracks), name="warmtalk publish"),
        ]
        agent_session.output.replace_audio_tail(output)

    async def _publish(self, room: rtc.Room, tracks: Tracks) -> None:
        """Publish the tracks when the room is connected."""
        connected = asyncio.Event()
        room.on("connection_state_changed", lambda _: connected.set())
        while not room.isconnected():
            connected.clear()
            await connected.wait()
        await tracks.publish(room)

    async def _start_there(
        self,
        agent_session: AgentSession[Any],
        room: rtc.Room,
        address: Address,
        credentials: Credentials,
    ) -> None:
        agent = get_job_context().local_participant_identity
        token = (
            AccessToken(credentials.key, credentials.secret)
            .with_kind("agent")
            .with_identity(self._identity)
            .with_name(self._identity)
            .with_grants(VideoGrants(room_join=True, room=room.name))
            .with_attributes({ATTRIBUTE_PUBLISH_ON_BEHALF: agent})
            .to_jwt()
        )
        await call(
            address,
            "POST",
            f"/v2/agents/{self._avatar_id or 'default'}/sessions/join",
            {
                "transport": {
                    "provider": "livekit",
                    "server_url": credentials.url,
                    "token": token,
                    "room_name": room.name,
                },
                "audio_config": {"sample_rate": self._rate},
                "session_id": address.session_id,
            },
        )
        agent_session.output.replace_audio_tail(
            DataStreamAudioOutput(
                room,
                destination_identity=self._identity,
                sample_rate=self._rate,
                wait_remote_track=rtc.TrackKind.KIND_VIDEO,
                wait_playback_start=True,
            )
        )

    async def aclose(self) -> None:
        """Stop the face."""
        await super().aclose()
        if self._face is not None:
            await self._face.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tracks is not None:
            await self._tracks.close()


def session_name(room_name: str) -> str:
    """Return the name of a session for a room."""
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in room_name)
    return kept[:64] or "default"
