"""Order in which queued jobs are started: owners take turns."""

from collections import Counter, OrderedDict
from collections.abc import Sequence

from warm.jobs.job import Job

MAX_REMEMBERED = 10_000
"""Owners whose last turn is remembered; the oldest is forgotten first."""


class Turns:
    """Chooses the next job. One thread."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._turns = 0
        self._last_turn: OrderedDict[str, int] = OrderedDict()

    def choose(self, queued: Sequence[Job], running: Sequence[Job]) -> Job | None:
        """Return the job that is started next; None if none can be.

        The owner with the fewest running jobs goes first, then the one whose last turn is longest
        ago. A job during which the server crashed runs alone, so that the next crash is not
        counted for the others.
        """
        if len(running) >= self._places or any(job.crashes for job in running):
            return None
        taken = Counter(job.owner for job in running)
        chosen = min(
            first_of_owners(queued),
            key=lambda job: (taken[job.owner], self._last_turn.get(job.owner, 0), job.number),
            default=None,
        )
        return None if chosen is not None and chosen.crashes and running else chosen

    def record(self, job: Job) -> None:
        """Note that a job was started."""
        self._turns += 1
        self._last_turn[job.owner] = self._turns
        self._last_turn.move_to_end(job.owner)
        if len(self._last_turn) > MAX_REMEMBERED:
            self._last_turn.popitem(last=False)


def first_of_owners(queued: Sequence[Job]) -> list[Job]:
    """The first job of each owner, in order."""
    first: dict[str, Job] = {}
    for job in queued:
        first.setdefault(job.owner, job)
    return list(first.values())
