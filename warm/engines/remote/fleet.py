"""The actors of a cluster: started, supplied with avatars, watched, restarted, drained.

Everything here runs in one event loop and is independent of Ray, which only `Cluster` uses.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from warm.engines.remote.actors import Actor, ActorGone, Link, error_name
from warm.engines.remote.dispatcher import SLACK, Dispatcher, checked
from warm.engines.remote.errors import error_of
from warm.engines.remote.parcel import AvatarParcel, Key

STATUS_S = 1.0
"""Interval at which the actors are asked for their state."""
HUNG_S = 8.0
"""An actor whose answer is overdue by this much is ended, and starts again."""
START_S = 600.0
"""Longest start of an actor: the load of its engine."""
RETRY_S = (0.2, 1.0, 3.0, 10.0)
"""Delays before an actor that could not start is started again; the last one repeats."""
QUIET_S = 1.0
"""A spare is loaded when the others have drawn nothing for this long."""
LONGEST_QUIET_WAIT_S = 30.0
"""A spare is loaded after this time even if the others are at work."""
POLL_S = 0.1
"""Interval at which a waiting spare looks whether the others are at work."""
PERMANENT = ("versions", "start", "failed", "avatar")
"""Start errors that are not resolved by waiting briefly."""

log = logging.getLogger(__name__)


class Cluster(Protocol):
    """Access to the processes of actors."""

    async def end_process(self, actor: Actor) -> None:
        """End the process of an actor, even one that hangs."""
        ...

    async def wait_for_end(self, actor: Actor) -> bool:
        """Wait until the process of an actor has ended; False at once if it cannot be watched."""
        ...

    async def store(self, parcel: AvatarParcel) -> AvatarParcel:
        """Put the arrays of an avatar into the object store; raises EngineOutOfMemory."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """Arguments of the start of an actor."""

    pickled: bytes
    """The function that makes its engine."""
    versions: dict[str, str]


class Fleet:
    """All actors, and the avatars that they need. Owned by the event loop."""

    def __init__(
        self,
        cluster: Cluster,
        links: list[Link],
        start: StartRequest,
        *,
        spares: int,
        deadline_s: float,
        on_change: Callable[[], None],
    ) -> None:
        """`spares`: how many of the links get no work while the others work. `on_change` is called
        after the state of an actor has changed."""
        self._cluster, self._start, self._on_change = cluster, start, on_change
        self.dispatcher = Dispatcher(
            ship=self.ship, on_gone=self.handle_gone, deadline_s=deadline_s
        )
        self.wanted = len(links) - spares
        """Number of actors that get work."""
        self.actors = [Actor(f"{index}", link) for index, link in enumerate(links)]
        for actor in self.actors[self.wanted :]:
            actor.state = "waiting"
        for actor in self.actors:
            actor.on_answer = self.dispatcher.notify
        self.dispatcher.actors = self.actors
        self._parcels: dict[Key, AvatarParcel] = {}
        """Avatars as described by the head."""
        self._stored: dict[Key, asyncio.Task[AvatarParcel]] = {}
        """Avatars whose arrays are in the object store, which they enter on first use."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def loaded(self) -> list[Actor]:
        """The actors whose engines are loaded, with spares."""
        return [actor for actor in self.actors if actor.is_loaded]

    def begin(self) -> None:
        """Start all actors; returns at once."""
        for actor in self.actors:
            self._spawn(self._bring_up(actor))
        self._spawn(self._watch())

    async def wait_until_usable(self) -> None:
        """Wait until an actor is usable; raises the error if none can start."""
        while not self.dispatcher.usable:
            if all(actor.state in {"failed", "waiting"} for actor in self.actors):
                failed = next(actor for actor in self.actors if actor.state == "failed")
                raise error_of(failed.facts.get("error", "failed"), failed.reason)
            await self._wait_for_change()

    def add_avatar(self, parcel: AvatarParcel) -> None:
        """Register an avatar without sending it to any actor."""
        self._parcels[parcel.key] = parcel

    async def load_avatar(self, parcel: AvatarParcel) -> None:
        """Load an avatar on every usable actor; raises the errors of engines.

        An actor that ends meanwhile loads it after its restart. Spares load it afterwards.
        """
        self.add_avatar(parcel)
        try:
            await asyncio.gather(
                *(self._ship_unless_gone(actor, parcel.key) for actor in self.dispatcher.usable)
            )
        except Exception:
            await self.unload_avatar(parcel.key)
            raise
        for actor in self.dispatcher.spares:
            self._spawn(self._ship_quietly(actor, parcel.key))

    async def unload_avatar(self, key: Key) -> None:
        """Drop an avatar on all actors."""
        self._parcels.pop(key, None)
        stored = self._stored.pop(key, None)
        if stored is not None:
            stored.cancel()
        for actor in self.actors:
            if key in actor.avatars:
                actor.avatars.discard(key)
                self._spawn(self._ask_quietly(actor, "unload_avatar", key))

    async def ship(self, actor: Actor, key: Key) -> None:
        """Load an avatar on an actor, through the object store."""
        if key not in self._parcels:
            raise error_of("failed", f"the avatar {key[0]!r} is not loaded")
        if key not in self._stored:
            self._stored[key] = asyncio.create_task(self._cluster.store(self._parcels[key]))
        try:
            parcel = await asyncio.shield(self._stored[key])
        except Exception:
            self._stored.pop(key, None)
            raise
        checked(await actor.ask("load_avatar", parcel))
        actor.avatars.add(key)

    async def _ship_unless_gone(self, actor: Actor, key: Key) -> None:
        try:
            await self.ship(actor, key)
        except ActorGone as gone:
            self.handle_gone(actor, gone)

    async def _ship_quietly(self, actor: Actor, key: Key) -> None:
        """Load an avatar on a spare; if that fails, it is asked for with the first batch."""
        try:
            await self._ship_unless_gone(actor, key)
        except Exception as error:  # noqa: BLE001 - nobody waits for the answer
            log.warning("actor %s cannot load the avatar %s: %s", actor.name, key[0], error)

    def release_cached_memory(self) -> None:
        """Free memory of the actors' engines that is only cached; returns at once."""
        for actor in self.loaded:
            self._spawn(self._ask_quietly(actor, "release_cached_memory"))

    def handle_gone(self, actor: Actor, gone: ActorGone) -> None:
        """Restart an actor that has ended or has lost its engine; a spare takes its place."""
        if not actor.is_loaded:
            return
        log.warning("actor %s: %s; it starts again", actor.name, gone)
        actor.state, actor.reason, actor.is_late = "restarting", str(gone), False
        actor.restarts += 1
        actor.avatars.clear()
        self._fill_places()
        actor.fail_calls(gone)
        self._on_change()
        self._spawn(self._restart(actor, ends_process=gone.is_alive))

    async def drain(self, limit_s: float) -> None:
        """Give the actors no more work, and wait until they have finished their current work."""
        for actor in self.actors:
            actor.state = "draining" if actor.is_loaded else actor.state
        deadline_s = asyncio.get_running_loop().time() + limit_s
        while any(actor.outstanding for actor in self.actors):
            if asyncio.get_running_loop().time() >= deadline_s:
                return
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """Stop watching and starting actors."""
        for task in self._tasks:
            task.cancel()

    def rows(self) -> list[dict[str, Any]]:
        """Facts and counters of all actors."""
        return [actor.row() for actor in self.actors]

    async def _restart(self, actor: Actor, *, ends_process: bool) -> None:
        if ends_process:
            await self._cluster.end_process(actor)
        await self._bring_up(actor)

    async def _bring_up(self, actor: Actor) -> None:
        """Start the engine of an actor and load all avatars on it; retry until it works."""
        await self._wait_for_quiet(actor)
        actor.state = "restarting" if actor.restarts else "starting"
        delays_s = iter(RETRY_S)
        while True:
            try:
                facts = await self._started(actor)
                break
            except Exception as error:  # noqa: BLE001 - the reason is reported; it is retried
                self._note_failure(actor, error)
            await asyncio.sleep(next(delays_s, RETRY_S[-1]))
        actor.facts = facts
        actor.state, actor.reason = "spare", ""
        log.info("actor %s is loaded: %s", actor.name, facts["device"].get("device"))
        self._fill_places()
        self._on_change()
        if await self._cluster.wait_for_end(actor) and actor.facts is facts:
            self.handle_gone(actor, ActorGone("its process has ended"))

    def _fill_places(self) -> None:
        """Give work to spares in place of the actors that do not work."""
        missing = self.wanted - len(self.dispatcher.usable)
        spares = sorted(self.dispatcher.spares, key=lambda spare: spare.is_late)
        for actor in spares[: max(0, missing)]:
            actor.state = "ready"
        self.dispatcher.notify()

    async def _wait_for_quiet(self, actor: Actor) -> None:
        """Wait, if the actor will be a spare, until the others are loaded and draw nothing."""
        clock = asyncio.get_running_loop().time
        quiet_since_s = since_s = clock()
        batches = -1
        while self._will_be_spare(actor):
            actor.state = "waiting"
            now_s, before = clock(), batches
            batches = sum(other.batches for other in self.actors)
            if batches != before or any(other.outstanding for other in self.actors):
                quiet_since_s = now_s
            has_waited = now_s - since_s >= LONGEST_QUIET_WAIT_S
            is_quiet = now_s - quiet_since_s >= QUIET_S
            if has_waited or (is_quiet and len(self.dispatcher.usable) == self.wanted):
                return
            await asyncio.sleep(POLL_S)

    def _will_be_spare(self, actor: Actor) -> bool:
        """True if enough other actors are loaded, or are being loaded."""
        coming = {"starting", "restarting", "ready", "spare"}
        others = sum(other.state in coming for other in self.actors if other is not actor)
        return others >= self.wanted

    async def _started(self, actor: Actor) -> dict[str, Any]:
        """Start the engine of an actor and load all avatars; return its facts."""
        start, is_gentle = self._start, bool(self.dispatcher.usable)
        answer = await asyncio.wait_for(
            actor.link.call("start", start.pickled, start.versions, is_gentle), START_S
        )
        if error_name(answer) is not None:
            actor.facts = {"error": answer["error"]}
            raise error_of(answer["error"], answer["message"])
        for key in list(self._parcels):
            await self.ship(actor, key)
        return dict(answer)

    def _note_failure(self, actor: Actor, error: Exception) -> None:
        if str(error) != actor.reason and not isinstance(error, ActorGone):
            log.warning("actor %s cannot start: %s", actor.name, error)
        is_permanent = actor.facts.get("error") in PERMANENT
        actor.state = "failed" if is_permanent else actor.state
        actor.reason = str(error) or type(error).__name__
        self._on_change()
        self.dispatcher.notify()

    async def _watch(self) -> None:
        """Ask the actors for their state, and end those that hang."""
        while True:
            await asyncio.sleep(STATUS_S)
            for actor in self.loaded:
                limit_s = HUNG_S + SLACK * max(map(actor.expected_s, actor.pace_s), default=0.0)
                if actor.silent_s > limit_s:
                    hung = f"no answer for {actor.silent_s:.0f} s"
                    self.handle_gone(actor, ActorGone(hung, is_alive=True))
                elif actor.silent_s > STATUS_S and not actor.outstanding:
                    actor.is_late = True
                elif not actor.calls:
                    self._spawn(self._ask_quietly(actor, "facts"))
            self._on_change()

    async def _ask_quietly(self, actor: Actor, method: str, *arguments: Any) -> None:
        """Call an actor, and restart it if it has ended; errors are only logged."""
        try:
            answer = checked(await actor.ask(method, *arguments))
        except ActorGone as gone:
            self.handle_gone(actor, gone)
        except Exception as error:  # noqa: BLE001 - nobody waits for the answer
            log.warning("actor %s, %s: %s", actor.name, method, error)
        else:
            actor.facts.update(answer or {})

    async def _wait_for_change(self) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.dispatcher.changed(), 1.0)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
