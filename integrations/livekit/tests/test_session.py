"""The avatar session of an agent whose own process publishes the face."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from fake_room import FakeRoom, FakeServerRoom
from fake_server import FakeServer, fake_server
from livekit.agents import AgentSession
from livekit.agents.voice.io import AudioOutput, PlaybackFinishedEvent
from speech import frames, until
from warmtalk_livekit import AvatarSession
from warmtalk_livekit.session import session_name

pytestmark = pytest.mark.usefixtures("without_sessions")


@dataclass
class Scene:
    """An agent with a face."""

    server: FakeServer
    room: FakeRoom
    output: AudioOutput
    started: list[object] = field(default_factory=list)
    ends: list[PlaybackFinishedEvent] = field(default_factory=list)

    async def say(self, seconds: float, **options) -> None:
        for frame in frames(seconds, **options):
            await self.output.capture_frame(frame)
        self.output.flush()


@asynccontextmanager
async def scene(server: FakeServer | None = None) -> AsyncIterator[Scene]:
    rooms = FakeServerRoom()
    room = rooms.join("agent")
    async with fake_server(server) as fake:
        avatar = AvatarSession(url=fake.url)
        agent = AgentSession()
        await avatar.start(agent, room)
        assert agent.output.audio is not None
        found = Scene(fake, room, agent.output.audio)
        found.output.on("playback_started", found.started.append)
        found.output.on("playback_finished", found.ends.append)
        try:
            yield found
        finally:
            await avatar.aclose()
            await agent.aclose()
            rooms.close()


async def test_the_face_is_published_by_the_agent_itself():
    async with scene() as found:
        published = found.room.local_participant.track_publications
        await until(lambda: len(published) == 2, "two tracks")
        path, _ = found.server.requests[0]
    assert path.startswith("/sessions/room/live?")


async def test_the_output_reports_each_segment_once():
    async with scene() as found:
        for seconds in (0.3, 0.1, 0.2):
            await found.say(seconds)
        await asyncio.wait_for(found.output.wait_for_playout(), 20)
    assert [(end.playback_position, end.interrupted) for end in found.ends] == [
        *((0.3, False), (0.1, False), (0.2, False))
    ]
    assert len(found.started) == 3


async def test_a_segment_that_is_cleared_before_anything_has_happened_is_reported():
    async with scene() as found:
        await found.say(0.1)
        found.output.clear_buffer()
        end = await asyncio.wait_for(found.output.wait_for_playout(), 20)
    assert (end.playback_position, end.interrupted) == (0.0, True)
    assert len(found.ends) == 1


async def test_a_barge_in_reports_the_sound_that_was_played():
    async with scene() as found:
        await found.say(4.0)
        await found.say(1.0)
        await until(lambda: bool(found.started), "the start")
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(0.7)
        found.output.clear_buffer()
        end = await asyncio.wait_for(found.output.wait_for_playout(), 20)
        lasted_s = asyncio.get_running_loop().time() - began
    assert (end.playback_position, end.interrupted) == (0.0, True)
    first, second = found.ends
    assert second is end
    assert 0.2 < first.playback_position <= lasted_s + 0.05


async def test_an_agent_that_ends_while_it_speaks_leaves_no_segment_open():
    async with scene() as found:
        await found.say(3.0)
        await until(lambda: bool(found.started), "the start")
    assert [end.interrupted for end in found.ends] == [True]


@pytest.mark.parametrize(
    ("room", "session"), [("my room/1", "my-room-1"), ("x" * 100, "x" * 64), ("", "default")]
)
def test_a_session_is_named_for_its_room(room, session):
    assert session_name(room) == session
