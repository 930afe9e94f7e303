"""A room without a LiveKit server, whose face comes from a real Warmtalk server."""

import asyncio
from collections.abc import Iterator

import pytest
from livekit import rtc
from livekit.agents import AgentSession
from real_server import HEIGHT, WIDTH, RealServer, real_server
from speech import RATE, until
from test_room_worker import AGENT, scene_at
from test_session import FakeServerRoom, Scene
from warmtalk_livekit import AvatarSession

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with real_server(tmp_path_factory.mktemp("server")) as started:
        yield started


async def test_a_worker_speaks_and_reports_each_segment_once(server: RealServer):
    async with scene_at(server.url, "worker") as found:
        await found.say(0.5)
        await found.say(0.3)
        await found.until_ends(2)
        await found.say(5.0)
        await until(lambda: len(found.started) == 3, "the start of the third one")
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(0.8)
        await found.say(1.0)
        found.output.clear_buffer()
        await found.until_ends(4)
        heard_s = asyncio.get_running_loop().time() - began
        await found.say(0.2)
        await found.until_ends(5)
        await asyncio.sleep(0.3)
    ends = [(end.playback_position, end.interrupted) for end in found.ends]
    assert ends[:2] == [(0.5, False), (0.3, False)]
    assert ends[2][1]
    assert 0.3 < ends[2][0] <= heard_s + 0.05
    assert ends[3:] == [(0.0, True), (0.2, False)]
    assert len(found.calls("lk.playback_finished")) == 5
    assert len(found.started) == 4


async def test_an_agents_own_process_shows_the_face(server: RealServer):
    rooms = FakeServerRoom()
    room = rooms.join(AGENT)
    avatar, agent = AvatarSession(url=server.url, session_id="own"), AgentSession()
    await avatar.start(agent, room)
    shown: list[rtc.VideoFrame] = []
    assert avatar._tracks is not None
    capture = avatar._tracks.video.capture_frame
    avatar._tracks.video.capture_frame = lambda frame: (shown.append(frame), capture(frame))
    assert agent.output.audio is not None
    found = Scene(None, room, agent.output.audio)
    found.output.on("playback_finished", found.ends.append)
    try:
        await until(lambda: len(shown) > 10, "idle pictures")
        await found.say(1.0, level=100)
        await asyncio.wait_for(found.output.wait_for_playout(), 30)
    finally:
        await avatar.aclose()
        await agent.aclose()
        rooms.close()
    assert [(end.playback_position, end.interrupted) for end in found.ends] == [(1.0, False)]
    assert (shown[0].width, shown[0].height) == (WIDTH, HEIGHT)
    pixel = (60 * WIDTH + 48) * 3
    assert sum(abs(int(frame.data[pixel]) - int(frame.data[0])) > 10 for frame in shown) > 12
    assert found.output.sample_rate == RATE
