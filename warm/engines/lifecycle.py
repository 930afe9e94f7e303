"""Loading, unloading and reloading of the engine: at the start or on demand, after a long idle
time, and after a failure of its device."""

import logging
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Literal

from warm.engines.base import Engine, EngineLost, EngineOutOfMemory

RETRY_DELAYS_S = (0.0, 1.0, 3.0, 10.0)
"""Delay before each of the first attempts to reload a failed engine."""
LONG_RETRY_DELAY_S = 60.0
"""Delay before each later attempt."""
NEW_PROCESS_S = 5
"""Typical time until a new process accepts requests."""
UNLOADED = "the engine is unloaded; the next request loads it"
LOADING = "the engine is being loaded; requests wait for it"
PROCESS_UNUSABLE = (
    "the engine failed ({error}), and this process can never use its device again. A new process "
    "replaces it: at once, or in a few minutes if that has happened several times. "
)
ADVICE = (
    "Films can still be watched and exported. Check the device (nvidia-smi) and the log; a GPU "
    "that has failed often needs a restart of the server"
)

LifecycleState = Literal["asleep", "loading", "awake", "reloading", "broken"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPolicy:
    """Conditions under which an engine is loaded and unloaded."""

    unload_idle_s: float = 0.0
    """Idle time after which the engine is unloaded; 0: never."""
    clear_cache: bool = False
    """Release cached memory when the last speech has ended."""
    retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S
    long_retry_delay_s: float = LONG_RETRY_DELAY_S


class EngineLifecycle:
    """State of the engine, and the thread that reloads it.

    Owned by the render thread, which calls `update` in every iteration; any thread
    may read it. Until `is_awake`, the render thread requests no speech and no picture from the
    engine, and continues with all other work.
    """

    def __init__(
        self,
        engine: Engine,
        load_policy: LoadPolicy,
        *,
        clock: Callable[[], float],
        notify: Callable[[], None] = lambda: None,
        start_thread: Callable[[str, Callable[[], None]], None] | None = None,
    ) -> None:
        """`notify` is called, on any thread, when `update` has something to do. `start_thread` runs
        a function on a new thread of this name."""
        self.state: LifecycleState = "asleep"
        self.reason = UNLOADED
        """Reason why the engine is not awake; empty while it is."""
        self.load_s: float | None = None
        """Duration of the last load."""
        self.loads, self.unloads, self.losses = 0, 0, 0
        self.needs_new_process = False
        """True if no further load in this process can succeed."""
        self._engine, self._load_policy = engine, load_policy
        self._clock, self._notify = clock, notify
        self._start_thread = start_thread or start_daemon
        self._loading: Future[None] | None = None
        self._load_started_s = self._last_used_s = clock()
        self._was_busy = False
        self._failed_attempts, self._retry_at_s = 0, 0.0
        self._last_error = ""

    @property
    def is_awake(self) -> bool:
        """True if the engine accepts calls."""
        return self.state == "awake"

    @property
    def is_loading(self) -> bool:
        """True while a thread loads the engine."""
        return self._loading is not None

    @property
    def retry_after_s(self) -> int:
        """Seconds after which a client should retry."""
        if self.needs_new_process:
            return NEW_PROCESS_S
        return round(self._load_policy.long_retry_delay_s) if self.state == "broken" else 1

    def load(self) -> None:
        """Load the engine on the calling thread, once, at the start; raises the engine's errors.

        EngineLost is not raised: it is retried like a later failure.
        """
        self._load_started_s = self._clock()
        try:
            self._engine.load()
        except EngineLost as error:
            self._handle_failure(error)
        else:
            self._handle_loaded()

    def update(self, *, has_demand: bool, is_busy: bool) -> None:
        """Load or unload the engine, or handle the result of a load.

        `has_demand`: see `Demand`; `is_busy`: the engine is at work, which counts as demand. With
        demand, the engine is loaded and stays loaded.
        """
        if self._loading is not None:
            self._poll_load()
        has_demand = has_demand or is_busy
        if has_demand:
            self._last_used_s = self._clock()
        if self.state == "awake":
            self._free_memory(has_demand=has_demand, is_busy=is_busy)
        elif self.state == "asleep" and has_demand:
            self._start_load("loading", LOADING)
        elif self._loading is None and self._last_error and self._clock() >= self._retry_at_s:
            self._start_load(self.state, self.reason)

    def report_error(self, error: Exception) -> None:
        """Handle an error that the engine raised; after EngineLost the engine is reloaded."""
        if isinstance(error, EngineLost) and self.state == "awake":
            log.error("the engine was lost: %s", error)
            clear_tracebacks(error)
            self.losses += 1
            self._failed_attempts = 0
            self._handle_failure(error)

    def _free_memory(self, *, has_demand: bool, is_busy: bool) -> None:
        """Unload an idle engine, or release its cached memory after the last speech."""
        has_finished, self._was_busy = self._was_busy and not is_busy, is_busy
        idle_s = self._clock() - self._last_used_s
        try:
            if not has_demand and 0 < self._load_policy.unload_idle_s <= idle_s:
                self._engine.unload()
                self.unloads += 1
                self.state, self.reason = "asleep", UNLOADED
                log.info("the engine was unloaded after %.0f s without work", idle_s)
            elif has_finished and self._load_policy.clear_cache:
                self._engine.release_cached_memory()
        except EngineLost as error:
            self.report_error(error)

    def _start_load(self, state: LifecycleState, reason: str) -> None:
        self.state, self.reason = state, reason
        self._load_started_s = self._clock()
        self._loading = Future()
        self._start_thread("load", partial(self._load, self._loading))

    def _load(self, done: "Future[None]") -> None:
        """Run on a thread of its own."""
        try:
            with suppress(EngineLost):  # a lost device has no memory to free
                self._engine.unload()
            self._engine.load()
            done.set_result(None)
        except BaseException as error:  # the top of a thread; the render thread needs a result
            trace = None if isinstance(error, EngineLost | EngineOutOfMemory) else error
            log.warning("the engine could not be loaded: %s", error, exc_info=trace)
            clear_tracebacks(error)
            done.set_exception(error)
        self._notify()

    def _poll_load(self) -> None:
        """Handle the result of a load that has ended."""
        assert self._loading is not None
        if not self._loading.done():
            return
        error = self._loading.exception()
        self._loading = None
        if error is None:
            self._handle_loaded()
        else:
            self._handle_failure(error)

    def _handle_loaded(self) -> None:
        now_s = self._clock()
        self.load_s, self._last_used_s = now_s - self._load_started_s, now_s
        self.loads += 1
        self._failed_attempts, self._last_error = 0, ""
        self.state, self.reason = "awake", ""
        log.info("the engine was loaded in %.2f s", self.load_s)

    def _handle_failure(self, error: BaseException) -> None:
        """Schedule the next attempt, and describe it in `state` and `reason`."""
        delays_s = self._load_policy.retry_delays_s
        long_delay_s = self._load_policy.long_retry_delay_s
        is_exhausted = self._failed_attempts >= len(delays_s)
        delay_s = long_delay_s if is_exhausted else delays_s[self._failed_attempts]
        self._retry_at_s = self._clock() + delay_s
        self._failed_attempts += 1
        self._last_error = str(error) or type(error).__name__
        self.needs_new_process = isinstance(error, EngineLost) and error.needs_new_process
        if self.needs_new_process:
            log.error("this process cannot use the device any more: %s", self._last_error)
            self._retry_at_s = float("inf")
            self.state = "broken"
            self.reason = PROCESS_UNUSABLE.format(error=self._last_error) + ADVICE
        elif is_exhausted:
            self.state = "broken"
            self.reason = (
                f"the engine cannot be loaded ({self._last_error}); loading is retried every "
                f"{long_delay_s:.0f} s. {ADVICE}"
            )
        else:
            self.state = "reloading"
            self.reason = (
                f"the engine failed ({self._last_error}) and is being reloaded, "
                f"attempt {self._failed_attempts} of {len(delays_s)}; requests wait for it"
            )


def clear_tracebacks(error: BaseException | None) -> None:
    """Clear the frames of an error and its causes: they refer to networks whose memory the next
    load needs, while a request may still refer to the error."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def start_daemon(name: str, work: Callable[[], None]) -> None:
    """Run a function on a thread that does not keep the process alive."""
    Thread(target=work, name=name, daemon=True).start()
