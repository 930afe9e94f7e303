"""Runtime of the server: its operations, and the objects it is built from."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from isolation.arriving import PROGRAM
from isolation.standby import Standby
from session.serial_worker import VERIFICATION
from tts.speech import Speech
from tts.styles import check_styles
from tts.text.markup import Markup, check_length, check_text
from tts.text.plain_text import PlainText
from tts.text.sentences import min_duration_s
from tts.voice import PreparableVoices, VoiceChoice, VoiceInfo, Voices
from warm.avatars.action import Action, find_action
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError, AvatarStore
from warm.engines.base import Engine
from warm.heads.claims import Claims
from warm.render.context import RenderResources
from warm.render.given_sound import GivenSound
from warm.render.growing_text import GrowingText
from warm.render.health import Counters, Health
from warm.render.jobs import (
    ANONYMOUS,
    PLAIN_ENDING,
    ClipEnding,
    Command,
    InterruptResult,
    Origin,
    SpeakJob,
)
from warm.render.live_sink import NO_LIVE, LiveFilm, LivePosition, LiveSink
from warm.render.pcm_stream import PcmStream
from warm.render.planned_action import PlannedAction
from warm.render.said import SaidClips
from warm.render.sound_source import DECODER_MODULES
from warm.render.thread import RenderThread
from warm.sessions.archive import Archive, Disposal
from warm.sessions.avatar_cache import AvatarCache, AvatarCacheLimits
from warm.sessions.errors import UnusableSession
from warm.sessions.limits import MB, SessionLimits
from warm.sessions.private_films import PrivateFilms
from warm.sessions.session import Session
from warm.sessions.sessions import Sessions, make_sessions
from warm.sessions.trash import Trash
from warm.sessions.voice_choice import Choices, VoiceResolver
from warm.settings import Settings

Result = TypeVar("Result")
BACKGROUND_PATIENCE_S = 20.0
"""Time for which the sentences of a job's film wait for those of sessions. It is shorter than the
time after which a voice is given up."""


class Runtime:
    """Operations that HTTP requests run. All methods may be called from any thread."""

    def __init__(  # noqa: PLR0913 - each is a collaborator
        self,
        *,
        settings: Settings,
        avatar: Avatar,
        engine: Engine,
        voices: Voices,
        on_warm: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        live: LiveSink = NO_LIVE,
        claims: Claims | None = None,
    ) -> None:
        """`live` receives the frames of sessions with live viewers; `claims` is None if no other
        server uses the results folder."""
        self.avatar = avatar
        self.counters = Counters()
        trash = Trash(settings.results_dir, settings.head or "")
        self.archive = Archive(settings.results_dir, settings.max_archives, trash)
        self.avatar_cache = avatar_cache_of(settings, avatar, engine, clock)
        disposal = Disposal(trash, self.archive if settings.archive_on_reset else None)
        self.sessions = sessions_of(settings, self.avatar_cache, disposal, clock, claims)
        self.private_films = PrivateFilms(
            self.avatar_cache, self.sessions.limits, settings.max_audio_s
        )
        self._settings, self._voices, self._clock = settings, voices, clock
        self._voice_resolver = VoiceResolver(settings, voices)
        self._started_s = clock()
        self.decoders = Standby(PROGRAM, DECODER_MODULES)
        """Processes that decode recordings while they arrive."""
        self._said = SaidClips()
        resources = RenderResources(
            avatar=avatar,
            avatar_cache=self.avatar_cache,
            engine=engine,
            voices=voices,
            sessions=self.sessions,
            private_films=self.private_films,
            trash=trash,
            counters=self.counters,
        )
        self._live = live
        self._thread = RenderThread(resources, settings, on_warm=on_warm, clock=clock, live=live)
        live.connect(self)

    def start(self) -> None:
        """Start the render thread; `health` reports when it is warm.

        All avatars on disk are compared with their checksums in the background.
        """
        self._thread.start()
        VERIFICATION.submit(AvatarStore(self._settings.results_dir).verify_all)

    def open_decoders(self) -> None:
        """Keep a decoder process ready for the next recording, which it would delay by its start.

        Without it, each recording starts a process.
        """
        self.decoders.open()

    def stop(self) -> None:
        """End every clip after its current fragment and close the films; returns at once."""
        self._thread.stop()

    def close(self) -> None:
        """Stop, and wait for the render thread for at most `stop_s`."""
        self._thread.stop()
        self._thread.join()
        self.decoders.close()

    def wait_until_warm(self, timeout_s: float) -> bool:
        """Wait until everything is loaded; False on a timeout."""
        return self._thread.wait_until_warm(timeout_s)

    def wait_until_ended(self, timeout_s: float) -> bool:
        """Wait for the end of the render thread; False on a timeout."""
        return self._thread.wait_until_ended(timeout_s)

    def on_start_failure(self, callback: Callable[[BaseException], None]) -> None:
        """Have `callback` called with the error that keeps the server from starting."""
        self._thread.on_start_failure = callback

    def on_restart_needed(self, callback: Callable[[], bool]) -> None:
        """Have `callback` called, until it returns True, when this process must be replaced."""
        self._thread.request_restart = callback

    @property
    def is_warm(self) -> bool:
        """True if everything was loaded."""
        return self._thread.is_warm

    @property
    def is_stopping(self) -> bool:
        """True if the server is stopping."""
        return self._thread.is_stopping

    def health(self) -> Health:
        """State of the render thread and of the engine."""
        return self._thread.health()

    def uptime_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started_s

    def check_ready(self) -> None:
        """Raise NotReady unless the render thread can work."""
        self._thread.check_ready()

    def voices(self) -> list[VoiceInfo]:
        """All voices."""
        return list(self._voices.infos())

    def check_styles(self, plain: PlainText, choice: VoiceChoice) -> None:
        """Raise BadSpeechRequest if a voice cannot speak the styles of a text."""
        check_styles(plain, self._voices, choice)

    def synthesize(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        """Yield the sentences of a text, without a film. Any thread."""
        return self._voices.speak(text, choice)

    def choose(
        self,
        session: Session | None = None,
        *,
        voice: str | None = None,
        language: str | None = None,
        speed: float | None = None,
    ) -> VoiceChoice:
        """Resolve the voice of a request: request, then session if there is one, then settings.

        Raises BadSpeechRequest.
        """
        request = Choices(voice=voice, language=language, speed=speed)
        return self._voice_resolver.choose(request, session.choices if session else Choices())

    def plain_text(self, text: str, markup: Markup = "plain") -> PlainText:
        """Return the text to speak, without its markup if it has any; raises BadSpeechRequest."""
        limit = self._settings.max_text_chars
        return check_text(text, max_chars=limit, markup=markup)

    def speak(
        self,
        session: Session,
        text: str | PlainText,
        choice: VoiceChoice,
        *,
        lead_s: float | None = None,
        origin: Origin = ANONYMOUS,
    ) -> SpeakJob:
        """Queue a text; without `lead_s`, the setting of that name applies.

        It is cancelled once `origin.is_wanted` returns False; the render thread calls that.

        Raises NotReady, QueueFull, TooManySessions, UnusableSession, SessionFull,
        DiskNearlyFull, and BadSpeechRequest for a text that cannot be spoken.
        """
        plain = self.plain_text(text) if isinstance(text, str) else text
        check_styles(plain, self._voices, choice)
        self._check_capacity(session, plain, choice)
        self.check_ready()
        self.sessions.films.preload(session)
        job = SpeakJob(
            session=session,
            text=plain.text,
            choice=choice,
            plain=plain,
            remarks=list(plain.remarks),
            lead_s=self._settings.lead_s if lead_s is None else lead_s,
            origin=origin,
            utterance=origin.request_id,
        )
        self._thread.submit(job)
        self._said.add(job)
        return job

    def warm_up(self, session: Session, choice: VoiceChoice) -> None:
        """Start to load what the next speech of a session needs: engine, avatar, voice.

        Returns soon; errors are reported by the speech. For a text that will exist soon.
        """
        with self._thread.hold_engine(), suppress(UnusableSession):
            self._prepare(session, choice)

    def speak_growing(
        self,
        session: Session,
        growing: GrowingText,
        choice: VoiceChoice,
        *,
        lead_s: float | None = None,
        origin: Origin = ANONYMOUS,
    ) -> SpeakJob:
        """Queue a text that is still being written; it need not have a unit yet. See `speak`.

        The clip starts with the first unit. A job waits in the queue until then, and takes no place
        there. Raises the errors of `speak`.
        """

        def check(plain: PlainText, chars_before: int) -> None:
            check_length(chars_before + len(plain.text), self._settings.max_text_chars)
            check_styles(plain, self._voices, choice)
            self._check_capacity(session, plain, choice)

        self.check_ready()
        growing.attach(check, self._thread.wake)
        for unit in growing.units:
            check(unit.plain, growing.chars_before + unit.start)
        self._prepare(session, choice)
        job = SpeakJob(
            session=session,
            text="",
            choice=choice,
            growing=growing,
            lead_s=self._settings.lead_s if lead_s is None else lead_s,
            origin=origin,
            utterance=origin.request_id,
        )
        self._thread.submit(job)
        self._said.add(job)
        return job

    def speak_film(
        self,
        session: Session,
        spoken: PlainText | GivenSound,
        choice: VoiceChoice,
        *,
        ending: ClipEnding = PLAIN_ENDING,
        actions: tuple[PlannedAction, ...] = (),
    ) -> SpeakJob:
        """Queue a text or a recording for a private film, whose frames come after all others.

        `session`: from `private_films.new`; `actions` begin with the film. Raises NotReady,
        AvatarError, and BadSpeechRequest for a text that cannot be spoken.
        """
        if isinstance(spoken, PlainText):
            check_styles(spoken, self._voices, choice)
        job = SpeakJob(
            session=session,
            text=spoken.text,
            choice=replace(choice, patience_s=BACKGROUND_PATIENCE_S),
            plain=spoken if isinstance(spoken, PlainText) else None,
            given=spoken if isinstance(spoken, GivenSound) else None,
            remarks=list(spoken.remarks) if isinstance(spoken, PlainText) else [],
            is_background=True,
            ending=ending,
            actions=actions,
        )
        try:
            self.check_ready()
            self.avatar_cache.fetch(session.choices.avatar_id or self.avatar_cache.pinned_id)
            self._thread.submit(job)
        except Exception as error:
            job.fail(error)
            raise
        return job

    def recording(self, chunks: Iterable[bytes], text: str = "") -> GivenSound:
        """Return a recording whose bytes arrive while it is spoken; `text` is what it says.

        The text is for captions and transcript. Raises BadSpeechRequest for one that is too long.
        """
        settings = self._settings
        settings.results_dir.mkdir(parents=True, exist_ok=True)
        return GivenSound.from_stream(
            chunks,
            decoders=self.decoders,
            folder=settings.results_dir,
            stall_s=settings.recording_stall_s,
            text=self._caption(text),
            longest_s=settings.max_session_s,
        )

    def recording_file(self, path: Path, text: str = "") -> GivenSound:
        """Return the recording of a file; `text` is what it says. Raises BadSpeechRequest."""
        longest_s = self._settings.max_session_s
        return GivenSound.from_file(path, text=self._caption(text), longest_s=longest_s)

    def pcm_stream(self, rate_hz: int) -> PcmStream:
        """Return a stream for the raw sound of a live client; raises PcmRateUnsupported."""
        return PcmStream(rate_hz, stall_s=self._settings.recording_stall_s)

    def recording_pcm(self, stream: PcmStream, text: str = "") -> GivenSound:
        """Return the recording of raw sound; `text` is what it says. Raises BadSpeechRequest."""
        longest_s = self._settings.max_session_s
        return GivenSound.from_pcm(stream, text=self._caption(text), longest_s=longest_s)

    def speak_sound(
        self,
        session: Session,
        given: GivenSound,
        *,
        lead_s: float | None = None,
        origin: Origin = ANONYMOUS,
        utterance: str | None = None,
    ) -> SpeakJob:
        """Queue a recording once its first sound has arrived; see `speak`.

        `utterance`: its id for live viewers; None: the id of the request.

        Raises the errors of `speak`, and MediaError for a recording that cannot be spoken.
        """
        try:
            self.check_ready()
            self._check_frames(session, 0.0)
            given.begin()
            self._check_frames(session, given.announced_s or 0.0)
            self.sessions.films.preload(session)
            job = SpeakJob(
                session=session,
                text=given.text,
                choice=self.choose(session),
                given=given,
                lead_s=self._settings.lead_s if lead_s is None else lead_s,
                origin=origin,
                utterance=origin.request_id if utterance is None else utterance,
            )
            self._thread.submit(job)
        except Exception:
            given.close()
            raise
        return job

    def act(
        self, session: Session, planned: PlannedAction, *, origin: Origin = ANONYMOUS
    ) -> tuple[SpeakJob, Action]:
        """Queue an action of the session's avatar; return its job, and the action.

        It is shown over what is being said, or as a clip of its own. Raises UnknownAction, and the
        errors of `speak`.
        """
        self.check_ready()
        self.sessions.films.preload(session)
        avatar_id = self.sessions.compatibility.avatar_id(session.choices)
        avatar = self.avatar_cache.fetch(avatar_id)
        if planned.name not in avatar.actions:
            avatar = self.avatar_cache.fetch_with_new_actions(avatar_id)
        action = find_action(avatar.id, avatar.actions, planned.name)
        self._check_frames(session, action.frames / avatar.fps)
        job = SpeakJob(
            session=session,
            text="",
            choice=self.choose(session),
            actions=(planned,),
            lead_s=self._settings.lead_s,
            origin=origin,
            utterance=origin.request_id,
        )
        self._thread.submit(job)
        return job, action

    def interrupt(self, session: Session, position_s: float | None = None) -> InterruptResult:
        """Cut the current clip of a session and drop its waiting requests.

        `position_s`: position of the viewer's player in the film; None: that of a viewer that
        has been watching since the server started.

        Live viewers hear and see the end at once, and their position counts as that of the player.
        Returns when the end of the film, a few frames that close the mouth, is on disk. A session
        without requests is not an error. Raises NotReady and UnusableSession.
        """
        live = self.stop_live(session)
        self.check_ready()
        command = Command(
            session_id=session.id,
            action=lambda: self._position(session),
            stop_mode="cut",
            reason=f"session {session.id!r} was interrupted before this request started",
        )
        fps, frame, played = self._thread.run(command)
        played = played if live is None else min(live.frame, frame)
        at_s = played / fps if position_s is None else position_s
        return InterruptResult(
            session_id=session.id,
            interrupted=command.was_clip_cut,
            dropped=len(command.dropped),
            fps=fps,
            frame=frame,
            played=played,
            heard=self._said.heard(session.id, min(at_s, frame / fps)),
        )

    def is_live(self, session_id: str) -> bool:
        """Return True if a session has live viewers, or had some a short time ago."""
        return self._live.is_live(session_id)

    def stop_live(self, session: Session) -> LivePosition | None:
        """Stop what live viewers hear and see of a session, at once.

        The film is not changed: `interrupt` must follow. Returns the position that they reached;
        None if nothing was spoken live.
        """
        return self._live.clear(session.id) if self.is_live(session.id) else None

    def live_film(self, session_id: str) -> LiveFilm:
        """Return the state of a session for a viewer that joins: see `LiveFilms`."""
        session = self.sessions.registry.lookup(session_id)
        film = self.sessions.registry.film(session)
        avatar_id = self.sessions.compatibility.avatar_id(session.choices)
        avatar = session.avatar or self.avatar_cache.fetch(avatar_id)
        clip = self._thread.clip_of(session.id)
        committed = 0 if film is None else film.committed.frames
        self._thread.wake()
        return LiveFilm(
            session_id=session.id,
            avatar=avatar,
            path=session.path,
            fps=avatar.fps,
            size=avatar.size,
            committed=committed,
            position=0.0 if film is None else self._thread.played_frames(film),
            clip=None if clip is None else clip.index,
        )

    def create(self, session: Session, named: Mapping[str, Any]) -> tuple[Session, bool]:
        """Create or update a session with the choices in `named`; return it, and True if it is new.

        Its avatar is loaded when this returns. Raises NotReady, BadSpeechRequest, the errors of
        `SessionLifecycle.create`, and the engine's errors about the avatar.
        """
        self.check_ready()
        avatar_id = self.sessions.admission.check_choices(session, named)
        self._check_voice(session, named)
        with self._thread.hold_engine():
            self._load_avatar(avatar_id)
            created = self.sessions.lifecycle.create(session, named)
        if "avatar_id" in named and self.is_live(session.id):
            self._live.reset(session.id)
        return created

    def reset(self, session: Session, named: Mapping[str, Any]) -> str | None:
        """End a conversation; the session keeps its choices, changed by those in `named`.

        Its clip ends at the next fragment. Returns once the film is gone from its path:
        its name in the archive, or None if it was not kept. A new preparation of the avatar takes
        effect; an avatar that is not available stays chosen unless another is named. Raises the
        errors of `create`.
        """
        self.check_ready()
        if named:
            self._check_voice(session, named)
        if "avatar_id" in named:
            self._load_avatar(self.sessions.admission.check_avatar(session, named))
        else:
            with suppress(AvatarError):
                self.sessions.admission.check_avatar(session, named)
        archived = self._end_session(session, lambda: self.sessions.lifecycle.reset(session, named))
        if archived is not None:
            self.archive.drop_oldest(but=archived)
        return archived

    def remove(self, session: Session) -> None:
        """Delete a session and its film; its clip ends at the next fragment.

        Returns when the file is gone. An unregistered session is not an error. Raises NotReady.
        """
        self.check_ready()
        self._end_session(session, lambda: self.sessions.lifecycle.remove(session))

    def has_unanswered(self, session_id: str) -> bool:
        """True if a session is speaking or has a waiting request."""
        return self._thread.includes(session_id)

    def hand_over(self, session_id: str, *, disturbs: bool = False) -> str | None:
        """Leave a session to the other servers of the folder; return the reason if it stays.

        A session that is speaking stays; without `disturbs`, one with live viewers stays too.
        Raises NotReady if the disk does not respond.
        """
        ownership = self.sessions.registry.ownership
        if not ownership.owns(session_id):
            return None
        if not disturbs and self.is_live(session_id):
            return "it has live viewers"
        if self.has_unanswered(session_id) or ownership.is_used(session_id):
            return "it is in use"
        hand_over = Command(
            session_id=session_id,
            action=lambda: self.sessions.lifecycle.hand_over(session_id),
            is_blocking=True,
        )
        return None if self._thread.run(hand_over) else "it is in use"

    def _prepare(self, session: Session, choice: VoiceChoice) -> None:
        """Load the avatar of a session, and start to load a voice; raises UnusableSession."""
        if isinstance(self._voices, PreparableVoices):
            self._voices.prepare(choice.voice)
        self.sessions.films.preload(session)

    def _check_capacity(self, session: Session, text: PlainText, choice: VoiceChoice) -> None:
        """Raise the errors of `Admission.check_capacity`, counting the session's waiting texts."""
        self._check_frames(session, min_duration_s(text.text, choice.speed * text.fastest_rate))

    def _check_frames(self, session: Session, min_s: float) -> None:
        """Raise the errors of `Admission.check_capacity` for speech of at least `min_s`."""
        for job in self._thread.queued_jobs(session.id):
            if job.given is not None:
                min_s += job.given.announced_s or 0.0
                continue
            fastest = 1.0 if job.plain is None else job.plain.fastest_rate
            min_s += min_duration_s(job.full_text, job.choice.speed * fastest)
        clip = self._thread.clip_of(session.id)
        uncommitted = clip.uncommitted_frames if clip is not None else 0
        self.sessions.admission.check_capacity(session, frames=uncommitted, duration_s=min_s)

    def _caption(self, text: str) -> str:
        """Return the text that a recording says; raises BadSpeechRequest if it is too long."""
        return self.plain_text(text).text if text.strip() else ""

    def _check_voice(self, session: Session, named: Mapping[str, Any]) -> None:
        """Raise BadSpeechRequest if a session could not speak with these choices."""
        self._voice_resolver.choose(session.choices.changed(named))

    def _load_avatar(self, avatar_id: str) -> None:
        """Open an avatar on this thread, and load it into the engine on the render thread."""
        self.avatar_cache.fetch(avatar_id)
        load = Command(session_id=None, action=lambda: self.avatar_cache.load(avatar_id))
        self._thread.run(load)

    def _end_session(self, session: Session, action: Callable[[], Result]) -> Result:
        """Stop the clip of a session, drop its waiting requests, and run `action`."""
        command = Command(
            session_id=session.id,
            action=action,
            stop_mode="abandon",
            reason=f"session {session.id!r} was reset",
            is_blocking=True,
        )
        self.stop_live(session)
        ended = self._thread.run(command)
        self._live.reset(session.id)
        self._said.forget(session.id)
        return ended

    def _position(self, session: Session) -> tuple[int, int, float]:
        """Frame rate, frames and played frames of a session. Render thread."""
        film = self.sessions.registry.film(session)
        if film is None:
            return self._settings.fps, 0, 0.0
        return film.spec.fps, film.committed.frames, self._thread.played_frames(film)


def avatar_cache_of(
    settings: Settings, avatar: Avatar, engine: Engine, clock: Callable[[], float]
) -> AvatarCache:
    """The avatars in memory; `avatar` stays there."""
    return AvatarCache(
        store=AvatarStore(settings.results_dir),
        engine=engine,
        pinned=avatar,
        fps=settings.fps,
        limits=AvatarCacheLimits(
            max_bytes=int(settings.max_avatars_mb * MB), ttl_s=settings.avatar_ttl_s
        ),
        clock=clock,
    )


def sessions_of(
    settings: Settings,
    avatar_cache: AvatarCache,
    disposal: Disposal,
    clock: Callable[[], float],
    claims: Claims | None = None,
) -> Sessions:
    """The sessions of the results folder."""
    limits = SessionLimits(
        max_sessions=settings.max_sessions,
        max_session_s=settings.max_session_s,
        max_session_mb=settings.max_session_mb,
        session_idle_s=settings.session_idle_s,
        min_free_mb=settings.min_free_mb,
    )
    return make_sessions(
        settings.results_dir,
        avatar_cache=avatar_cache,
        limits=limits,
        disposal=disposal,
        writer=settings.writer,
        claims=claims,
        clock=clock,
    )
