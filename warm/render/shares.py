"""Fair shares of the queue and of the speaking places."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeVar

from warm.sessions.shares import Client, Limit, client_share, session_share

ACTIVE_S = 600.0
"""A client counts as active for this long after its last request. While several are, some speaking
places are kept from each of them."""
KEPT_PART = 4
"""One in this many speaking places is kept for other active clients, and at least one."""
MAX_REMEMBERED = 10_000
"""Clients and sessions whose last turn is remembered; the oldest are forgotten first."""


class Owned(Protocol):
    """A request that belongs to a session and a client."""

    @property
    def session_id(self) -> str:
        """Id of its session."""
        ...

    @property
    def client(self) -> Client:
        """The sender."""
        ...


JobT = TypeVar("JobT", bound=Owned)


class QueueFull(RuntimeError):
    """The queue, or the share that a session or client has in it, is full."""

    def __init__(self, limit: Limit, retry_after_s: int = 1) -> None:
        super().__init__(
            f"{limit.describe('requests are waiting')}; try again in {retry_after_s} s"
        )
        self.limit = limit
        self.retry_after_s = retry_after_s


class FairShares:
    """Decides which requests may wait, and which waiting request is started next.

    A request that can be started at once takes a speaking place; every other one takes a place in
    the queue. `record_turn` is for the render thread; the lock of the queue must be held during
    every other call. `speaking` are the requests whose clips are being rendered or whose films are
    being opened.
    """

    def __init__(
        self,
        max_queue: int,
        places: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`places`: number of requests that may speak at once, at present."""
        self.max_queue = max_queue
        self._places = places
        self._clock = clock
        self._turns = 0
        self._last_turn: OrderedDict[str, int] = OrderedDict()
        """Number of the last turn of each client and each session."""
        self._last_seen: OrderedDict[str, float] = OrderedDict()
        """Time of the last request of each client."""

    def note(self, client: Client) -> None:
        """Note a request of a client."""
        if client.name:
            self._last_seen[client.name] = self._clock()
            self._last_seen.move_to_end(client.name)
            forget_oldest(self._last_seen)

    def check(self, job: Owned, queued: Sequence[Owned], speaking: Sequence[Owned]) -> None:
        """Raise QueueFull unless `job` may be added to the queue."""
        waiting = self._waiting([*queued, job], speaking)
        if not any(each is job for each in waiting):
            return
        waiting.remove(job)
        limit = self._limit_reached(job, waiting)
        if limit is not None:
            raise QueueFull(limit)

    def choose(
        self, queued: Sequence[JobT], speaking: Sequence[Owned], busy: Collection[str]
    ) -> JobT | None:
        """Return the request that is started next; None if none can be.

        `busy`: sessions in which nothing can be started. The client that speaks least goes first;
        then the client, and then the session, whose last turn is longest ago.
        """
        places = self._places()
        if len(speaking) >= places:
            return None
        taken = [job.client.name for job in speaking]
        limit = self._speaking_share(places)
        able = [
            job
            for job in first_of_sessions(queued)
            if job.session_id not in busy
            and (not job.client.name or taken.count(job.client.name) < limit)
        ]
        return min(able, key=lambda job: self._rank(job, taken), default=None)

    def record_turn(self, job: Owned) -> None:
        """Note that a request is started."""
        self._turns += 1
        for name in (client_key(job), session_key(job)):
            self._last_turn[name] = self._turns
            self._last_turn.move_to_end(name)
        forget_oldest(self._last_turn)

    def _rank(self, job: Owned, taken: Sequence[str]) -> tuple[int, int, int]:
        return (
            taken.count(job.client.name),
            self._last_turn.get(client_key(job), 0),
            self._last_turn.get(session_key(job), 0),
        )

    def _waiting(self, queued: Sequence[Owned], speaking: Sequence[Owned]) -> list[Owned]:
        """Requests in the queue that no free speaking place is left for."""
        waiting, started = list(queued), list(speaking)
        while True:
            busy = {job.session_id for job in started}
            job = self.choose(waiting, started, busy)
            if job is None:
                return waiting
            waiting.remove(job)
            started.append(job)

    def _limit_reached(self, job: Owned, waiting: Sequence[Owned]) -> Limit | None:
        """The limit that keeps `job` from waiting with the others; None if it may wait."""
        total = self.max_queue
        of_client = [each for each in waiting if each.client.name == job.client.name]
        of_session = [each for each in of_client if each.session_id == job.session_id]
        used, used_by_client = len(waiting), len(of_client)
        for_client = client_share(total, used - used_by_client) if job.client.name else total
        if job.client.max_queued is not None:
            for_client = min(for_client, job.client.max_queued)
        for_session = session_share(for_client, used_by_client - len(of_session))
        limits = (
            Limit(setting="max_queue", value=total, scope="all", share=total, used=used),
            Limit(
                setting="max_queue", value=total, scope="session", share=for_session,
                used=len(of_session), name=job.session_id,
            ),
            Limit(
                setting="max_queue", value=total, scope="client", share=for_client,
                used=used_by_client, name=job.client.name,
            ),
        )  # fmt: skip
        return next((limit for limit in limits if limit.used >= limit.share), None)

    def _speaking_share(self, places: int) -> int:
        """Speaking places that one client may take at present."""
        while self._last_seen and self._clock() - next(iter(self._last_seen.values())) > ACTIVE_S:
            self._last_seen.popitem(last=False)
        kept = max(1, places // KEPT_PART) if len(self._last_seen) > 1 else 0
        return max(1, places - kept)


def first_of_sessions(queued: Sequence[JobT]) -> list[JobT]:
    """The first request of each session, in order."""
    first: dict[str, JobT] = {}
    for job in queued:
        first.setdefault(job.session_id, job)
    return list(first.values())


def client_key(job: Owned) -> str:
    """Key of a request's client among the turns."""
    return f"client {job.client.name}"


def session_key(job: Owned) -> str:
    """Key of a request's session among the turns."""
    return f"session {job.session_id}"


def forget_oldest(entries: "OrderedDict[str, float] | OrderedDict[str, int]") -> None:
    """Remove the oldest entry if there are more than `MAX_REMEMBERED`."""
    if len(entries) > MAX_REMEMBERED:
        entries.popitem(last=False)
