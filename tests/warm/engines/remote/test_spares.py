"""Spare actors: when they are loaded, and when they work. With fake actors in this process."""

import asyncio
import time

import pytest

from tests.warm.engines.remote.links import KEY
from tests.warm.engines.remote.test_fleet import Rig, no_delays, run
from warm.engines.remote import fleet
from warm.engines.remote.actors import Actor, ActorGone
from warm.engines.remote.errors import RemoteEngineFailed

__all__ = ["no_delays"]


def states(rig: Rig) -> list[str]:
    return [row["state"] for row in rig.fleet.rows()]


def test_a_spare_gets_no_work_while_the_others_work() -> None:
    async def test() -> None:
        rig = Rig(2, spares=1)
        await rig.start()
        assert states(rig) == ["ready", "ready", "spare"]
        assert {await rig.draw() for _ in range(9)} == {0, 1}
        assert rig.fleet.dispatcher.parts(24) == [12, 12]

    run(test)


def test_a_spare_takes_the_place_of_an_actor_that_ends_with_all_avatars() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1)
        await rig.start()
        rig.links[0].is_hung = True
        task = rig.begin()
        await asyncio.sleep(0.01)
        rig.links[0].die()
        assert await task == 1
        assert rig.links[1].calls.count("load_avatar") == 1
        await rig.until(lambda: states(rig) == ["spare", "ready"])
        assert rig.links[0].loaded == {KEY}
        assert await rig.draw() == 1

    run(test)


def test_the_batches_of_a_process_that_has_ended_are_repeated_before_ray_reports_its_end() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1, deadline_s=60.0)
        rig.cluster.watches = True
        await rig.start()
        rig.links[0].is_hung = rig.links[0].is_silent = True
        tasks = [rig.begin() for _ in range(3)]
        await asyncio.sleep(0.01)
        rig.links[0].die()
        assert await asyncio.gather(*tasks) == [1, 1, 1]
        assert rig.fleet.actors[0].outstanding == 0
        await rig.until(lambda: states(rig) == ["spare", "ready"])
        rig.links[0].is_silent = False
        rig.links[0].change()  # now the calls of the process that has ended are over, too
        await asyncio.sleep(0.01)
        assert states(rig) == ["spare", "ready"] and rig.fleet.actors[0].restarts == 1

    run(test)


def test_the_batch_of_the_only_actor_is_drawn_by_the_spare_when_it_is_late() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1, deadline_s=0.05)
        await rig.start()
        rig.links[0].is_hung = True
        assert await rig.draw() == 1
        assert states(rig) == ["late", "spare"]
        rig.links[0].is_hung = False
        rig.links[0].change()
        await rig.until(lambda: not rig.fleet.actors[0].is_late)
        assert await rig.draw() == 0

    run(test)


def test_a_spare_is_loaded_when_the_others_have_drawn_nothing_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet, "QUIET_S", 0.5)

    async def test() -> None:
        rig = Rig(1, spares=1)
        rig.fleet.begin()
        await rig.until(lambda: states(rig) == ["ready", "waiting"])
        rig.links[0].takes_s = 0.05
        for _ in range(12):
            await rig.draw()
        assert states(rig) == ["ready", "waiting"]
        assert rig.links[1].calls == []
        await rig.until(lambda: states(rig) == ["ready", "spare"])
        assert rig.links[1].was_gentle and not rig.links[0].was_gentle

    run(test)


def test_a_spare_of_busy_actors_is_loaded_after_a_longer_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet, "QUIET_S", 20.0)
    monkeypatch.setattr(fleet, "LONGEST_QUIET_WAIT_S", 0.2)

    async def test() -> None:
        rig = Rig(1, spares=1)
        begin_s = time.monotonic()
        rig.fleet.begin()
        await rig.until(lambda: states(rig) == ["ready", "waiting"])
        rig.links[0].takes_s = 0.02
        while states(rig) != ["ready", "spare"]:
            await rig.draw()
        assert time.monotonic() - begin_s > 0.2

    run(test)


def test_a_spare_that_ends_is_loaded_again_and_no_batch_is_repeated() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1)
        rig.cluster.watches = True
        await rig.start()
        rig.links[1].die()
        await rig.until(lambda: rig.fleet.actors[1].restarts == 1)
        assert states(rig) == ["ready", "waiting"]
        assert await rig.draw() == 0
        await rig.until(lambda: states(rig) == ["ready", "spare"])
        assert rig.links[1].loaded == {KEY}
        assert [actor.replays for actor in rig.fleet.actors] == [0, 0]

    run(test)


def test_if_the_actor_and_the_spare_end_together_both_start_and_the_batches_wait() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1)
        rig.cluster.watches = True
        await rig.start()
        rig.links[0].is_hung = True
        tasks = [rig.begin() for _ in range(3)]
        await asyncio.sleep(0.01)
        for link in rig.links:
            link.die()
        assert len(await asyncio.gather(*tasks)) == 3
        await rig.until(lambda: sorted(states(rig)) == ["ready", "spare"])
        assert [actor.restarts for actor in rig.fleet.actors] == [1, 1]

    run(test)


def test_a_batch_waits_for_a_spare_that_is_loading_when_the_actor_ends() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1)
        rig.cluster.watches = True
        rig.links[1].takes_s = 0.2
        rig.fleet.begin()
        await rig.until(lambda: states(rig) == ["ready", "starting"])
        rig.links[0].is_hung = rig.links[0].is_silent = True
        rig.links[0].start_error = {"error": "lost", "message": "its device is busy"}
        task = rig.begin()
        await asyncio.sleep(0.01)
        rig.links[0].die()
        assert await task == 1
        assert states(rig)[1] == "ready"

    run(test)


def test_a_new_avatar_is_loaded_on_the_spare_too_and_dropped_on_it() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1)
        await rig.start()
        parcel = rig.fleet._parcels[KEY]
        await rig.fleet.unload_avatar(KEY)
        await rig.until(lambda: not any(link.loaded for link in rig.links))
        await rig.fleet.load_avatar(parcel)
        assert rig.links[0].loaded == {KEY}
        await rig.until(lambda: rig.links[1].loaded == {KEY})

    run(test)


def test_an_engine_that_cannot_load_is_reported_without_a_try_of_the_spare() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1)
        rig.links[0].start_error = {"error": "start", "message": "no weights"}
        rig.fleet.begin()
        with pytest.raises(RemoteEngineFailed, match="no weights"):
            await rig.fleet.wait_until_usable()

    run(test)


def test_a_spare_works_if_an_actor_cannot_be_loaded() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1)
        rig.links[0].start_error = {"error": "start", "message": "no weights on its machine"}
        rig.fleet.begin()
        await rig.until(lambda: states(rig) == ["failed", "ready"])
        assert await rig.draw() == 1

    run(test)


def test_a_spare_is_drained_with_the_others() -> None:
    async def test() -> None:
        rig = Rig(1, spares=1)
        await rig.start()
        rig.links[0].takes_s = 0.1
        task = rig.begin()
        await asyncio.sleep(0.01)
        await rig.fleet.drain(5)
        assert await task == 0
        assert states(rig) == ["draining", "draining"]

    run(test)


def test_failed_calls_count_no_longer_and_their_late_answers_are_ignored() -> None:
    async def test() -> None:
        rig = Rig(1)
        actor: Actor = rig.fleet.actors[0]
        rig.links[0].takes_s = 0.05
        answer = actor.ask("facts", frames=7)
        assert (actor.calls, actor.outstanding) == (1, 7)
        actor.fail_calls(ActorGone("it has ended"))
        with pytest.raises(ActorGone, match="it has ended"):
            await answer
        await asyncio.sleep(0.1)
        assert (actor.calls, actor.outstanding) == (0, 0)

    run(test)
