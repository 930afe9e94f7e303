"""The warm process: one render thread that owns engine, voices and films, and the door to it."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from threading import Event, Thread
from typing import Any, Literal, TypeVar

from session.film import ClipRecord, FilmSpec
from session.writers import Film, growing
from tts.voice import VoiceChoice, VoiceInfo, Voices
from warm.archive import Archive
from warm.avatar import Avatar
from warm.engine import Engine
from warm.job import Errand, Interrupted, SpeakJob, Spoken, check_text
from warm.queue import WorkQueue
from warm.render import Stage, batches, render_clip
from warm.session_limits import MB, SessionLimits
from warm.session_record import Choices
from warm.sessions import DEFAULT_SESSION, Sessions
from warm.settings import Settings
from warm.store import AvatarStore
from warm.tally import Tally
from warm.wardrobe import Wardrobe, WardrobeLimits

IDLE_BEAT_S = 0.5
"""How often a render thread without work shows that it lives."""
WARM_UP_TEXT = "Ready."

log = logging.getLogger(__name__)

Result = TypeVar("Result")
State = Literal["warming", "ok", "stale", "dead", "stopping"]


class NotReady(RuntimeError):
    """The server is not able to work now: it is starting, stopping, or its render thread died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What `GET /health` tells."""

    state: State
    reason: str
    """Empty when the state is ok."""
    engine: str
    facts: dict[str, Any]
    """`Engine.facts` once it is loaded."""
    queued: int
    processing: int


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
        width, height = avatar.size
        spec = FilmSpec(width=width, height=height, fps=avatar.fps)
        self.tally = Tally()
        self.archive = Archive(settings.results_dir, settings.max_archives)
        self.wardrobe = make_wardrobe(settings, avatar, engine, clock)
        self.sessions = make_sessions(settings, self.wardrobe, self.archive, clock)
        self._settings = settings
        self._voices = voices
        self._engine = engine
        self._on_warm = on_warm
        self._clock = clock
        self._stage = Stage(
            avatar=avatar,
            engine=engine,
            voices=voices,
            spec=spec,
            blend_mode=settings.blend_mode,
            subpixel=settings.subpixel_enabled,
            first_batch=settings.first_batch_size,
            largest_batch=settings.batch_size,
            beat=self._beat,
        )
        self._queue: WorkQueue[SpeakJob | Errand[Any]] = WorkQueue(settings.max_queue)
        self._last_job_s = 1.0
        self._facts: dict[str, Any] = {}
        self._beaten = self._clock()
        self._ready, self._stopping, self._ended = Event(), Event(), Event()
        self._death: str | None = None
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
        return self._choose(asked, self.sessions.choices(session_id))

    def speak(
        self,
        text: str,
        choice: VoiceChoice,
        *,
        session_id: str = DEFAULT_SESSION,
        request_id: str = "",
    ) -> SpeakJob:
        """Queue something to say.

        Raises NotReady, QueueFull, BadSessionId, TooManySessions, UnusableSession, or
        BadSpeechRequest when there is nothing to say.
        """
        said = check_text(text, max_chars=self._settings.max_text_chars)
        self.sessions.check_room(session_id)
        self.check_ready()
        self.sessions.wake(session_id)
        job = SpeakJob(session_id=session_id, text=said, choice=choice, request_id=request_id)
        self._queue.put(job, retry_after_s=self._retry_after_s())
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
        self._warm(avatar_id)
        return self.sessions.create(session_id, named)

    def reset(self, session_id: str, named: Mapping[str, Any]) -> str | None:
        """End a conversation; the session's choices stay, but for what is `named`.

        What it is saying ends at the next fragment. Returns when the film is gone from its path:
        its name in the archive where it was kept. Raises as `create`.
        """
        self.sessions.path(session_id)
        self.check_ready()
        if named:
            avatar_id = self.sessions.check_avatar(session_id, named)
            self._check_voice(session_id, named)
            self._warm(avatar_id)
        self._interrupt(session_id, f"session {session_id!r} was reset")
        return self._run(lambda: self.sessions.reset(session_id, named), session_id)

    def remove(self, session_id: str) -> None:
        """End a session and delete its film; what it is saying ends at the next fragment.

        Returns when the file is gone; a session that does not exist is no error. Raises NotReady
        and BadSessionId.
        """
        self.sessions.path(session_id)
        self.check_ready()
        self._interrupt(session_id, f"session {session_id!r} was reset")
        self._run(lambda: self.sessions.remove(session_id), session_id)

    def health(self) -> Health:
        """What state the render thread is in."""
        state, reason = self._state()
        return Health(
            state=state,
            reason=reason,
            engine=self._engine.name,
            facts=self._facts,
            queued=len(self._queue),
            processing=int(isinstance(self._queue.current, SpeakJob)),
        )

    def check_ready(self) -> None:
        """Raise NotReady unless the render thread can work."""
        state, reason = self._state()
        if state not in ("ok", "stale"):
            raise NotReady(reason)

    def stop(self) -> None:
        """Ask the render thread to finish its fragment and close the films; returns at once."""
        self._stopping.set()
        if (current := self._queue.current) is not None:
            current.interrupt("the server is stopping")

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def close(self) -> None:
        """`stop`, and wait for it for at most `stop_s`."""
        self.stop()
        self._queue.close()
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
        return "ok", ""

    def _turn_away_if_ended(self) -> None:
        """Fail what was queued when, or after, the render thread ended."""
        if self._ended.is_set():
            for work in self._queue.drain():
                work.fail(NotReady(self._state()[1]))

    def _retry_after_s(self) -> int:
        return max(1, math.ceil(self._last_job_s * len(self._queue)))

    def _check_voice(self, session_id: str | None, named: Mapping[str, Any]) -> None:
        """Raise BadSpeechRequest where a session could not speak with these choices."""
        has = self.sessions.choices(session_id) if session_id is not None else Choices()
        self._choose(has.changed(named))

    def _choose(self, *wishes: Choices) -> VoiceChoice:
        """A voice by the first of these that names one, else the settings; the same for speed."""
        ours = self._settings
        last = Choices(voice=ours.voice, language=ours.language, speed=ours.speed)
        voice, language, speed = None, None, None
        for named in (*wishes, last):
            if voice is None and language is None:
                voice, language = named.voice, named.language
            speed = named.speed if speed is None else speed
        return self._voices.choose(voice=voice, language=language, speed=speed)

    def _warm(self, avatar_id: str) -> None:
        """Open an avatar here, and have the engine adopt it between two steps."""
        self.wardrobe.fetch(avatar_id)
        self._run(lambda: self.wardrobe.warm(avatar_id))

    def _run(self, act: Callable[[], Result], session_id: str | None = None) -> Result:
        """Have the render thread do something short, before all that waits; raises NotReady."""
        errand = Errand(session_id=session_id, act=act)
        self._queue.put_first(errand)
        self._turn_away_if_ended()
        try:
            return errand.done.result(self._settings.stale_s)
        except TimeoutError:
            raise NotReady(self._state()[1] or "the render thread is busy") from None

    def _interrupt(self, session_id: str, reason: str) -> None:
        for work in self._queue.drop(lambda work: work.session_id == session_id):
            self.tally.count(interrupted=1)
            work.fail(Interrupted(reason))
        current = self._queue.current
        if current is not None and current.session_id == session_id:
            current.interrupt(reason)

    def _beat(self) -> None:
        self._beaten = self._clock()

    def _live(self) -> None:
        try:
            self._warm_up()
            while not self._stopping.is_set():
                self._beat()
                self.sessions.tidy()
                work = self._queue.take(IDLE_BEAT_S)
                if work is not None:
                    self._serve(work)
                    self._queue.done()
        except Exception as error:
            log.exception("render thread died")
            self._death = f"{type(error).__name__}: {error}"
        finally:
            self._ended.set()
            self._turn_away_if_ended()
            self.sessions.close()

    def _warm_up(self) -> None:
        self._engine.load()
        self.wardrobe.warm(self.avatar.id)
        choice = self.choose(voice=None, language=None, speed=None)
        unheard = SpeakJob(session_id=DEFAULT_SESSION, text=WARM_UP_TEXT, choice=choice)
        for _ in batches(self._stage, unheard, cursor=0):
            self._beat()
        self.sessions.recover()
        self._facts = self._engine.facts()
        self._beat()
        self._ready.set()
        self._on_warm()
        log.info("warm", extra={"avatar": self.avatar.id, "engine": self._engine.name})

    def _serve(self, work: SpeakJob | Errand[Any]) -> None:
        if self.stopping:  # `stop` came between the taking and this
            work.interrupt("the server is stopping")
        try:
            if isinstance(work, Errand):
                work.run()
            else:
                self._speak(work)
        except Interrupted as error:
            self.tally.count(interrupted=1)
            work.fail(error)
        except Exception as error:  # noqa: BLE001 - the top of a request
            self.tally.count(failed=1)
            work.fail(error)

    def _speak(self, job: SpeakJob) -> None:
        started = time.monotonic()
        film = self.sessions.open(job.session_id)
        try:
            avatar = self.sessions.avatar(job.session_id)
            clip = render_clip(
                replace(self._stage, avatar=avatar, spec=film.spec), growing(film), job
            )
        finally:
            self.sessions.rest(job.session_id)
        self._last_job_s = job.timings.render_s = time.monotonic() - started
        job.timings.total_s = job.age_s()
        self.tally.count(done=1, frames=clip.frames)
        job.tell(spoken(job, film, clip))
        log.info("spoken", extra=describe(job, clip))


def spoken(job: SpeakJob, film: Film, clip: ClipRecord) -> Spoken:
    """What a finished job tells."""
    committed = film.committed
    return Spoken(
        session_id=job.session_id,
        path=film.path,
        clip=clip,
        fps=film.spec.fps,
        session_frames=committed.frames,
        session_clips=len(committed.clips),
        session_bytes=committed.bytes,
        timings=job.timings,
    )


def describe(job: SpeakJob, clip: ClipRecord) -> dict[str, Any]:
    """What the log keeps of a finished job; not what was said."""
    return {
        "request_id": job.request_id,
        "session_id": job.session_id,
        "clip": clip.index,
        "frames": clip.frames,
        **{name: round(value, 4) for name, value in asdict(job.timings).items()},
    }


def make_wardrobe(
    settings: Settings, avatar: Avatar, engine: Engine, clock: Callable[[], float]
) -> Wardrobe:
    """The avatars in memory, `avatar` being the one that stays."""
    return Wardrobe(
        store=AvatarStore(settings.results_dir),
        engine=engine,
        standing=avatar,
        fps=settings.fps,
        limits=WardrobeLimits(
            max_bytes=int(settings.max_avatars_mb * MB), ttl_s=settings.avatar_ttl_s
        ),
        clock=clock,
    )


def make_sessions(
    settings: Settings, wardrobe: Wardrobe, archive: Archive, clock: Callable[[], float]
) -> Sessions:
    """The sessions as the settings want them."""
    limits = SessionLimits(
        max_sessions=settings.max_sessions,
        max_session_s=settings.max_session_s,
        max_session_mb=settings.max_session_mb,
        session_idle_s=settings.session_idle_s,
        min_free_mb=settings.min_free_mb,
    )
    return Sessions(
        settings.results_dir,
        wardrobe=wardrobe,
        limits=limits,
        archive=archive if settings.archive_on_reset else None,
        clock=clock,
    )
