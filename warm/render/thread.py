"""Render thread: the one thread that owns engine, clips and films."""

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from threading import Event, Thread
from typing import Any, TypeVar

from session.factory import Film
from tts.voice import BadSpeechRequest, RehearsableVoices, VoiceChoice, VoiceUnavailable
from warm.engines.base import EngineLost
from warm.engines.lifecycle import EngineLifecycle, LoadPolicy
from warm.render.background import BackgroundPool
from warm.render.clip import Clip
from warm.render.context import RenderContext, RenderResources, Threads
from warm.render.demand import Demand
from warm.render.health import WORKING, Health, Liveness, NotReady, State
from warm.render.jobs import Command, Interrupted, SpeakJob
from warm.render.live_sink import NO_LIVE, LiveSink
from warm.render.loop import Films, Queue, RenderLoop
from warm.render.overlays import Compositor
from warm.render.pace import SpeakingPlaces
from warm.render.queue import WorkQueue
from warm.render.renderer import Renderer
from warm.render.shares import FairShares, QueueFull
from warm.render.steps import Step, Steps
from warm.render.watchdog import CHECK_S, LONG_TIMEOUT_S, Watchdog
from warm.sessions.shares import Limit
from warm.sessions.voice_choice import Choices, VoiceResolver
from warm.settings import Settings

HEARTBEAT_S = 0.5
"""Longest time between two heartbeats of an idle render thread."""
DEVICE_STATUS_S = 1.0
"""Interval at which the engine reports its device."""
WANTED_S = 0.5
"""Interval at which the clients of unanswered requests are checked."""
CLOSE_S = 0.5
"""Least time that films have to close, seconds."""
MAX_RETRY_S = 300
"""Longest `Retry-After` of a refused request, seconds."""
WARM_UP_TEXT = "Ready."

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class RenderThread:
    """Runs the render loop, and loads and unloads the engine.

    The public methods may be called from any thread.
    """

    def __init__(
        self,
        resources: RenderResources,
        settings: Settings,
        *,
        on_warm: Callable[[], None],
        clock: Callable[[], float],
        threads: Threads = Threads(),  # noqa: B008 - immutable
        live: LiveSink = NO_LIVE,
    ) -> None:
        """`on_warm` is called by the render thread when everything is loaded; `live` receives the
        frames of sessions with live viewers."""
        self.on_start_failure: Callable[[BaseException], None] = lambda _error: None
        """Receives the error if the thread ends before it is warm. To be set before `start`."""
        self.request_restart: Callable[[], bool] = lambda: False
        """Requests a new process, which an unusable device needs. Called until it returns True."""
        self._resources, self._settings = resources, settings
        self._on_warm, self._clock, self._threads = on_warm, clock, threads
        self._live = live
        self._wakeup = Event()
        """Set when the render thread may have something to do."""
        self._liveness = Liveness(settings.stale_s, clock)
        self._queue: Queue = WorkQueue(self._wakeup)
        self._places = SpeakingPlaces(settings.max_speaking, settings.fps, clock)
        self._shares = FairShares(settings.max_queue, lambda: self._places.count, clock=clock)
        self._demand = Demand(notify=self._wakeup.set)
        resources.sessions.places.is_wanted = self._demand.includes
        self._lifecycle = EngineLifecycle(
            resources.engine,
            load_policy_of(settings),
            clock=clock,
            notify=self._wakeup.set,
            start_thread=threads.start,
        )
        self._steps = Steps(clock)
        self._watchdog = Watchdog(
            steps=self._steps,
            demand=self._demand,
            liveness=self._liveness,
            waiting=self._waiting_jobs,
            report_s=settings.stale_s,
            timeout_s=settings.step_timeout_s,
        )
        self._loading: Step | None = None
        """The load of the engine that is in progress."""
        self._renderer = Renderer(self._context())
        self._loop = self._make_loop()
        self._device_status: dict[str, Any] = {}
        self._device_status_at_s = float("-inf")
        self._wanted_at_s = float("-inf")
        """Time of the last check of the clients."""
        self._answer_deadline_s = float("inf")
        """Time at which unanswered requests fail: `stop_s` after a stop or the thread's death."""
        self._thread = Thread(target=self._run, name="render", daemon=True)

    def start(self) -> None:
        """Start the thread and its watchdog; returns at once."""
        self._thread.start()
        Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """End every clip after its current fragment and close the films; returns at once."""
        self._limit_answers()
        self._liveness.stopping.set()
        self._wakeup.set()

    def join(self) -> None:
        """Wait for the end of the thread, at most `stop_s`."""
        self._thread.join(self._settings.stop_s)

    def wait_until_warm(self, timeout_s: float) -> bool:
        """Wait until everything is loaded; False on a timeout."""
        return self._liveness.warm.wait(timeout_s)

    def wait_until_ended(self, timeout_s: float) -> bool:
        """Wait for the end of the thread; False on a timeout."""
        return self._liveness.ended.wait(timeout_s)

    @property
    def is_warm(self) -> bool:
        """True if everything was loaded."""
        return self._liveness.warm.is_set()

    @property
    def is_stopping(self) -> bool:
        """True if `stop` was called."""
        return self._liveness.stopping.is_set()

    def health(self) -> Health:
        """State of the thread and of the engine."""
        state, reason = self._state()
        lifecycle = self._lifecycle
        standing = self._watchdog.standing()
        return Health(
            state=state,
            reason=reason,
            is_loaded=self.is_warm and lifecycle.is_awake,
            load_s=lifecycle.load_s,
            loads=lifecycle.loads,
            unloads=lifecycle.unloads,
            losses=lifecycle.losses,
            engine=self._resources.engine.name,
            device_status=self._device_status,
            queued=len(self._waiting_jobs()),
            processing=len(self._renderer.clips),
            stages=self._watchdog.use(),
            stalled_stage=None if standing is None else standing.stage,
            pace=self._places.report(),
        )

    def check_ready(self) -> None:
        """Raise NotReady unless the thread can work."""
        state, reason = self._state()
        if state not in WORKING:
            raise NotReady(reason, self._lifecycle.retry_after_s)

    def submit(self, job: SpeakJob) -> None:
        """Queue a job; raises QueueFull."""
        job.watchdog = self._fail_overdue
        job.text_due_s = self._clock() + LONG_TIMEOUT_S
        if not self._lifecycle.is_awake:
            job.mark_engine_loading(self._lifecycle.reason)
        self._demand.add(job)
        try:
            self._queue.put(job, check=partial(self._check_share, job))
        except QueueFull as full:
            job.fail(full)
            raise
        self._drain_if_ended()

    def run(self, command: Command[Result]) -> Result:
        """Run a command before all jobs and return its result.

        Raises NotReady if the result takes longer than `stale_s`; the command still runs.
        """
        self.post(command)
        stale_s = self._settings.stale_s
        try:
            return command.future.result(stale_s)
        except TimeoutError:
            busy = (
                f"the render thread was busy for {stale_s:g} s (stale_s); this request is still run"
            )
            raise NotReady(self._state()[1] or busy) from None

    def post(self, command: Command[Any]) -> None:
        """Have a command run before all jobs; returns at once."""
        step = self._steps.begin("command", command.session_id)
        command.future.add_done_callback(lambda _future: self._steps.end(step))
        dropped = self._queue.put_command(command, drop=command.drops)
        for job in dropped:
            job.fail(Interrupted(command.reason))
        command.dropped += dropped
        self._resources.counters.add(interrupted=len(dropped))
        self._drain_if_ended()

    def wake(self) -> None:
        """Make the thread look for work; returns at once."""
        self._wakeup.set()

    def hold_engine(self) -> AbstractContextManager[None]:
        """Keep the engine loaded, or have it loaded, for the duration of a block."""
        return self._demand.hold()

    def includes(self, session_id: str) -> bool:
        """Return True if a request of a session is still unanswered."""
        return self._demand.includes(session_id)

    def queued_jobs(self, session_id: str) -> list[SpeakJob]:
        """Jobs of a session that wait in the queue."""
        return [job for job in self._queue.jobs() if job.session_id == session_id]

    def clip_of(self, session_id: str) -> Clip | None:
        """The clip that is being rendered for a session."""
        return self._renderer.clip_of(session_id)

    def played_frames(self, film: Film) -> float:
        """Frames shown to a viewer that has watched a film since the server started."""
        playback = self._renderer.playback_clock(film)
        return playback.position(film.committed.frames, self._clock())

    def _make_loop(self) -> RenderLoop:
        resources = self._resources
        return RenderLoop(
            queue=self._queue,
            shares=self._shares,
            renderer=self._renderer,
            films=Films(resources.sessions.films, resources.private_films),
            counters=resources.counters,
            background=BackgroundPool(
                notify=self._wakeup.set, steps=self._steps, start_thread=self._threads.start
            ),
        )

    def _context(self) -> RenderContext:
        settings, resources = self._settings, self._resources
        compositor = Compositor(mode=settings.blend_mode, subpixel=settings.track.subpixel_enabled)
        return RenderContext(
            engine=resources.engine,
            voices=resources.voices,
            composite=compositor.composite,
            own_frames=compositor.own_frames,
            first_batch=settings.first_batch_size,
            largest_batch=settings.batch_size,
            clock=self._clock,
            notify=self._wakeup.set,
            steps=self._steps,
            threads=self._threads,
            live=self._live,
            capacity=resources.sessions.limits.capacity,
            private_capacity=resources.private_films.capacity,
            places=self._places,
            count_fragment=resources.counters.add_fragment,
            is_lively=settings.life,
            is_engine_loaded=lambda: self._lifecycle.is_awake,
            report_error=self._lifecycle.report_error,
        )

    def _state(self) -> tuple[State, str]:
        standing = self._watchdog.standing()
        now_s = self._clock()
        fault = self._liveness.fault(None if standing is None else standing.describe(now_s))
        if fault is not None:
            return fault
        lifecycle = self._lifecycle
        return ("ok", "") if lifecycle.is_awake else (lifecycle.state, lifecycle.reason)

    def _check_share(self, job: SpeakJob, queued: Sequence[SpeakJob]) -> None:
        """Raise QueueFull unless a job may join those in the queue.

        The number of background jobs is limited where they are submitted.
        """
        if job.is_background:
            return
        live = [each for each in queued if not (each.is_background or each.awaits_text)]
        speaking = self._loop.speaking()
        self._shares.note(job.client)
        try:
            self._shares.check(job, live, speaking)
        except QueueFull as full:
            raise QueueFull(full.limit, self._retry_after_s(job, full.limit)) from None

    def _retry_after_s(self, job: SpeakJob, limit: Limit) -> int:
        """Estimate of the time until there is a place again for a job that was refused."""

        def is_relevant(other: SpeakJob) -> bool:
            return (limit.scope != "session" or other.session_id == job.session_id) and (
                limit.scope != "client" or other.client == job.client
            )

        end_s = self._renderer.next_end_s(is_relevant)
        return max(1, math.ceil(min(MAX_RETRY_S, end_s)))

    def _drain_if_ended(self) -> None:
        """Fail everything in the queue if the thread has ended."""
        if self._liveness.ended.is_set():
            for work in self._queue.drain():
                work.fail(NotReady(self._state()[1]))

    def _waiting_jobs(self) -> list[SpeakJob]:
        """Jobs in the queue, without those whose text has not begun. Any thread."""
        return [job for job in self._queue.jobs() if not job.awaits_text]

    def _limit_answers(self) -> None:
        """Have every request answered within `stop_s` from now on."""
        self._answer_deadline_s = min(
            self._answer_deadline_s, self._clock() + self._settings.stop_s
        )

    def _fail_overdue(self) -> None:
        """Fail all requests if their deadline has passed. Any thread that waits."""
        if self._clock() >= self._answer_deadline_s:
            late = f"; the current fragment did not end within {self._settings.stop_s:g} s (stop_s)"
            self._demand.fail_all(NotReady(self._state()[1] + late))

    def _run(self) -> None:
        try:
            self._warm_up()
            while not self._liveness.stopping.is_set():
                self._wakeup.clear()
                if not self._run_once():
                    self._wakeup.wait(min(HEARTBEAT_S, self._renderer.sleep_s()))
        except BaseException as error:  # noqa: BLE001 - the top of the thread that all requests need
            if not self.is_warm:
                self.on_start_failure(error)
            self._note_death(error)
        finally:
            self._finish()

    def _note_death(self, error: BaseException) -> None:
        log.error("render thread died", exc_info=error)
        self._liveness.death = f"{type(error).__name__}: {error}"

    def _watch(self) -> None:
        """Check for stalled steps until the render thread ends. On a thread of its own."""
        while not self._liveness.ended.wait(CHECK_S):
            try:
                self._watchdog.check()
            except Exception:  # the top of a thread that must go on
                log.exception("the watchdog failed")

    def _warm_up(self) -> None:
        resources, lifecycle = self._resources, self._lifecycle
        if not self._settings.lazy_load:
            lifecycle.load()
        resources.avatar_cache.load(resources.avatar.id)
        if lifecycle.is_awake:
            self._rehearse()
        resources.sessions.films.recover()
        resources.trash.empty()
        self._poll_device()
        self._liveness.beat()
        self._liveness.warm.set()
        if lifecycle.state in ("awake", "asleep"):
            self._on_warm()
            log.info("warm", extra={"avatar": resources.avatar.id, "engine": resources.engine.name})

    def _rehearse(self) -> None:
        """Render a short text once; a device that fails now is reloaded as at any other time."""
        voices = self._resources.voices
        try:
            choice = VoiceResolver(self._settings, voices).choose(Choices())
        except BadSpeechRequest as error:  # it failed to load since the settings were read
            log.warning("the voice of the settings cannot speak: %s", error)
            choice = voices.choose()
        known = voices.for_rehearsal(choice) if isinstance(voices, RehearsableVoices) else choice
        try:
            if known is not None:
                self._rehearse_with(known)
        except EngineLost as lost:
            self._lifecycle.report_error(lost)

    def _rehearse_with(self, choice: VoiceChoice) -> None:
        """Render with a voice, or with the best other one if it is unavailable.

        It may be available later: its absence does not prevent the start.
        """
        avatar = self._resources.avatar
        try:
            self._renderer.rehearse(WARM_UP_TEXT, choice, avatar, self._liveness.beat)
        except (VoiceUnavailable, BadSpeechRequest) as error:
            substitute = self._resources.voices.choose()
            if substitute.voice == choice.voice:
                raise
            log.warning("the voice of the settings cannot speak: %s", error)
            self._renderer.rehearse(WARM_UP_TEXT, substitute, avatar, self._liveness.beat)

    def _run_once(self) -> bool:
        """Run one iteration; False if there was nothing to do."""
        self._liveness.beat()
        self._resources.avatar_cache.evict_expired()
        self._loop.close_idle(self._settings.session_idle_s)
        self._poll_device()
        self._cancel_unwanted()
        self._manage_engine()
        return self._loop.run_once()

    def _cancel_unwanted(self) -> None:
        """Cancel the requests that nobody waits for, once the last check is `WANTED_S` old."""
        now_s = self._clock()
        if now_s - self._wanted_at_s < WANTED_S:
            return
        self._wanted_at_s = now_s
        for job in self._demand.jobs():
            if job.awaits_text and now_s > job.text_due_s:
                job.fail(NotReady(f"no text arrived for {LONG_TIMEOUT_S:g} s; send it again"))
            if job.cancel_reason is None and not job.origin.is_wanted():
                job.cancel(
                    f"the client of this request left, and nobody watches {job.session_id!r}"
                )
                log.info("cancelled", extra=cancel_fields(job))

    def _poll_device(self) -> None:
        """Update the device status once it is older than `DEVICE_STATUS_S`."""
        now_s = self._clock()
        if now_s - self._device_status_at_s < DEVICE_STATUS_S:
            return
        self._device_status_at_s = now_s
        try:
            with self._steps.running("engine"):
                self._device_status = self._resources.engine.device_status()
        except EngineLost as lost:
            self._lifecycle.report_error(lost)

    def _manage_engine(self) -> None:
        """Load and unload the engine by demand, and inform the jobs that wait for it."""
        lifecycle = self._lifecycle
        with self._steps.running("engine"):
            lifecycle.update(has_demand=self._demand.poll(), is_busy=bool(self._renderer.clips))
        self._record_load()
        if lifecycle.state == "broken":
            self._loop.fail_jobs(NotReady(lifecycle.reason, lifecycle.retry_after_s))
        if lifecycle.needs_new_process and not self._renderer.clips:
            self.request_restart()
        for job in self._queue.jobs():
            if lifecycle.is_awake:
                job.mark_engine_loaded()
            else:
                job.mark_engine_loading(lifecycle.reason)

    def _record_load(self) -> None:
        """Record a step while the engine is being loaded."""
        if self._loading is None and self._lifecycle.is_loading:
            self._loading = self._steps.begin("loading")
        elif self._loading is not None and not self._lifecycle.is_loading:
            self._steps.end(self._loading)
            self._loading = None

    def _left_s(self) -> float:
        """Time that is left for answers and films after a stop or an error."""
        least_s = min(CLOSE_S, self._settings.stop_s)
        return max(least_s, self._answer_deadline_s - self._clock())

    def _finish(self) -> None:
        """Answer every request and close the films."""
        self._limit_answers()
        self._liveness.ended.set()
        self._drain_if_ended()
        reason = self._state()[1]
        command_error = NotReady(reason)
        job_error = Interrupted(reason) if self._liveness.death is None else command_error
        steps: tuple[Callable[[], None], ...] = (
            lambda: self._loop.shut_down(job_error, command_error, self._left_s),
            lambda: self._demand.fail_all(command_error),  # jobs lost between two parts by an error
            lambda: self._loop.close(self._left_s),
            lambda: self._resources.trash.close(self._left_s()),
        )
        for step in steps:
            try:
                step()
            except BaseException:  # the next steps answer other requests
                log.exception("the render thread did not end cleanly")


def cancel_fields(job: SpeakJob) -> dict[str, Any]:
    """Log fields of a job whose client left."""
    age_s = round(job.age_s(), 3)
    return {"request_id": job.origin.request_id, "session_id": job.session_id, "age_s": age_s}


def load_policy_of(settings: Settings) -> LoadPolicy:
    """The settings that decide when the engine is loaded and unloaded."""
    return LoadPolicy(
        unload_idle_s=settings.unload_idle_seconds,
        clear_cache=settings.clear_cache_after_generation,
    )
