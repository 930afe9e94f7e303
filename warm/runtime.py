"""The warm process: one render thread that owns engine, voices and films, and the door to it."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Any, TypeVar

from tts.sentences import check_text, min_duration_s
from tts.voice import VoiceChoice, VoiceInfo, Voices
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError
from warm.engines.base import Engine, EngineLost
from warm.engines.lifecycle import EngineLifecycle
from warm.parts import load_policy_of, make_avatar_cache, make_sessions
from warm.render.clip import Stage
from warm.render.counters import Counters
from warm.render.demand import Demand
from warm.render.health import WORKING, Health, NotReady, State
from warm.render.jobs import Command, Interrupted, InterruptResult, SpeakJob
from warm.render.loop import RenderLoop
from warm.render.queue import QueueFull, WorkQueue
from warm.render.renderer import Look, Renderer
from warm.sessions.archive import Archive, Disposal
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.record import Choices
from warm.sessions.trash import Trash
from warm.sessions.voice_choice import VoiceResolver
from warm.settings import Settings

IDLE_BEAT_S = 0.5
"""How often a render thread without work shows that it lives."""
DEVICE_STATUS_S = 1.0
"""How often the engine is asked for its memory."""
WARM_UP_TEXT = "Ready."

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Runtime:
    """Keeps everything slow warm. All methods may be called from any thread."""

    def __init__(
        self,
        *,
        settings: Settings,
        avatar: Avatar,
        engine: Engine,
        voices: Voices,
        on_warm: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.avatar = avatar
        self.counters = Counters()
        self._trash = Trash(settings.results_dir)
        self.archive = Archive(settings.results_dir, settings.max_archives, self._trash)
        self.avatar_cache = make_avatar_cache(settings, avatar, engine, clock)
        disposal = Disposal(self._trash, self.archive if settings.archive_on_reset else None)
        self.sessions = make_sessions(settings, self.avatar_cache, disposal, clock)
        self._settings = settings
        self._voices = voices
        self._voice_resolver = VoiceResolver(settings, voices)
        self._engine = engine
        self._on_warm = on_warm
        self._clock = clock
        self._bell = Event()
        """Rings when the render thread may have something to do."""
        self._queue: WorkQueue[SpeakJob, Command[Any]] = WorkQueue(settings.max_queue, self._bell)
        self._demand = Demand(ring=self._bell.set)
        self._lifecycle = EngineLifecycle(
            engine, load_policy_of(settings), clock=clock, notify=self._bell.set
        )
        self._renderer = Renderer(
            Stage(
                engine=engine,
                voices=voices,
                first_batch=settings.first_batch_size,
                largest_batch=settings.batch_size,
                clock=clock,
                ring=self._bell.set,
                room=self.sessions.limits.room,
                is_awake=lambda: self._lifecycle.is_awake,
                note=self._lifecycle.report_error,
            ),
            Look(blend_mode=settings.blend_mode, subpixel=settings.subpixel_enabled),
        )
        self._loop = RenderLoop(
            queue=self._queue,
            renderer=self._renderer,
            sessions=self.sessions,
            counters=self.counters,
            max_speaking=settings.max_speaking,
        )
        self._device_status: dict[str, Any] = {}
        self._device_status_at = float("-inf")
        self._beaten = self._began = self._clock()
        self._ready, self._stopping, self._ended = Event(), Event(), Event()
        self._death: str | None = None
        self._last_answer_s = float("inf")
        """When requests fail at the latest: `stop_s` after a stop or the render thread's death."""
        self._renew: Callable[[], bool] = lambda: False
        self._on_unable: Callable[[BaseException], None] = lambda _: None
        self._thread = Thread(target=self._live, name="render", daemon=True)

    def start(self) -> None:
        """Start the render thread; `health` says when it is warm."""
        self._thread.start()

    def wait_until_warm(self, timeout_s: float) -> bool:
        """Whether everything was loaded before the time was up."""
        return self._ready.wait(timeout_s)

    def wait_until_ended(self, timeout_s: float) -> bool:
        """Whether the render thread ended before the time was up."""
        return self._ended.wait(timeout_s)

    def voices(self) -> list[VoiceInfo]:
        """Every voice that can be asked for."""
        return list(self._voices.infos())

    def choose(
        self,
        *,
        voice: str | None = None,
        language: str | None = None,
        speed: float | None = None,
        session_id: str = DEFAULT_SESSION,
    ) -> VoiceChoice:
        """A request's voice; where it says nothing, the session's, and then the settings'.

        Raises BadSpeechRequest and BadSessionId.
        """
        asked = Choices(voice=voice, language=language, speed=speed)
        return self._voice_resolver.choose(asked, self.sessions.choices(session_id))

    def speak(
        self,
        text: str,
        choice: VoiceChoice,
        *,
        session_id: str = DEFAULT_SESSION,
        lead_s: float | None = None,
        request_id: str = "",
    ) -> SpeakJob:
        """Queue something to say; without `lead_s`, the settings say how far ahead of its playing.

        Raises NotReady, QueueFull, BadSessionId, TooManySessions, UnusableSession, or
        BadSpeechRequest when there is nothing to say.
        """
        said = check_text(text, max_chars=self._settings.max_text_chars)
        self._check_length(said, choice, session_id)
        self.check_ready()
        self.sessions.wake(session_id)
        job = SpeakJob(
            session_id=session_id,
            text=said,
            choice=choice,
            lead_s=self._settings.lead_s if lead_s is None else lead_s,
            request_id=request_id,
            watch=self._fail_overdue,
        )
        if not self._lifecycle.is_awake:
            job.await_engine(self._lifecycle.reason)
        self._demand.add(job)
        try:
            self._queue.put(job, retry_after_s=self._retry_after_s())
        except QueueFull as full:
            job.fail(full)
            raise
        self._turn_away_if_ended()
        return job

    def create(self, session_id: str | None, named: Mapping[str, Any]) -> tuple[str, bool]:
        """Make a session that chooses what is `named`; its id, and whether it is new.

        Its avatar is warm when this returns. Raises NotReady, BadSpeechRequest, what
        `Sessions.create` raises, and what the engine says against the avatar.
        """
        self.check_ready()
        avatar_id = self.sessions.check_choices(session_id, named)
        self._check_voice(session_id, named)
        with self._demand.held():
            self._warm(avatar_id)
            return self.sessions.create(session_id, named)

    def reset(self, session_id: str, named: Mapping[str, Any]) -> str | None:
        """End a conversation; the session's choices stay, but for what is `named`.

        What it is saying ends at the next fragment. Returns when the film is gone from its path:
        its name in the archive where it was kept. An avatar that was made anew is taken; one that
        cannot be had stays chosen unless another is named. Raises as `create`.
        """
        self.sessions.path(session_id)
        self.check_ready()
        if named:
            self._check_voice(session_id, named)
        if "avatar_id" in named:
            self._warm(self.sessions.check_avatar(session_id, named))
        else:
            with suppress(AvatarError):
                self.sessions.check_avatar(session_id, named)
        archived = self._end(session_id, lambda: self.sessions.reset(session_id, named))
        if archived is not None:
            self.archive.drop_oldest(but=archived)
        return archived

    def remove(self, session_id: str) -> None:
        """End a session and delete its film; what it is saying ends at the next fragment.

        Returns when the file is gone; a session that does not exist is no error. Raises NotReady
        and BadSessionId.
        """
        self.sessions.path(session_id)
        self.check_ready()
        self._end(session_id, lambda: self.sessions.remove(session_id))

    def interrupt(self, session_id: str) -> InterruptResult:
        """Stop what is being said in a session, and drop what waits to be said there.

        Returns when the film has come to its end, in a few frames that close the mouth. A session
        in which nothing is said is no error. Raises NotReady, BadSessionId and UnusableSession.
        """
        self.sessions.path(session_id)
        self.check_ready()
        reason = f"session {session_id!r} was interrupted before this was begun"
        command = Command(
            session_id=session_id,
            act=lambda: self._position(session_id),
            ending="cut",
            reason=reason,
        )
        fps, frame, played = self._send(command)
        return InterruptResult(
            session_id=session_id,
            interrupted=command.was_cut,
            dropped=command.dropped + command.was_unheard,
            fps=fps,
            frame=frame,
            played=played,
        )

    def health(self) -> Health:
        """What state the render thread is in."""
        state, reason = self._state()
        lifecycle = self._lifecycle
        return Health(
            state=state,
            reason=reason,
            is_loaded=self._ready.is_set() and lifecycle.is_awake,
            load_s=lifecycle.load_s,
            loads=lifecycle.loads,
            unloads=lifecycle.unloads,
            losses=lifecycle.losses,
            engine=self._engine.name,
            device_status=self._device_status,
            queued=len(self._queue),
            processing=len(self._renderer.clips),
        )

    def uptime_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    def check_ready(self) -> None:
        """Raise NotReady unless the render thread can work."""
        state, reason = self._state()
        if state not in WORKING:
            raise NotReady(reason, self._lifecycle.retry_after_s)

    @property
    def is_warm(self) -> bool:
        """Whether everything was loaded."""
        return self._ready.is_set()

    def on_start_failure(self, on_unable: Callable[[BaseException], None]) -> None:
        """Have the render thread tell what keeps it from ever being warm. Before `start`."""
        self._on_unable = on_unable

    def on_restart_needed(self, renew: Callable[[], bool]) -> None:
        """How this process is replaced when the engine can use its device in no other way.

        Asked by the render thread, again and again while it says no.
        """
        self._renew = renew

    def stop(self) -> None:
        """Ask the render thread to finish its fragment and close the films; returns at once."""
        self._bound_answers()
        self._stopping.set()
        self._bell.set()

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def close(self) -> None:
        """`stop`, and wait for it for at most `stop_s`."""
        self.stop()
        self._thread.join(self._settings.stop_s)

    def _state(self) -> tuple[State, str]:
        if self._death is not None:
            return "dead", f"the render thread died: {self._death}"
        if self._stopping.is_set():
            return "stopping", "the server is stopping"
        if not self._ready.is_set():
            return "warming", "engine, avatar and voice are being loaded"
        silent_s = self._clock() - self._beaten
        if silent_s > self._settings.stale_s:
            return "stale", f"the render thread has not finished a step for {silent_s:.0f} s"
        stuck_s = self._loop.stuck_s()
        if stuck_s > self._settings.stale_s:
            return "stale", f"a film has been waiting for the disk for {stuck_s:.0f} s"
        return (
            ("ok", "")
            if self._lifecycle.is_awake
            else (self._lifecycle.state, self._lifecycle.reason)
        )

    def _turn_away_if_ended(self) -> None:
        """Fail what was queued when, or after, the render thread ended."""
        if self._ended.is_set():
            for work in self._queue.drain():
                work.fail(NotReady(self._state()[1]))

    def _bound_answers(self) -> None:
        """Let nobody wait for an answer for more than `stop_s` from now on."""
        self._last_answer_s = min(self._last_answer_s, self._clock() + self._settings.stop_s)

    def _fail_overdue(self) -> None:
        """Answer all requests if the render thread has not in time. Any thread that waits."""
        if self._clock() >= self._last_answer_s:
            late = (
                f"; what was being said was not ended within {self._settings.stop_s:g} s (stop_s)"
            )
            self._demand.fail_all(NotReady(self._state()[1] + late))

    def _retry_after_s(self) -> int:
        return max(1, math.ceil(self._loop.last_job_s * len(self._queue)))

    def _check_length(self, text: str, choice: VoiceChoice, session_id: str) -> None:
        """Raise what `Sessions.check_room` does, counting all that waits to be said there too."""
        facts = self.sessions.check_room(session_id)
        waiting = [job for job in self._queue.waiting() if job.session_id == session_id]
        least_s = min_duration_s(text, choice.speed)
        least_s += sum(min_duration_s(job.text, job.choice.speed) for job in waiting)
        clip, film = self._renderer.clip_of(session_id), self.sessions.get(session_id)
        under_way = clip.end - film.committed.frames if clip is not None and film is not None else 0
        self.sessions.check_room(session_id, int(least_s * facts.spec.fps) + max(0, under_way))

    def _check_voice(self, session_id: str | None, named: Mapping[str, Any]) -> None:
        """Raise BadSpeechRequest where a session could not speak with these choices."""
        has = self.sessions.choices(session_id) if session_id is not None else Choices()
        self._voice_resolver.choose(has.changed(named))

    def _warm(self, avatar_id: str) -> None:
        """Open an avatar here, and have the engine adopt it between two steps."""
        self.avatar_cache.fetch(avatar_id)
        self._run(lambda: self.avatar_cache.warm(avatar_id))

    def _end(self, session_id: str, act: Callable[[], Result]) -> Result:
        """Stop what is being said in a session and drop what waits there, then `act`."""
        reason = f"session {session_id!r} was reset"
        command = Command(
            session_id=session_id, act=act, ending="abandon", reason=reason, is_slow=True
        )
        return self._send(command)

    def _run(self, act: Callable[[], Result]) -> Result:
        """Have the render thread do something short, before all that waits; raises NotReady."""
        return self._send(Command(session_id=None, act=act))

    def _send(self, command: Command[Result]) -> Result:
        dropped = self._queue.order(command, instead_of=command.drops)
        command.dropped = len(dropped)
        for job in dropped:
            job.fail(Interrupted(command.reason))
        self.counters.count(interrupted=len(dropped))
        self._turn_away_if_ended()
        try:
            return command.done.result(self._settings.stale_s)
        except TimeoutError:
            raise NotReady(self._state()[1] or self._still_busy()) from None

    def _still_busy(self) -> str:
        stale_s = self._settings.stale_s
        return f"the render thread was busy for {stale_s:g} s (stale_s); it does this afterwards"

    def _position(self, session_id: str) -> tuple[int, int, float]:
        """Frames a second, frames and played frames of a session. Render thread."""
        film = self.sessions.get(session_id)
        if film is None:
            return self._settings.fps, 0, 0.0
        frames = film.committed.frames
        return film.spec.fps, frames, self._renderer.playing(film).position(frames, self._clock())

    def _beat(self) -> None:
        self._beaten = self._clock()

    def _ask_engine(self) -> None:
        """Know what the engine says of itself, as it was a second ago or later."""
        now = self._clock()
        if now - self._device_status_at < DEVICE_STATUS_S:
            return
        self._device_status_at = now
        try:
            self._device_status = self._engine.device_status()
        except EngineLost as lost:
            self._lifecycle.report_error(lost)

    def _tend_engine(self) -> None:
        """Have the engine loaded and unloaded, and tell those who wait for it."""
        lifecycle = self._lifecycle
        lifecycle.update(has_demand=self._demand.look(), is_busy=bool(self._renderer.clips))
        if lifecycle.state == "broken":
            self._loop.give_up(NotReady(lifecycle.reason, lifecycle.retry_after_s))
        if lifecycle.needs_new_process and not self._renderer.clips:
            self._renew()
        for job in self._queue.waiting():
            if lifecycle.is_awake:
                job.meet_engine()
            else:
                job.await_engine(lifecycle.reason)

    def _live(self) -> None:
        try:
            self._warm_up()
            while not self._stopping.is_set():
                self._bell.clear()
                if not self._turn():
                    self._bell.wait(min(IDLE_BEAT_S, self._renderer.rest_s()))
        except BaseException as error:  # the top of a thread that all requests wait for
            if not self._ready.is_set():
                self._on_unable(error)
            log.exception("render thread died")
            self._death = f"{type(error).__name__}: {error}"
        finally:
            self._finish()

    def _turn(self) -> bool:
        """Everything once; False when there was nothing to do."""
        self._beat()
        self.sessions.tidy()
        self._ask_engine()
        self._tend_engine()
        return self._loop.turn()

    def _finish(self) -> None:
        """Answer every request, wherever it is, and close the films."""
        self._bound_answers()
        self._ended.set()
        self._turn_away_if_ended()
        of_clips, of_errands = self._last_words()
        steps: tuple[Callable[[], None], ...] = (
            lambda: self._loop.end(of_clips, of_errands),
            lambda: self._demand.fail_all(of_errands),  # those that an error has left in no place
            self._loop.close,
            self.sessions.close,
        )
        for step in steps:
            try:
                step()
            except BaseException:  # whatever it was, the next step has somebody to answer
                log.exception("the render thread did not end in order")

    def _last_words(self) -> tuple[Exception, Exception]:
        """What the clips in the making fail with, and what errands do."""
        reason = self._state()[1]
        broken = NotReady(reason)
        return (Interrupted(reason) if self._death is None else broken), broken

    def _warm_up(self) -> None:
        if not self._settings.lazy_load:
            self._lifecycle.load()
        self.avatar_cache.warm(self.avatar.id)
        if self._lifecycle.is_awake:
            self._rehearse()
        self.sessions.recover()
        self._trash.empty()
        self._ask_engine()
        self._beat()
        self._ready.set()
        if self._lifecycle.state in ("awake", "asleep"):
            self._on_warm()
            log.info("warm", extra={"avatar": self.avatar.id, "engine": self._engine.name})

    def _rehearse(self) -> None:
        """Speak once for nobody; a device that fails in it is one that fails later."""
        choice = self.choose(voice=None, language=None, speed=None)
        unheard = SpeakJob(session_id=DEFAULT_SESSION, text=WARM_UP_TEXT, choice=choice)
        try:
            self._renderer.rehearse(unheard, self.avatar, self._beat)
        except EngineLost as lost:
            self._lifecycle.report_error(lost)
