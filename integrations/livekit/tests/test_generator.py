"""The generator under the framework's own runner, whose agent is in the same process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from fake_room import FakeServerRoom
from fake_server import FakeServer, fake_server
from livekit import rtc
from livekit.agents.voice.avatar import AvatarRunner, QueueAudioOutput
from livekit.agents.voice.io import PlaybackFinishedEvent
from speech import RATE, frames, until
from warmtalk_livekit import WarmtalkVideoGenerator

pytestmark = pytest.mark.usefixtures("without_sessions")


@dataclass
class Scene:
    """An agent's output, and what its face shows."""

    server: FakeServer
    output: QueueAudioOutput
    pictures: list[rtc.VideoFrame] = field(default_factory=list)
    started: list[object] = field(default_factory=list)
    ends: list[PlaybackFinishedEvent] = field(default_factory=list)

    async def say(self, seconds: float, **options) -> None:
        for frame in frames(seconds, **options):
            await self.output.capture_frame(frame)
        self.output.flush()


@asynccontextmanager
async def scene(server: FakeServer | None = None) -> AsyncIterator[Scene]:
    rooms = FakeServerRoom()
    async with fake_server(server) as fake:
        generator = WarmtalkVideoGenerator(fake.url, session_id="s")
        options = await generator.start()
        output = QueueAudioOutput(sample_rate=RATE, wait_playback_start=True)
        found = Scene(fake, output)
        output.on("playback_started", found.started.append)
        output.on("playback_finished", found.ends.append)
        runner = AvatarRunner(
            rooms.join("agent"), audio_recv=output, video_gen=generator, options=options
        )
        shown = runner._video_source.capture_frame
        runner._video_source.capture_frame = lambda frame, **more: (
            found.pictures.append(frame),
            shown(frame, **more),
        )
        await runner.start()
        try:
            yield found
        finally:
            await runner.aclose()
            await generator.aclose()
            rooms.close()


async def test_pictures_come_while_nobody_speaks():
    async with scene() as found:
        await until(lambda: len(found.pictures) > 10, "pictures")
    assert (found.pictures[0].width, found.pictures[0].height) == (32, 24)
    assert found.pictures[0].data[0] == 0
    assert found.started == []


async def test_a_segment_is_shown_and_reported_with_its_length():
    async with scene() as found:
        await found.say(0.7, level=90)
        await until(lambda: bool(found.ends), "the end")
        count = len(found.pictures)
        await until(lambda: len(found.pictures) > count + 5, "idle pictures after it")
    (end,) = found.ends
    assert end.playback_position == pytest.approx(0.7, abs=0.021)
    assert not end.interrupted
    assert len(found.started) == 1
    levels = [frame.data[0] for frame in found.pictures]
    assert levels.count(90) >= 16
    assert levels[-1] == 0


async def test_segments_that_follow_each_other_are_each_reported():
    async with scene() as found:
        for seconds in (0.3, 0.4, 0.5):
            await found.say(seconds)
        await until(lambda: len(found.ends) == 3, "three ends")
    assert [end.playback_position for end in found.ends] == pytest.approx(
        [0.3, 0.4, 0.5], abs=0.021
    )


async def test_a_clear_is_reported_once_and_the_next_segment_is_spoken():
    async with scene() as found:
        await found.say(5.0)
        await until(lambda: bool(found.started), "the start")
        await asyncio.sleep(0.5)
        found.output.clear_buffer()
        await until(lambda: bool(found.ends), "the end")
        await found.say(0.3, level=9)
        await until(lambda: len(found.ends) == 2, "the end of the next one")
        await asyncio.sleep(0.2)
    first, second = found.ends
    assert first.interrupted
    assert 0 < first.playback_position < 1.5
    assert (second.playback_position, second.interrupted) == (
        pytest.approx(0.3, abs=0.021),
        False,
    )


async def test_what_waited_for_its_turn_is_not_spoken_after_a_clear():
    async with scene() as found:
        await found.say(2.0)
        await until(lambda: bool(found.started), "the start")
        await found.say(1.0, level=9)
        found.output.clear_buffer()
        await asyncio.sleep(0.4)
        await found.say(0.2, level=33)
        await until(lambda: b"\x21" in found.server.received_sound()[1::2], "the next one")
    assert b"\x09" not in found.server.received_sound()[1::2]
