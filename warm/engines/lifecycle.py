"""Whether the engine is loaded: from the start or when it is wanted, until nobody speaks for long;
loaded anew when its device failed."""

import logging
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Literal

from warm.engines.base import Engine, EngineLost, EngineOutOfMemory

TRIES_S = (0.0, 1.0, 3.0, 10.0)
"""Rest before each try to load an engine that was lost or did not load …"""
LATER_S = 60.0
"""… and before each one after those."""
RENEWAL_S = 5
"""About how long a new process takes to be there."""
AWAY = "the engine is unloaded; the next request loads it"
COMING = "the engine is being loaded; requests wait for it"
FOR_GOOD = (
    "the engine failed ({trouble}), and this process can never use its device again. A new process "
    "takes its place: at once, or in a few minutes where that has happened several times. "
)
MEND = (
    "Films can be watched and exported. Look at the device (nvidia-smi) and at the log; a GPU that "
    "has failed often needs a restart of the server"
)

LifecycleState = Literal["asleep", "loading", "awake", "reloading", "broken"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPolicy:
    """When an engine is loaded and unloaded."""

    unload_idle_s: float = 0.0
    """It is unloaded when nobody wanted it for so long; 0: never."""
    clear_cache: bool = False
    """Whether what it keeps for the next pass is given back when nobody speaks any more."""
    tries_s: tuple[float, ...] = TRIES_S
    later_s: float = LATER_S


class EngineLifecycle:
    """Owned by the render thread, which calls `tend` in each turn; any thread may look.

    An engine that is wanted again is loaded on a thread of its own: until `is_awake`, the render
    thread asks it for no speech and no picture, and goes on with everything else.
    """

    def __init__(
        self,
        engine: Engine,
        load_policy: LoadPolicy,
        *,
        clock: Callable[[], float],
        ring: Callable[[], None] = lambda: None,
    ) -> None:
        """`ring` is called by any thread when there is something for `tend`."""
        self.state: LifecycleState = "asleep"
        self.reason = AWAY
        """Empty while it is awake."""
        self.load_s: float | None = None
        """How long the last load took."""
        self.loads, self.unloads, self.losses = 0, 0, 0
        self.needs_new_process = False
        """Whether no load in this process will help any more."""
        self._engine, self._load_policy = engine, load_policy
        self._clock, self._ring = clock, ring
        self._loading: Future[None] | None = None
        self._begun_s = self._used_s = clock()
        self._was_busy = False
        self._tries, self._due_s = 0, 0.0
        self._trouble = ""

    @property
    def is_awake(self) -> bool:
        """Whether the engine can be asked for anything."""
        return self.state == "awake"

    @property
    def retry_after_s(self) -> int:
        """When to ask again."""
        if self.needs_new_process:
            return RENEWAL_S
        return round(self._load_policy.later_s) if self.state == "broken" else 1

    def load(self) -> None:
        """Load it here and now, once, at the start; raises what the engine does.

        A device that fails is tried again like one that failed later: nothing is raised.
        """
        self._begun_s = self._clock()
        try:
            self._engine.load()
        except EngineLost as lost:
            self._fail(lost)
        else:
            self._rise()

    def tend(self, *, wanted: bool, busy: bool) -> None:
        """Load, unload, or look what became of a load.

        `wanted`: there is demand for it (see `Demand`); `busy`: something is being made by it,
        which is demand too. With demand it is loaded and stays loaded.
        """
        if self._loading is not None:
            self._look()
        wanted = wanted or busy
        if wanted:
            self._used_s = self._clock()
        if self.state == "awake":
            self._care(wanted=wanted, busy=busy)
        elif self.state == "asleep" and wanted:
            self._begin("loading", COMING)
        elif self._loading is None and self._trouble and self._clock() >= self._due_s:
            self._begin(self.state, self.reason)

    def note(self, error: Exception) -> None:
        """Something failed while the engine was asked: where it was lost, it is loaded anew."""
        if isinstance(error, EngineLost) and self.state == "awake":
            log.error("the engine was lost: %s", error)
            let_go(error)
            self.losses += 1
            self._tries = 0
            self._fail(error)

    def _care(self, *, wanted: bool, busy: bool) -> None:
        """Give back what nobody needs."""
        is_over, self._was_busy = self._was_busy and not busy, busy
        idle_s = self._clock() - self._used_s
        try:
            if not wanted and 0 < self._load_policy.unload_idle_s <= idle_s:
                self._engine.unload()
                self.unloads += 1
                self.state, self.reason = "asleep", AWAY
                log.info("the engine was unloaded after %.0f s without work", idle_s)
            elif is_over and self._load_policy.clear_cache:
                self._engine.release_cached_memory()
        except EngineLost as error:
            self.note(error)

    def _begin(self, state: LifecycleState, reason: str) -> None:
        self.state, self.reason = state, reason
        self._begun_s = self._clock()
        self._loading = Future()
        Thread(target=self._load, args=(self._loading,), name="load", daemon=True).start()

    def _load(self, done: "Future[None]") -> None:
        """Thread of its own."""
        try:
            with suppress(EngineLost):  # a device that is gone has nothing to give back
                self._engine.unload()
            self._engine.load()
            done.set_result(None)
        except BaseException as error:  # the top of a thread; everybody waits for its answer
            trace = None if isinstance(error, EngineLost | EngineOutOfMemory) else error
            log.warning("the engine could not be loaded: %s", error, exc_info=trace)
            let_go(error)
            done.set_exception(error)
        self._ring()

    def _look(self) -> None:
        """Whether it is loaded by now."""
        assert self._loading is not None
        if not self._loading.done():
            return
        error = self._loading.exception()
        self._loading = None
        if error is None:
            self._rise()
        else:
            self._fail(error)

    def _rise(self) -> None:
        now_s = self._clock()
        self.load_s, self._used_s = now_s - self._begun_s, now_s
        self.loads += 1
        self._tries, self._trouble = 0, ""
        self.state, self.reason = "awake", ""
        log.info("the engine was loaded in %.2f s", self.load_s)

    def _fail(self, error: BaseException) -> None:
        """Have it tried again after a while."""
        waits_s = self._load_policy.tries_s
        self.needs_new_process = isinstance(error, EngineLost) and error.needs_new_process
        is_last = self._tries >= len(waits_s)
        rest_s = self._load_policy.later_s if is_last else waits_s[self._tries]
        self._due_s = self._clock() + rest_s
        self._tries += 1
        self._trouble = str(error) or type(error).__name__
        if self.needs_new_process:
            log.error("the engine is lost to this process: %s", self._trouble)
            self._due_s = float("inf")
            self.state, self.reason = "broken", FOR_GOOD.format(trouble=self._trouble) + MEND
        elif is_last:
            self.state = "broken"
            self.reason = (
                f"the engine cannot be loaded ({self._trouble}); it is tried again every "
                f"{self._load_policy.later_s:.0f} s. {MEND}"
            )
        else:
            self.state = "reloading"
            self.reason = (
                f"the engine failed ({self._trouble}) and is being loaded anew, "
                f"try {self._tries} of {len(waits_s)}; requests wait for it"
            )


def let_go(error: BaseException | None) -> None:
    """Drop what the calls that led to an error hold: networks, which are to make room for new ones
    while somebody is still being told of it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
