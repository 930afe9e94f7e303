"""A face in a room: joins it, speaks for one agent, and leaves with it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from livekit import rtc
from warmtalk_client import Address, LiveFace

from warmtalk_livekit.agent import wait_for_agent, wanted_agent
from warmtalk_livekit.job import Job
from warmtalk_livekit.log import logger
from warmtalk_livekit.player import Player
from warmtalk_livekit.receiver import SegmentReceiver
from warmtalk_livekit.rpc_reports import RpcReports
from warmtalk_livekit.tracks import Tracks

AGENT_S = 60.0
"""Time in which the agent joins the room; then the face leaves it."""
LAST_REPORTS_S = 2.0


class AgentMissing(RuntimeError):
    """No agent has joined the room."""

    def __init__(self, identity: str | None) -> None:
        agent = "no agent" if identity is None else f"the agent {identity!r}"
        joined = "has joined" if identity is None else "has not joined"
        super().__init__(f"{agent} {joined} the room within {AGENT_S:.0f} s")


class RoomWorker:
    """Speaks for the agent of a room that is connected."""

    def __init__(self, room: rtc.Room, face: LiveFace) -> None:
        """Neither is owned: the caller disconnects both."""
        self._room = room
        self._face = face
        self._left = asyncio.Event()
        self._agent_identity: str | None = None

    async def run(self) -> None:
        """Speak until the agent leaves or the room is lost.

        Raises AgentMissing, and ServerRefused if the Warmtalk server refuses to go on.
        """
        self._room.on("participant_disconnected", self._on_left)
        self._room.on("disconnected", self._on_disconnected)
        tracks = Tracks(self._face.hello)
        try:
            agent = await self._agent()
            await self._speak(agent, tracks)
        finally:
            self._room.off("participant_disconnected", self._on_left)
            self._room.off("disconnected", self._on_disconnected)
            await tracks.close()

    async def _agent(self) -> str:
        """Return the identity of the agent: that of the token, or the first agent that joins."""
        wanted = wanted_agent(self._room)
        try:
            agent = await asyncio.wait_for(wait_for_agent(self._room, wanted), AGENT_S)
        except TimeoutError:
            raise AgentMissing(wanted) from None
        self._agent_identity = agent.identity
        return agent.identity

    async def _speak(self, agent: str, tracks: Tracks) -> None:
        reports = RpcReports(self._room, agent)
        player = Player(self._face, tracks, reports)
        receiver = SegmentReceiver(self._room, player, agent)
        receiver.register()
        tasks = [
            asyncio.create_task(player.run(), name="player"),
            asyncio.create_task(receiver.run(), name="receiver"),
            asyncio.create_task(self._wait_until_left(), name="left"),
        ]
        sending = asyncio.create_task(reports.run(), name="reports")
        try:
            await tracks.publish(self._room)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            receiver.unregister()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            player.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(reports.wait_until_sent(), LAST_REPORTS_S)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _wait_until_left(self) -> None:
        await self._left.wait()

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self._agent_identity:
            logger.info("the agent has left the room")
            self._left.set()

    def _on_disconnected(self, *_: object) -> None:
        logger.info("the room is disconnected")
        self._left.set()


async def join(job: Job, *, on_joined: Callable[[str], None]) -> None:
    """Join the room of a job and speak there; reports the identity when joined.

    Raises ConnectError of LiveKit, ServerRefused and ConnectionLost of Warmtalk, AgentMissing.
    """
    address = Address(job.warmtalk_url, job.session_id, job.api_key)
    room = rtc.Room()
    async with LiveFace(address, rate=job.sample_rate, avatar_id=job.avatar_id) as face:
        await room.connect(job.livekit_url, job.token, rtc.RoomOptions(auto_subscribe=False))
        try:
            on_joined(room.local_participant.identity)
            await RoomWorker(room, face).run()
        finally:
            await room.disconnect()
