"""A live face at a real server."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from real_server import HEIGHT, WIDTH, RealServer, real_server
from test_face import Seen, tone
from warmtalk_client import (
    Address,
    Finished,
    LiveFace,
    Lost,
    Picture,
    ServerRefused,
    Sound,
    ensure_session,
    frame_size,
)
from warmtalk_client.sessions import call

pytestmark = pytest.mark.server
KEY = "a-long-key-of-the-tests"
MOUTH = (60, 48)
"""A pixel of the mouth of the tiny face, which shows the loudness: row, column."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with real_server(tmp_path_factory.mktemp("server")) as started:
        yield started


def mouth(picture: Picture) -> int:
    """How much the mouth differs from the rest of the picture, which has one shade."""
    return abs(picture.data[(MOUTH[0] * WIDTH + MOUTH[1]) * 3] - picture.data[0])


async def watch(face: LiveFace, seen: Seen) -> None:
    with suppress(ServerRefused):
        async for message in face:
            seen.append(message)


async def test_sound_comes_back_bit_for_bit_while_the_mouth_moves(server: RealServer):
    seen = Seen()
    async with LiveFace(Address(server.url, "speaks")) as face:
        watching = asyncio.create_task(watch(face, seen))
        assert (face.hello.width, face.hello.height, face.hello.rate) == (WIDTH, HEIGHT, 24_000)
        await seen.until(lambda: len(seen.of(Picture)) > 5, "idle pictures")
        name, pcm = face.begin(), tone(1.0, level=100)
        face.write(name, pcm)
        face.end(name)
        await seen.until_finished()
        await seen.until(lambda: not seen.of(Picture)[-1].number, "idle pictures again")
    await watching
    assert seen.of(Finished) == [Finished(name, 1.0, interrupted=False)]
    assert seen.sound_of(name)[: len(pcm)] == pcm
    spoken = [each for each in seen.of(Picture) if each.utterance == name]
    assert len(spoken) >= 24
    idle = [each for each in seen.of(Picture) if not each.number]
    assert sum(mouth(each) > 10 for each in spoken) > 12
    assert max(map(mouth, idle[:5])) <= 2
    sounds = {each.clock for each in seen.of(Sound)}
    assert all(each.clock in sounds for each in seen.of(Picture)[1:-1])


async def test_a_clear_ends_everything_where_it_was_heard(server: RealServer):
    seen = Seen()
    async with LiveFace(Address(server.url, "cleared")) as face:
        watching = asyncio.create_task(watch(face, seen))
        first, second = face.begin(), None
        face.write(first, tone(5.0))
        second = face.begin()
        face.write(second, tone(1.0))
        await seen.until(lambda: len(seen.sound_of(first)) > 24_000, "half a second")
        face.clear()
        heard_s = len(seen.sound_of(first)) / 48_000
        await seen.until_finished(2)
        third, pcm = face.begin(), tone(0.4, level=9)
        face.write(third, pcm)
        face.end(third)
        await seen.until_finished(3)
    await watching
    ends = {each.utterance: each for each in seen.of(Finished)}
    assert len(seen.of(Finished)) == 3
    assert ends[first].interrupted and abs(ends[first].position_s - heard_s) < 0.2
    assert (ends[second].position_s, ends[second].interrupted) == (0.0, True)
    assert (ends[third].position_s, ends[third].interrupted) == (0.4, False)
    assert seen.sound_of(third)[: len(pcm)] == pcm
    assert b"\x09" not in seen.sound_of(first)[1::2]


async def test_many_short_utterances_are_all_spoken(server: RealServer):
    seen = Seen()
    async with LiveFace(Address(server.url, "many")) as face:
        watching = asyncio.create_task(watch(face, seen))
        names = []
        for level in range(20):
            names.append(face.begin())
            face.write(names[-1], tone(0.1, level=level + 1))
            face.end(names[-1])
        await seen.until_finished(20)
    await watching
    assert [each.utterance for each in seen.of(Finished)] == names
    assert not any(each.interrupted for each in seen.of(Finished))


async def test_a_live_process_that_dies_ends_the_utterance_and_the_next_one_is_spoken(
    server: RealServer,
):
    seen, address = Seen(), Address(server.url, "survives")
    async with LiveFace(address) as face:
        watching = asyncio.create_task(watch(face, seen))
        name = face.begin()
        face.write(name, tone(5.0))
        await seen.until(lambda: bool(seen.sound_of(name)), "sound")
        stats = await call(address, "GET", "/stats")
        os.kill(stats["live"]["pid"], signal.SIGKILL)
        await seen.until_finished()
        assert seen.of(Finished)[0].interrupted
        assert seen.of(Lost)
        later = face.begin()
        face.write(later, tone(0.3))
        face.end(later)
        await seen.until_finished(2)
    await watching
    assert seen.of(Finished)[1] == Finished(later, 0.3, interrupted=False)


async def test_sessions_are_made_with_a_face(server: RealServer):
    address = Address(server.url, "made")
    await ensure_session(address)
    await ensure_session(address)
    await ensure_session(address, "tiny")
    with pytest.raises(ServerRefused):
        await ensure_session(address, "nobody")
    assert (await call(address, "GET", "/sessions/made"))["avatar_id"] == "tiny"


async def test_a_key_is_needed_and_must_permit_speaking(tmp_path: Path):
    keys = f"agent:speak+watch:{KEY},viewer:watch:another-long-key-of-it"
    with real_server(tmp_path, api_keys=keys) as guarded:
        async with LiveFace(Address(guarded.url, "s", KEY)) as face:
            assert face.hello.may_speak
        with pytest.raises(ServerRefused, match="401"):
            await LiveFace(Address(guarded.url, "s")).start()
        with pytest.raises(ServerRefused, match="403"):
            viewer = Address(guarded.url, "s", "another-long-key-of-it")
            await LiveFace(viewer, make_session=False).start()


async def test_the_size_of_the_pictures_is_known_before_they_come(server: RealServer):
    address = Address(server.url, "sized")
    await ensure_session(address)
    face = LiveFace(address)
    async with face:
        assert (face.hello.width, face.hello.height) == (WIDTH, HEIGHT)
    with suppress(ServerRefused):  # the tiny face has no folder, so it cannot be described
        assert await frame_size(address) == (WIDTH, HEIGHT)
