"""Distribution of batches, replay, restarts, avatars: with fake actors in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from tests.tiny_face import tiny_avatar
from tests.warm.engines.remote.links import KEY, FakeCluster, FakeLink
from warm.engines.base import EngineOutOfMemory
from warm.engines.remote import fleet
from warm.engines.remote.dispatcher import Work, divided
from warm.engines.remote.errors import BatchKillsActors, RemoteEngineFailed, VersionsDiffer
from warm.engines.remote.fleet import Fleet, StartRequest
from warm.engines.remote.parcel import parcel_of

LIMIT_S = 20.0


class Rig:
    """A fleet of fake actors with the tiny avatar."""

    def __init__(self, actors: int, *, spares: int = 0, deadline_s: float = 5.0) -> None:
        self.links = [FakeLink(number) for number in range(actors + spares)]
        self.cluster = FakeCluster()
        self.fleet = Fleet(
            self.cluster,
            list(self.links),
            StartRequest(pickled=b"", versions={}),
            spares=spares,
            deadline_s=deadline_s,
            on_change=lambda: None,
        )
        self.fleet.add_avatar(parcel_of(tiny_avatar(Path())))

    async def start(self) -> None:
        self.fleet.begin()
        await self.until(lambda: len(self.fleet.loaded) == len(self.links))

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0.005)

    def begin(self, frames: int = 2) -> "asyncio.Task[int]":
        return asyncio.ensure_future(self.draw(frames))

    async def draw(self, frames: int = 2) -> int:
        """Draw a batch; return the number of the actor that drew it."""
        arguments = ([KEY] * frames, [0] * frames, np.zeros((frames, 1), np.float32))
        work = Work(method="draw", arguments=arguments, frames=frames, avatars=frozenset({KEY}))
        packed = await self.fleet.dispatcher.run(work)
        assert len(packed.places) == frames
        return int(packed.pixels[0])


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(test(), LIMIT_S)  # type: ignore[arg-type]

    asyncio.run(limited())


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "RETRY_S", (0.0, 0.01))
    monkeypatch.setattr(fleet, "STATUS_S", 0.02)
    monkeypatch.setattr(fleet, "QUIET_S", 0.05)
    monkeypatch.setattr(fleet, "POLL_S", 0.005)


def test_batches_go_to_the_actor_with_the_fewest_outstanding_frames() -> None:
    async def test() -> None:
        rig = Rig(3)
        await rig.start()
        rig.links[0].is_hung = rig.links[1].is_hung = True
        waiting = [rig.begin(8), rig.begin(4)]
        await asyncio.sleep(0)
        others = [await rig.draw() for _ in range(4)]
        assert others == [2, 2, 2, 2]
        for link in rig.links:
            link.is_hung = False
            link.change()
        assert sorted([await task for task in waiting]) == [0, 1]

    run(test)


def test_the_parts_of_a_batch_go_to_different_actors() -> None:
    async def test() -> None:
        rig = Rig(3)
        await rig.start()
        assert sorted(await asyncio.gather(*(rig.draw(4) for _ in range(3)))) == [0, 1, 2]

    run(test)


def test_equally_loaded_actors_share_the_batches() -> None:
    async def test() -> None:
        rig = Rig(2)
        await rig.start()
        assert sorted([await rig.draw() for _ in range(6)]) == [0, 0, 0, 1, 1, 1]

    run(test)


def test_a_batch_without_an_answer_is_given_to_another_actor() -> None:
    async def test() -> None:
        rig = Rig(2, deadline_s=0.05)
        await rig.start()
        rig.links[0].is_hung = True
        assert await rig.draw() == 1
        assert rig.fleet.actors[0].is_late and rig.fleet.actors[0].replays == 1
        assert await rig.draw() == 1  # a late one gets no more work

    run(test)


def test_a_late_actor_gets_work_again_once_it_has_answered() -> None:
    async def test() -> None:
        rig = Rig(2, deadline_s=0.05)
        await rig.start()
        rig.links[0].is_hung = True
        await rig.draw()
        rig.links[0].is_hung = False
        rig.links[0].change()
        await rig.until(lambda: not rig.fleet.actors[0].is_late)
        assert 0 in [await rig.draw() for _ in range(3)]

    run(test)


def test_the_only_actor_keeps_its_batch_beyond_the_deadline() -> None:
    async def test() -> None:
        rig = Rig(1, deadline_s=0.02)
        await rig.start()
        rig.links[0].takes_s = 0.15
        assert await rig.draw() == 0
        assert rig.links[0].calls.count("draw") == 1

    run(test)


def test_the_batch_of_an_actor_that_ends_is_drawn_by_another_one_and_it_starts_again() -> None:
    async def test() -> None:
        rig = Rig(2)
        await rig.start()
        rig.links[0].is_hung = True
        task = rig.begin()
        await asyncio.sleep(0.01)
        rig.links[0].die()
        assert await task == 1
        await rig.until(lambda: len(rig.fleet.dispatcher.usable) == 2)
        assert rig.fleet.actors[0].restarts == 1
        assert rig.links[0].loaded == {KEY}

    run(test)


def test_while_no_actor_works_batches_wait_and_none_is_lost() -> None:
    async def test() -> None:
        rig = Rig(2)
        await rig.start()
        for link in rig.links:
            link.is_hung = True
            link.start_error = {"error": "lost", "message": "its device is busy"}
        tasks = [rig.begin() for _ in range(4)]
        await asyncio.sleep(0.01)
        for link in rig.links:
            link.die()
        await rig.until(lambda: not rig.fleet.dispatcher.usable)
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in tasks)
        for link in rig.links:
            link.start_error = None
        assert len([await task for task in tasks]) == 4

    run(test)


def test_an_actor_that_hangs_is_ended_and_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "HUNG_S", 0.1)

    async def test() -> None:
        rig = Rig(1)
        await rig.start()
        rig.links[0].is_hung = True
        assert await rig.draw() == 0
        assert rig.cluster.ended == ["0"]

    run(test)


def test_an_idle_actor_that_has_ended_starts_again() -> None:
    async def test() -> None:
        rig = Rig(1)
        await rig.start()
        rig.links[0].die()
        await rig.until(lambda: rig.fleet.actors[0].restarts == 1)
        await rig.until(lambda: bool(rig.fleet.dispatcher.usable))

    run(test)


def test_a_batch_that_ends_several_actors_fails() -> None:
    async def test() -> None:
        rig = Rig(2)
        await rig.start()
        for link in rig.links:
            link.error = {"error": "lost", "message": "an illegal address"}
        with pytest.raises(BatchKillsActors, match="one after another"):
            await rig.draw()
        for link in rig.links:
            link.error = None
        assert await rig.draw() in {0, 1}

    run(test)


def test_a_batch_waits_for_new_actors_if_all_of_them_had_ended_before_it() -> None:
    async def test() -> None:
        rig = Rig(4)
        await rig.start()
        for link in rig.links:
            link.die()
        assert await rig.draw() in range(4)
        assert all(actor.restarts for actor in rig.fleet.actors)

    run(test)


def test_a_batch_that_ends_every_process_that_draws_it_fails() -> None:
    async def test() -> None:
        rig = Rig(4)
        await rig.start()
        for link in rig.links:
            link.dies_drawing = True
        with pytest.raises(BatchKillsActors, match="3 actors ended, one after another"):
            await rig.draw()

    run(test)


def test_an_avatar_is_stored_once_and_shipped_once_to_each_actor() -> None:
    async def test() -> None:
        rig = Rig(3)
        await rig.start()
        for _ in range(9):
            await rig.draw()
        assert rig.cluster.stored == 1
        assert [link.calls.count("load_avatar") for link in rig.links] == [1, 1, 1]

    run(test)


def test_an_actor_that_does_not_know_an_avatar_gets_it_and_draws_the_batch() -> None:
    async def test() -> None:
        rig = Rig(1)
        await rig.start()
        rig.links[0].loaded.clear()  # as after a restart that went unnoticed
        assert await rig.draw() == 0

    run(test)


def test_an_avatar_that_was_unloaded_is_dropped_by_all_actors() -> None:
    async def test() -> None:
        rig = Rig(2)
        await rig.start()
        await rig.fleet.unload_avatar(KEY)
        await rig.until(lambda: not any(link.loaded for link in rig.links))
        with pytest.raises(RemoteEngineFailed, match="'tiny' is not loaded"):
            await rig.draw()

    run(test)


@pytest.mark.parametrize(
    ("kind", "error"), [("out_of_memory", EngineOutOfMemory), ("failed", RemoteEngineFailed)]
)
def test_errors_of_the_engine_reach_the_caller_with_their_class(
    kind: str, error: type[Exception]
) -> None:
    async def test() -> None:
        rig = Rig(2)
        await rig.start()
        for link in rig.links:
            link.error = {"error": kind, "message": "17 MB are missing"}
        with pytest.raises(error, match="17 MB are missing"):
            await rig.draw()
        assert not any(actor.restarts for actor in rig.fleet.actors)

    run(test)


def test_other_versions_prevent_the_start_with_a_message() -> None:
    async def test() -> None:
        rig = Rig(2)
        for link in rig.links:
            link.start_error = {"error": "versions", "message": "Python 3.9 instead of 3.11"}
        rig.fleet.begin()
        with pytest.raises(VersionsDiffer, match="instead of"):
            await rig.fleet.wait_until_usable()

    run(test)


def test_draining_actors_finish_what_they_have() -> None:
    async def test() -> None:
        rig = Rig(1)
        await rig.start()
        rig.links[0].takes_s = 0.1
        task = rig.begin()
        await asyncio.sleep(0.01)
        await rig.fleet.drain(5)
        assert rig.fleet.actors[0].outstanding == 0 and await task == 0

    run(test)


def test_rows_report_each_actor() -> None:
    async def test() -> None:
        rig = Rig(2)
        await rig.start()
        await rig.draw()
        rows = rig.fleet.rows()
        assert [row["state"] for row in rows] == ["ready", "ready"]
        assert sorted(row["batches"] for row in rows) == [0, 1]
        assert {row["avatars"] for row in rows} == {1}

    run(test)


@pytest.mark.parametrize(
    ("frames", "actors", "sizes"),
    [(1, 4, [1]), (7, 4, [7]), (8, 4, [4, 4]), (25, 2, [12, 13]), (25, 8, [4, 4, 4, 4, 4, 5])],
)
def test_batches_are_divided_into_equal_parts_that_are_worth_sending(
    frames: int, actors: int, sizes: list[int]
) -> None:
    assert sorted(divided(frames, actors)) == sizes


def test_one_actor_gets_whole_batches() -> None:
    assert divided(25, 1) == [25]
    assert divided(25, 0) == [25]
