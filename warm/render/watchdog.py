"""Watchdog: reports stalled steps, and fails the requests that wait for them."""

import logging
import math
from collections.abc import Callable, Iterable, Sequence

from warm.render.demand import Demand
from warm.render.health import Liveness, NotReady
from warm.render.jobs import SpeakJob
from warm.render.steps import STAGES, Stage, StageUse, Step, Steps

CHECK_S = 0.5
"""Interval between two checks."""
LONG_TIMEOUT_S = 600.0
"""Longest time that a request waits for the engine to be loaded, or for background work."""
RETRY_S = 30
"""`Retry-After` of a request whose step stalled, seconds."""

log = logging.getLogger(__name__)


class Watchdog:
    """Compares the age of every step with its limits. `check` is called by one thread.

    A step older than `report_s` is logged once, and reported by `/health`. One that is older than
    `timeout_s` fails the requests that wait for it: those of its session, or all.
    """

    def __init__(
        self,
        *,
        steps: Steps,
        demand: Demand,
        liveness: Liveness,
        waiting: Callable[[], Sequence[SpeakJob]],
        report_s: float,
        timeout_s: float,
    ) -> None:
        """`waiting`: the requests in the queue."""
        self._steps, self._demand, self._liveness = steps, demand, liveness
        self._waiting = waiting
        self._report_s, self._timeout_s = report_s, timeout_s
        self._reported: set[Step] = set()

    def check(self) -> None:
        """Report the stalled steps, and fail the requests that wait for them."""
        now_s = self._steps.clock()
        steps = self._steps.all()
        self._report(steps, now_s)
        for step in steps:
            if now_s - step.started_s > self._limit_s(step, self._timeout_s):
                self._answer(step, now_s)
        silent_s = self._liveness.silent_s()
        if silent_s > self._timeout_s:
            self._demand.fail_all(stalled(self._liveness.describe_silence(), self._timeout_s))

    def standing(self) -> Step | None:
        """The oldest stalled step. Any thread."""
        now_s = self._steps.clock()
        late = (
            step
            for step in self._steps.all()
            if now_s - step.started_s > self._limit_s(step, self._report_s)
        )
        return next(late, None)

    def use(self) -> dict[Stage, StageUse]:
        """Number and greatest age of the steps of each stage. Any thread."""
        now_s = self._steps.clock()
        steps = self._steps.all()
        ages_s: dict[Stage, list[float]] = {stage: [] for stage in STAGES}
        for step in steps:
            ages_s[step.stage].append(now_s - step.started_s)
        ages_s["queue"] = [job.age_s() for job in self._waiting()]
        return {
            stage: StageUse(count=len(found), oldest_s=max(found, default=0.0))
            for stage, found in ages_s.items()
        }

    def _limit_s(self, step: Step, limit_s: float) -> float:
        """Loading and background work may take longer than other steps."""
        return LONG_TIMEOUT_S if step.stage == "loading" or step.is_background else limit_s

    def _report(self, steps: Iterable[Step], now_s: float) -> None:
        late = {s for s in steps if now_s - s.started_s > self._limit_s(s, self._report_s)}
        for step in late - self._reported:
            log.warning("stalled", extra=log_fields(step, now_s))
        for step in self._reported - late:
            log.info("no longer stalled", extra=log_fields(step, now_s))
        self._reported = late

    def _answer(self, step: Step, now_s: float) -> None:
        """Fail the requests that wait for a step."""
        error = stalled(step.describe(now_s), self._timeout_s)
        for job in self._demand.jobs():
            if step.session_id in (None, job.session_id):
                job.fail(error)


def stalled(description: str, timeout_s: float) -> NotReady:
    """The error of a request that waited for a stalled step."""
    return NotReady(
        f"{description}; a request waits at most {timeout_s:g} s for one step (step_timeout_s). "
        "Check the disk and the log, and try again",
        RETRY_S,
    )


def log_fields(step: Step, now_s: float) -> dict[str, object]:
    """Log fields of a step."""
    return {
        "stage": step.stage,
        "session_id": step.session_id,
        "request_id": step.request_id,
        "subject": step.subject,
        "seconds": math.floor(now_s - step.started_s),
    }
