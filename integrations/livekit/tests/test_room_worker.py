"""The worker in a room without a server, with the audio output of the real framework at the agent.

No livekit-server can be had from the package registries, so the room is tests/fake_room.py: it
carries the byte streams and calls of the framework's own classes in their order.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from fake_room import FakeRoom, FakeServerRoom
from fake_server import FakeServer, fake_server
from livekit import rtc
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.agents.voice.io import PlaybackFinishedEvent
from speech import PATIENCE_S, RATE, frames, until
from warmtalk_client import Address, LiveFace
from warmtalk_livekit import room_worker
from warmtalk_livekit.room_worker import AgentMissing, RoomWorker

AVATAR, AGENT = "warmtalk-avatar", "agent"


@dataclass
class Scene:
    """An agent and a face in one room."""

    server: FakeServer | None
    rooms: FakeServerRoom
    agent: FakeRoom
    avatar: FakeRoom
    output: DataStreamAudioOutput
    working: "asyncio.Task[None]"
    started: list[object] = field(default_factory=list)
    ends: list[PlaybackFinishedEvent] = field(default_factory=list)

    async def say(self, seconds: float, **options) -> None:
        for frame in frames(seconds, **options):
            await self.output.capture_frame(frame)
        self.output.flush()

    def calls(self, method: str) -> list[str]:
        return [payload for name, payload in self.avatar.local_participant.calls if name == method]

    async def until_ends(self, count: int) -> None:
        await until(lambda: len(self.ends) >= count, f"{count} ends, not {self.ends}")


@asynccontextmanager
async def scene(server: FakeServer | None = None, **options) -> AsyncIterator[Scene]:
    """At a fake server."""
    async with (
        fake_server(server) as fake,
        scene_at(fake.url, "s", make_session=False, **options) as found,
    ):
        found.server = fake
        yield found


@asynccontextmanager
async def scene_at(
    url: str,
    session_id: str,
    *,
    wait_playback_start: bool = True,
    make_session: bool = True,
    **options,
) -> AsyncIterator[Scene]:
    """At a server with this address."""
    rooms = FakeServerRoom()
    async with LiveFace(Address(url, session_id), rate=RATE, make_session=make_session) as face:
        agent = rooms.join(AGENT)
        avatar = rooms.join(AVATAR, attributes={"lk.publish_on_behalf": AGENT}, **options)
        working = asyncio.create_task(RoomWorker(avatar, face).run())
        output = DataStreamAudioOutput(
            agent,
            destination_identity=AVATAR,
            sample_rate=RATE,
            wait_remote_track=rtc.TrackKind.KIND_VIDEO,
            wait_playback_start=wait_playback_start,
        )
        found = Scene(None, rooms, agent, avatar, output, working)
        output.on("playback_started", found.started.append)
        output.on("playback_finished", found.ends.append)
        yield found
        if AGENT in rooms.rooms:
            rooms.leave(AGENT)
        await asyncio.wait_for(working, PATIENCE_S)
    rooms.close()


async def test_a_segment_is_spoken_and_reported_once_with_its_length():
    async with scene() as found:
        await found.say(0.7)
        await found.until_ends(1)
        await asyncio.sleep(0.2)
    (end,) = found.ends
    assert (end.playback_position, end.interrupted) == (0.7, False)
    assert len(found.started) == 1
    assert len(found.calls("lk.playback_started")) == len(found.calls("lk.playback_finished")) == 1
    assert len(found.server.received_sound()) == 0.7 * RATE * 2


async def test_the_end_is_reported_when_the_sound_has_been_played():
    async with scene() as found:
        began = asyncio.get_running_loop().time()
        await found.say(1.0)
        await found.until_ends(1)
        assert asyncio.get_running_loop().time() - began >= 1.0


async def test_segments_that_follow_each_other_are_each_reported_in_order():
    async with scene() as found:
        for seconds in (0.3, 0.1, 0.2):
            await found.say(seconds)
        await found.until_ends(3)
    assert [(end.playback_position, end.interrupted) for end in found.ends] == [
        *((0.3, False), (0.1, False), (0.2, False))
    ]
    assert len(found.started) == 3


async def test_a_clear_reports_what_was_heard():
    async with scene() as found:
        await found.say(5.0)
        await until(lambda: bool(found.started), "the start")
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(0.8)
        found.output.clear_buffer()
        await found.until_ends(1)
        heard_s = asyncio.get_running_loop().time() - began
        (end,) = found.ends
        assert end.interrupted
        assert 0.2 < end.playback_position <= heard_s + 0.05
        await asyncio.sleep(0.3)
        assert len(found.ends) == 1
        await found.say(0.2)
        await found.until_ends(2)
    assert (found.ends[1].playback_position, found.ends[1].interrupted) == (0.2, False)
    assert found.calls("lk.playback_finished")[1:] == [
        json.dumps({"playback_position": 0.2, "interrupted": False})
    ]


async def test_a_clear_ends_every_segment_that_waits():
    async with scene() as found:
        for _ in range(4):
            await found.say(1.0)
        await until(lambda: bool(found.started), "the start")
        await asyncio.sleep(0.3)
        found.output.clear_buffer()
        await found.until_ends(4)
        await asyncio.sleep(0.2)
    assert len(found.ends) == 4
    assert all(end.interrupted for end in found.ends)
    assert found.ends[0].playback_position > 0
    assert [end.playback_position for end in found.ends[1:]] == [0, 0, 0]
    assert len(found.calls("lk.playback_finished")) == 4


async def test_a_segment_that_is_cleared_at_once_ends_with_nothing_heard():
    async with scene(FakeServer(delay_s=2.0)) as found:
        await found.say(0.5)
        found.output.clear_buffer()
        await found.until_ends(1)
        await found.say(0.1)
        found.output.clear_buffer()
        await found.until_ends(2)
    assert [(end.playback_position, end.interrupted) for end in found.ends] == [
        *((0.0, True), (0.0, True))
    ]
    assert found.started == []


async def test_a_clear_within_a_segment_ends_it_and_its_late_sound_is_dropped():
    async with scene() as found:
        for frame in frames(1.0):
            await found.output.capture_frame(frame)
        await until(lambda: bool(found.started), "the start")
        found.output.clear_buffer()
        await found.until_ends(1)
        for frame in frames(1.0, level=9):
            await found.output.capture_frame(frame)
        found.output.flush()
        await asyncio.sleep(0.3)
        await found.say(0.2, level=33)
        await until(lambda: b"\x21" in found.server.received_sound()[1::2], "the next segment")
    assert b"\x09" not in found.server.received_sound()[1::2]


async def test_a_clear_when_nothing_is_said_reports_nothing():
    async with scene() as found:
        await found.say(0.1)
        await found.until_ends(1)
        await found.agent.local_participant.perform_rpc(
            destination_identity=AVATAR, method="lk.clear_buffer", payload=""
        )
        await asyncio.sleep(0.1)
    assert len(found.ends) == 1


async def test_a_stranger_cannot_clear_or_speak():
    async with scene() as found:
        stranger = found.rooms.join("stranger")
        await found.say(0.5)
        await until(lambda: bool(found.started), "the start")
        answer = await stranger.local_participant.perform_rpc(
            destination_identity=AVATAR, method="lk.clear_buffer", payload=""
        )
        writer = await stranger.local_participant.stream_bytes(
            "x",
            topic="lk.audio_stream",
            destination_identities=[AVATAR],
            attributes={"sample_rate": "24000", "num_channels": "1"},
        )
        await writer.write(b"\x09\x09" * 1000)
        await writer.aclose()
        await found.until_ends(1)
    assert answer == "reject"
    assert found.ends[0].playback_position == 0.5
    assert b"\x09\x09" not in found.server.received_sound()


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"sample_rate": "24000"},
        {"sample_rate": "fast", "num_channels": "1"},
        {"sample_rate": "0", "num_channels": "1"},
        {"sample_rate": "24000", "num_channels": "1000"},
    ],
)
async def test_a_stream_with_wrong_attributes_is_ignored(attributes):
    async with scene() as found:
        await found.say(0.1)
        await found.until_ends(1)
        await found.agent.local_participant.stream_bytes(
            "x", topic="lk.audio_stream", destination_identities=[AVATAR], attributes=attributes
        )
        await found.say(0.2)
        await found.until_ends(2)
    assert [end.playback_position for end in found.ends] == [0.1, 0.2]


async def test_a_stream_whose_end_is_lost_ends_when_the_next_one_begins():
    async with scene() as found:
        found.rooms.loses_ends = True
        await found.say(0.2)
        await until(lambda: bool(found.started), "the start")
        found.rooms.loses_ends = False
        await found.say(0.3)
        await found.until_ends(2)
    assert [end.playback_position for end in found.ends] == [0.2, 0.3]


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2), (22_050, 1), (8_000, 1)])
async def test_sound_of_any_rate_and_number_of_channels_is_spoken(rate, channels):
    async with scene() as found:
        await found.say(0.4, rate=rate, channels=channels)
        await found.until_ends(1)
    assert found.ends[0].playback_position == pytest.approx(0.4, abs=0.01)


async def test_an_agent_that_does_not_wait_for_the_start_gets_the_ends():
    async with scene(wait_playback_start=False) as found:
        await found.say(0.1)
        await found.say(0.1)
        await found.until_ends(2)
    assert len(found.calls("lk.playback_started")) == 1  # it does not know the method


async def test_a_server_that_breaks_off_ends_the_segment_and_the_next_one_is_spoken():
    async with scene() as found:
        await found.say(5.0)
        await until(lambda: bool(found.started), "the start")
        await asyncio.sleep(0.3)
        await found.server.drop_connections()
        await found.until_ends(1)
        await found.say(0.2)
        await found.until_ends(2)
    assert found.ends[0].interrupted
    assert 0 < found.ends[0].playback_position < 2
    assert (found.ends[1].playback_position, found.ends[1].interrupted) == (0.2, False)


async def test_a_segment_that_another_client_interrupts_ends_where_it_was_heard():
    async with scene() as found:
        await found.say(5.0)
        await until(lambda: bool(found.started), "the start")
        await asyncio.sleep(0.3)
        for feed in list(found.server.feeds):
            await feed.interrupt()
        await found.until_ends(1)
    assert found.ends[0].interrupted
    assert 0 < found.ends[0].playback_position < 2


async def test_the_pictures_are_one_layer_of_h264_with_25_a_second_and_2_mbit():
    async with scene() as found:
        await until(lambda: len(found.avatar.local_participant.track_publications) == 2, "tracks")
    sound, pictures = found.avatar.local_participant.track_publications.values()
    assert sound.options.source == rtc.TrackSource.SOURCE_MICROPHONE
    assert pictures.options.video_codec == rtc.VideoCodec.H264
    assert not pictures.options.simulcast
    assert pictures.options.video_encoding.max_framerate == 25
    assert pictures.options.video_encoding.max_bitrate == 2_000_000


async def test_the_pictures_are_published_when_somebody_listens():
    async with scene(are_listeners_there=False) as found:
        published = found.avatar.local_participant.track_publications
        await until(lambda: len(published) == 1, "the sound")
        await asyncio.sleep(0.1)
        assert list(published) == ["avatar_audio"]
        published["avatar_audio"].subscribed.set()
        await found.say(0.1)
        await found.until_ends(1)
        assert list(published) == ["avatar_audio", "avatar_video"]


@pytest.mark.parametrize("seed", [3, 5, 11])
async def test_whatever_happens_each_segment_ends_once_and_in_order(seed):
    choice = random.Random(seed)
    said: list[float] = []
    async with scene(FakeServer(delay_s=choice.choice([0.0, 0.1, 0.3]))) as found:
        for _ in range(12):
            what = choice.random()
            if what < 0.55:
                said.append(choice.choice([0.1, 0.2, 0.3, 0.6]))
                await found.say(said[-1])
            elif what < 0.8:
                await asyncio.sleep(0.5 * choice.random())
            elif what < 0.93:
                found.output.clear_buffer()
            else:
                await found.server.drop_connections()
        await found.until_ends(len(said))
        await asyncio.sleep(0.2)
    assert len(found.calls("lk.playback_finished")) == len(found.ends) == len(said)
    for end, seconds in zip(found.ends, said, strict=True):
        assert 0 <= end.playback_position <= seconds
        assert end.interrupted or end.playback_position == seconds
    assert len(found.started) == sum(end.playback_position > 0 for end in found.ends)


async def test_the_worker_ends_with_its_agent():
    async with scene() as found:
        await found.say(3.0)
        await until(lambda: bool(found.started), "the start")
        found.rooms.leave(AGENT)
        await asyncio.wait_for(found.working, PATIENCE_S)


async def test_a_room_without_an_agent_is_left(monkeypatch):
    monkeypatch.setattr(room_worker, "AGENT_S", 0.1)
    rooms = FakeServerRoom()
    avatar = rooms.join(AVATAR, attributes={"lk.publish_on_behalf": "nobody"})
    async with (
        fake_server() as fake,
        LiveFace(Address(fake.url, "s"), make_session=False) as face,
    ):
        with pytest.raises(AgentMissing, match="'nobody' has not joined"):
            await RoomWorker(avatar, face).run()
    rooms.close()
