"""A live face at a fake server: sound in, pictures and the same sound out."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest
from fake_server import FakeServer, fake_server
from warmtalk_client import (
    Address,
    ConnectionLost,
    Finished,
    LiveFace,
    Lost,
    Message,
    Picture,
    Reconnected,
    ServerRefused,
    Sound,
    Started,
)
from warmtalk_client.outbox import MAX_WAITING_S, BufferFull

PATIENCE_S = 20.0


def tone(seconds: float, rate: int = 24_000, level: int = 64) -> bytes:
    """Sound whose every sample is different from its neighbours."""
    count = int(seconds * rate)
    return b"".join(((level << 8) + index % 251).to_bytes(2, "little") for index in range(count))


class Seen(list[Message]):
    """Messages of a face, collected by a task."""

    def of(self, kind: type) -> list:
        return [each for each in self if isinstance(each, kind)]

    def sound_of(self, name: str) -> bytes:
        return b"".join(each.data for each in self.of(Sound) if each.utterance == name)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"{what}: {self.of(Finished)}"
            await asyncio.sleep(0.005)

    async def until_finished(self, count: int = 1) -> None:
        await self.until(lambda: len(self.of(Finished)) >= count, f"{count} ends")


@asynccontextmanager
async def watched(server: FakeServer, **options):
    seen = Seen()
    face = LiveFace(Address(server.url, "s"), make_session=False, **options)

    async def collect() -> None:
        async for message in face:
            seen.append(message)

    async with face:
        collecting = asyncio.create_task(collect())
        yield face, seen
    await collecting


async def test_sound_comes_back_bit_for_bit_with_pictures_of_the_same_clock():
    async with fake_server(FakeServer(speed=8)) as server, watched(server) as (face, seen):
        name = face.begin()
        pcm = tone(0.5)
        face.write(name, pcm)
        face.end(name)
        await seen.until_finished()
        assert seen.sound_of(name)[: len(pcm)] == pcm
        assert seen.of(Finished) == [Finished(name, 0.5, interrupted=False)]
        assert [each.utterance for each in seen.of(Started)] == [name]
        sounds = {each.clock: each for each in seen.of(Sound)}
        for picture in seen.of(Picture)[:-1]:
            assert sounds[picture.clock].utterance == picture.utterance
            assert picture.data[0] == max(sounds[picture.clock].data[1::2])


async def test_a_sample_may_be_split_between_two_writes():
    async with fake_server(FakeServer(speed=8)) as server, watched(server) as (face, seen):
        name, pcm = face.begin(), tone(0.1)
        for start in range(0, len(pcm), 333):
            face.write(name, pcm[start : start + 333])
        face.end(name)
        await seen.until_finished()
        assert server.received_sound() == pcm


async def test_utterances_are_spoken_one_after_the_other_and_each_ends_once():
    async with fake_server(FakeServer(speed=20)) as server, watched(server) as (face, seen):
        names = []
        for level in range(30):  # more than a server accepts at once
            names.append(face.begin())
            face.write(names[-1], tone(0.1, level=level + 1))
            face.end(names[-1])
        await seen.until_finished(30)
        assert seen.of(Finished) == [Finished(name, 0.1, interrupted=False) for name in names]


async def test_another_rate_goes_in_than_comes_out():
    async with (
        fake_server(FakeServer(speed=8)) as server,
        watched(server, rate=48_000) as (face, seen),
    ):
        name = face.begin(rate=16_000)
        face.write(name, tone(0.2, 16_000))
        face.end(name)
        await seen.until_finished()
        assert server.received[0] == {"type": "begin", "utterance": name, "rate": 16_000}
        assert len(seen.sound_of(name)) == 2 * 48_000 // 5


async def test_clear_ends_the_utterance_that_sounds_and_those_that_wait():
    async with fake_server() as server, watched(server) as (face, seen):
        first, second, third = face.begin(), face.begin(), face.begin()
        assert [first, second, third] == ["u1", "u2", "u3"]
        face.clear()
        await seen.until_finished(3)
        names = [face.begin() for _ in range(1)]
        face.write(names[0], tone(3.0))
        await seen.until(lambda: len(seen.sound_of(names[0])) > 9600, "sound")
        waiting = face.begin()
        face.write(waiting, tone(3.0))
        face.clear()
        heard = len(seen.sound_of(names[0]))
        await seen.until_finished(5)
        await asyncio.sleep(0.1)
        assert len(seen.sound_of(names[0])) == heard, "sound came after the clear"
        ends = {each.utterance: each for each in seen.of(Finished)}
        assert len(seen.of(Finished)) == len(ends) == 5
        assert all(each.interrupted for each in ends.values())
        assert ends[waiting].position_s == 0.0
        assert abs(ends[names[0]].position_s - heard / 48_000) <= 0.1
        assert face.is_idle


async def test_what_is_written_after_a_clear_is_spoken():
    async with fake_server(FakeServer(speed=4)) as server, watched(server) as (face, seen):
        old = face.begin()
        face.write(old, tone(2.0))
        await seen.until(lambda: bool(seen.sound_of(old)), "sound")
        face.clear()
        face.write(old, tone(1.0))  # late sound of the old one is ignored
        face.end(old)
        new, pcm = face.begin(), tone(0.2, level=9)
        face.write(new, pcm)
        face.end(new)
        await seen.until_finished(2)
        assert seen.of(Finished)[1] == Finished(new, 0.2, interrupted=False)
        assert seen.sound_of(new)[: len(pcm)] == pcm


async def test_ends_are_reported_even_if_the_server_reports_none():
    async with fake_server(FakeServer(is_deaf=True)) as server, watched(server) as (face, seen):
        name = face.begin()
        face.write(name, tone(1.0))
        await seen.until(lambda: bool(seen.sound_of(name)), "sound")
        face.clear()
        await seen.until_finished()
        assert seen.of(Finished)[0].interrupted


async def test_no_more_than_a_few_seconds_are_sent_ahead():
    async with fake_server() as server, watched(server) as (face, seen):
        name = face.begin()
        face.write(name, tone(30.0))
        await seen.until(lambda: len(server.received_sound()) > 48_000 * 4, "sound at the server")
        await asyncio.sleep(0.2)
        assert len(server.received_sound()) < 48_000 * 6.5
        face.clear()
        await seen.until(lambda: server.kinds()[-1] == "clear", "the clear")


async def test_more_sound_than_fits_is_refused():
    async with fake_server() as server, watched(server) as (face, _):
        name = face.begin()
        with pytest.raises(BufferFull, match="has_room"):
            face.write(name, bytes(int((MAX_WAITING_S + 1) * 48_000)))


async def test_a_broken_connection_ends_what_was_begun_and_is_made_again():
    async with fake_server() as server, watched(server) as (face, seen):
        begun = face.begin()
        face.write(begun, tone(5.0))
        await seen.until(lambda: bool(seen.sound_of(begun)), "sound")
        await server.drop_connections()
        await seen.until(lambda: bool(seen.of(Lost)), "the loss")
        later, pcm = face.begin(), tone(0.1)
        face.write(begun, tone(0.1))
        face.write(later, pcm)
        face.end(later)
        await seen.until_finished(2)
        first, second = seen.of(Finished)
        assert first.utterance == begun and first.interrupted and 0 < first.position_s < 5
        assert second == Finished(later, 0.1, interrupted=False)
        assert seen.sound_of(later)[: len(pcm)] == pcm
        assert len(seen.of(Reconnected)) == 1


async def test_a_refusal_names_the_servers_reason():
    async with fake_server(FakeServer(refuse=(403, "the key lacks the scope"))) as server:
        with pytest.raises(ServerRefused, match="403: the key lacks the scope"):
            await LiveFace(Address(server.url, "s"), make_session=False).start()


async def test_a_refusal_that_lasts_ends_the_iteration():
    async with fake_server() as server:
        face = LiveFace(Address(server.url, "s"), make_session=False)
        await face.start()
        server.refuse = (404, "no such session")
        name = face.begin()
        await server.drop_connections()
        seen = Seen()
        with pytest.raises(ServerRefused, match="no such session"):
            async for message in face:
                seen.append(message)
        assert [each.utterance for each in seen.of(Finished)] == [name]
        await face.close()


@pytest.mark.parametrize(
    ("status", "is_lasting"), [(401, True), (404, True), (429, False), (502, False), (503, False)]
)
async def test_a_refusal_of_a_server_that_is_full_or_not_ready_does_not_last(status, is_lasting):
    async with fake_server(FakeServer(refuse=(status, "no"))) as server:
        with pytest.raises(ServerRefused) as caught:
            await LiveFace(Address(server.url, "s"), make_session=False).start()
        assert caught.value.is_lasting == is_lasting


async def test_a_server_that_is_not_there_is_reported():
    with pytest.raises(ConnectionLost, match="cannot be reached"):
        await LiveFace(Address("http://127.0.0.1:1", "s"), make_session=False).start()


async def test_the_key_is_sent_and_never_shown():
    async with fake_server() as server:
        address = Address(server.url, "a b", api_key="secret-key")
        async with LiveFace(address, make_session=False):
            path, headers = server.requests[0]
        assert path.startswith("/sessions/a%20b/live?pictures=raw")
        assert headers["Authorization"] == "Bearer secret-key"
        assert "secret" not in repr(address)


async def test_closing_ends_open_utterances():
    async with fake_server() as server, watched(server) as (face, seen):
        name = face.begin()
        face.write(name, tone(1.0))
        await seen.until(lambda: bool(seen.sound_of(name)), "sound")
    assert [each.utterance for each in seen.of(Finished)] == [name]
    assert seen.of(Finished)[0].interrupted
