"""Distribution of work over actors: the least loaded first, another one after a deadline.

Everything here runs in one event loop, and is independent of Ray.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from warm.engines.remote.actors import Actor, ActorGone, error_name
from warm.engines.remote.errors import BatchKillsActors, error_of
from warm.engines.remote.parcel import Key

SLACK = 4.0
"""An actor may take this many times its usual time before its work is given to another one."""
MOST_DEATHS = 3
"""Actors that may end while they work on a batch before the batch is no longer repeated."""
SMALLEST_PART = 4
"""Fewest frames for which a batch is divided among actors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A call that any actor can answer."""

    method: str
    arguments: tuple[Any, ...]
    frames: int
    avatars: frozenset[Key] = frozenset()
    """Avatars that the actor needs."""


class Dispatcher:
    """Gives work to actors. Owned by the event loop."""

    def __init__(
        self,
        *,
        ship: Callable[[Actor, Key], Awaitable[None]],
        on_gone: Callable[[Actor, ActorGone], None],
        deadline_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ship` loads an avatar on an actor; it raises ActorGone and errors of engines. `on_gone`
        is called when an actor has ended, and marks it as unusable."""
        self.actors: list[Actor] = []
        self._ship, self._on_gone = ship, on_gone
        self._deadline_s, self._clock = deadline_s, clock
        self._changed = asyncio.Event()

    @property
    def usable(self) -> list[Actor]:
        """The actors that accept work."""
        return [actor for actor in self.actors if actor.is_usable]

    @property
    def spares(self) -> list[Actor]:
        """The actors that are loaded, but get work only if another one is late or ends."""
        return [actor for actor in self.actors if actor.state == "spare"]

    def notify(self) -> None:
        """Make waiting work look for an actor again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Wait for the next call of `notify`."""
        await self._changed.wait()

    def parts(self, frames: int) -> list[int]:
        """Return the sizes of the parts into which a batch is divided among the actors."""
        punctual = sum(not actor.is_late for actor in self.usable)
        return divided(frames, punctual)

    async def run(self, work: Work) -> Any:
        """Return the first answer; raises the errors of the engine, and BatchKillsActors.

        Waits while no actor is usable.
        """
        attempts: dict[asyncio.Task[Any], Actor] = {}
        deaths, due_s = 0, 0.0
        try:
            while True:
                changed = self._changed
                if not attempts or self._clock() >= due_s:
                    due_s = self._begin(work, attempts, is_suspect=deaths > 0)
                done = await wait_for_any(attempts, changed, due_s - self._clock())
                for task in done:
                    actor = attempts.pop(task)
                    try:
                        return task.result()
                    except ActorGone as gone:
                        deaths += gone.was_working
                        actor.replays += 1
                        self._on_gone(actor, gone)
                if deaths >= MOST_DEATHS:
                    raise BatchKillsActors(
                        f"{deaths} actors ended, one after another, while they worked on the same "
                        f"call ({work.method}). See the logs of Ray on their machines"
                    )
                if self._clock() >= due_s:
                    for actor in attempts.values():
                        actor.is_late = True
        finally:
            for task in attempts:
                task.cancel()

    def _begin(
        self, work: Work, attempts: dict[asyncio.Task[Any], Actor], *, is_suspect: bool
    ) -> float:
        """Give the work to another actor, if there is one; return the deadline of its answer.

        `is_suspect`: an actor has ended while it had the work. Others get it only if they are
        alive: when several actors end at once, the work is not the cause.
        """
        actor = self._choose(work, attempts.values())
        if actor is None:
            return float("inf") if not attempts else self._clock() + self._deadline_s
        for late in attempts.values():
            late.replays += 1
        actor.batches += 1
        if is_suspect:
            attempt = self._careful_attempt(actor, work)
        else:
            attempt = self._attempt(actor, work, ask(actor, work))
        attempts[asyncio.create_task(attempt)] = actor
        return self._clock() + max(self._deadline_s, SLACK * actor.expected_s(work.method))

    def _choose(self, work: Work, busy: Collection[Actor]) -> Actor | None:
        """Return the actor with the fewest outstanding frames; among equals one with the avatars.

        If all are late, a spare gets the work. A late actor gets it only if there is no other one,
        and no actor has the work already.
        """
        usable = [actor for actor in self.usable if actor not in busy]
        punctual = [actor for actor in usable if not actor.is_late]
        spares = [actor for actor in self.spares if actor not in busy and not actor.is_late]
        candidates = punctual or spares or ([] if busy else usable)
        return min(candidates, key=lambda actor: rank(actor, work), default=None)

    async def _careful_attempt(self, actor: Actor, work: Work) -> Any:
        """As `_attempt`, after a sign of life of the actor."""
        try:
            await actor.ask("facts")
        except ActorGone as gone:
            gone.was_working = False
            raise
        return await self._attempt(actor, work, ask(actor, work))

    async def _attempt(self, actor: Actor, work: Work, asked: asyncio.Future[Any]) -> Any:
        """Wait for an actor's answer; raises ActorGone and the errors of the engine."""
        ahead, started_s = actor.outstanding, self._clock()
        answer = await asked
        if error_name(answer) == "unknown_avatar":
            for avatar_id, digest in answer["keys"]:
                await self._ship(actor, (avatar_id, digest))
            answer = await ask(actor, work)
        elif error_name(answer) is None:
            actor.note_pace(work.method, (self._clock() - started_s) / max(1, ahead))
        return checked(answer)


def divided(frames: int, actors: int) -> list[int]:
    """Return the sizes of equal parts, at most one per actor, of at least SMALLEST_PART frames."""
    count = max(1, min(actors, frames // SMALLEST_PART))
    return [frames * (index + 1) // count - frames * index // count for index in range(count)]


def ask(actor: Actor, work: Work) -> asyncio.Future[Any]:
    """Give the work to an actor; the future gets its answer."""
    return actor.ask(work.method, *work.arguments, frames=work.frames)


def rank(actor: Actor, work: Work) -> tuple[int, bool, int]:
    """Return the order in which actors are asked: lowest first."""
    return actor.outstanding, not work.avatars <= actor.avatars, actor.batches


def checked(answer: Any) -> Any:
    """Return an answer that is a result; raises the error that it describes otherwise."""
    name = error_name(answer)
    if name is None:
        return answer
    if name in {"not_started", "unknown_avatar"}:
        raise ActorGone("it has been restarted", was_working=False)
    if name in {"lost", "unreachable"}:
        raise ActorGone(f"its engine was lost: {answer['message']}", is_alive=True)
    raise error_of(name, answer["message"])


async def wait_for_any(
    attempts: Collection[asyncio.Task[Any]], changed: asyncio.Event, timeout_s: float
) -> list[asyncio.Task[Any]]:
    """Wait for an attempt, a change among the actors or the deadline; return the ended attempts."""
    watch = asyncio.ensure_future(changed.wait())
    timeout = None if timeout_s == float("inf") else max(0.0, timeout_s)
    try:
        await asyncio.wait({*attempts, watch}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()
    return [task for task in attempts if task.done()]
