"""Render loop: one iteration runs commands, starts jobs, renders a pass and answers requests."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from session.film import ClipRecord
from tts.voice import BadSpeechRequest
from warm.render.background import BackgroundPool
from warm.render.clip import Clip
from warm.render.early_speech import EarlySpeech
from warm.render.health import Counters
from warm.render.jobs import Command, Interrupted, SpeakJob, SpeakResult
from warm.render.queue import WorkQueue
from warm.render.renderer import Renderer
from warm.render.shares import FairShares
from warm.sessions.films import SessionFilms
from warm.sessions.private_films import PrivateFilms
from warm.sessions.session import Session

log = logging.getLogger(__name__)

Queue = WorkQueue[SpeakJob, Command[Any]]


@dataclass(frozen=True, slots=True)
class Films:
    """Films of the sessions, and those of background jobs."""

    sessions: SessionFilms
    private: PrivateFilms

    def of(self, job: SpeakJob) -> SessionFilms | PrivateFilms:
        """The films to which that of a job belongs."""
        return self.private if job.is_background else self.sessions


class RenderLoop:
    """Carries jobs and commands from the queue to their answers. Owned by the render thread."""

    def __init__(
        self,
        *,
        queue: Queue,
        shares: FairShares,
        renderer: Renderer,
        films: Films,
        counters: Counters,
        background: BackgroundPool,
    ) -> None:
        self._queue, self._shares, self._renderer = queue, shares, renderer
        self._all_films, self._films, self._counters = films, films.sessions, counters
        self._background = background
        self._commands: list[Command[Any]] = []
        """Commands received and not run."""
        self._opening: dict[str, SpeakJob] = {}
        """Jobs whose films are being opened, by session; some may be over."""
        self._is_shut_down = False

    def run_once(self) -> bool:
        """Run one iteration; False if there was nothing to do."""
        for command in self._queue.take_commands():
            self._receive(command)
        self._drop_cancelled()
        for clip in self._renderer.pop_done():
            self._end_clip(clip)
        self._background.poll()
        self._run_commands()
        self._join_actions()
        self._start_jobs()
        opening = sum(not job.is_background for job in self._opening.values())
        return self._renderer.step(opening=opening)

    def fail_jobs(self, error: Exception) -> None:
        """Fail all clips and all jobs, because the engine cannot be loaded."""
        for clip in self._renderer.clips:
            clip.fail(error)
        self._fail_opening(error)
        while (job := self._queue.take(first_of)) is not None:
            self._fail(job, error)

    def shut_down(
        self, job_error: Exception, command_error: Exception, left_s: Callable[[], float]
    ) -> None:
        """Answer everything, and end every clip after the fragment that is being written.

        `left_s`: how much longer that may take. A clip that takes longer is abandoned.
        """
        self._is_shut_down = True
        self._fail_opening(job_error)
        for command in self._commands:
            command.fail(command_error)
        for clip in self._renderer.clips:
            clip.fail(job_error)
        for clip in self._renderer.clips:
            if clip.wait(left_s()):
                self._end_clip(clip)
            else:
                self._fail(clip.job, command_error)

    def close_idle(self, idle_s: float) -> None:
        """Close the films without speech for `idle_s`; 0: none."""
        for session in self._films.idle(idle_s) if idle_s else ():
            if not self._is_busy(session.id):
                close = partial(self._films.close_film, session)
                path = str(session.path)
                self._background.submit(session.id, close, stage="closing", subject=path)

    def close(self, left_s: Callable[[], float]) -> None:
        """Finish the film work in progress and close all films. To be called after `shut_down`.

        Films that take longer than `left_s` are abandoned.
        """
        self._background.close(left_s())
        for session in self._films.opened():
            if session.id not in self._background.sessions:
                close = partial(self._films.close_film, session)
                self._background.submit(session.id, close, stage="closing")
        self._background.close(left_s())

    def _is_busy(self, session_id: str) -> bool:
        """True if a clip is being rendered for a session, or its film is being worked on."""
        is_speaking = self._renderer.clip_of(session_id) is not None
        return is_speaking or session_id in self._background.sessions

    def _drop_cancelled(self) -> None:
        """Drop the jobs that are cancelled or over, and cut their clips."""
        dropped = [job for job in self._opening.values() if is_dropped(job)]
        while (job := self._queue.take(first_dropped)) is not None:
            dropped.append(job)
        while (job := self._queue.take(first_blank)) is not None:
            self._fail(job, error_of_blank(job))
        for job in dropped:
            self._fail(job, Interrupted(str(job.cancel_reason)))
        for clip in self._renderer.clips:
            if is_dropped(clip.job) and clip.is_background:
                clip.fail(Interrupted(str(clip.job.cancel_reason)))
            elif is_dropped(clip.job):
                clip.cut()

    def _fail_opening(self, error: Exception) -> None:
        for job in self._opening.values():
            self._fail(job, error)

    def _receive(self, command: Command[Any]) -> None:
        """Apply the command's stop mode."""
        opening = self._opening.get(command.session_id or "")
        if opening is not None and command.drops(opening) and not opening.is_over:
            self._fail(opening, Interrupted(command.reason))
            command.dropped.append(opening)
        clip = self._renderer.clip_of(command.session_id)
        if clip is not None and command.stop_mode == "cut":
            clip.cut()
        elif clip is not None and command.stop_mode == "abandon":
            clip.fail(Interrupted(command.reason))
        self._commands.append(command)

    def _run_commands(self) -> None:
        """Run the commands whose sessions have neither a clip nor a background task."""
        waiting, self._commands = self._commands, []
        for command in waiting:
            session_id = command.session_id
            if self._renderer.clip_of(session_id) or session_id in self._background.sessions:
                self._commands.append(command)
            elif command.is_blocking and session_id is not None:
                self._background.submit(session_id, command.run, stage="closing")
            else:
                command.run()

    def _join_actions(self) -> None:
        """Have the clips that are being rendered show the actions that wait for them."""
        for clip in self._renderer.live_clips:
            joining = partial(first_joining, clip)
            while clip.can_join and (job := self._queue.take(joining)) is not None:
                self._join(job, clip)

    def _join(self, job: SpeakJob, clip: Clip) -> None:
        """Have a clip show the actions of a job."""
        try:
            for planned in job.actions:
                clip.join(planned)
        except Exception as error:  # noqa: BLE001 - the top of a request
            self._fail(job, error)
        else:
            job.join()

    def _start_jobs(self) -> None:
        """Start the first job of each session that has no clip, task or command."""
        while self._renderer.is_engine_loaded():
            job = self._queue.take(first_in_background)
            if job is None:
                break
            self._start(job)
        self._renderer.expect([job for job in self._queue.jobs() if may_speak(job)])
        while self._renderer.is_engine_loaded() and self._may_start():
            busy = {clip.job.session_id for clip in self._renderer.clips}
            busy |= self._background.sessions
            busy |= {command.session_id for command in self._commands if command.session_id}
            speaking = self.speaking()
            job = self._queue.take(lambda queued: self._choose(queued, speaking, busy))  # noqa: B023
            if job is None:
                return
            self._shares.record_turn(job)
            self._start(job)

    def _choose(
        self, queued: Sequence[SpeakJob], speaking: Sequence[SpeakJob], busy: set[str]
    ) -> SpeakJob | None:
        return self._shares.choose(list(filter(may_speak, queued)), speaking, busy)

    def _may_start(self) -> bool:
        opening = [
            name
            for name, job in self._opening.items()
            if not job.is_background and not self._background.is_stalled(name)
        ]
        return self._renderer.may_start(len(opening))

    def speaking(self) -> list[SpeakJob]:
        """Live jobs whose clips are being rendered or whose films are being opened. Any thread.

        A job that was answered although its clip has not ended takes no place, and neither does
        one that waits for its text.
        """
        clips = [clip.job for clip in self._renderer.clips if not clip.is_idle]
        jobs = clips + list(self._opening.values())
        return [job for job in jobs if not job.is_over and not job.is_background]

    def _start(self, job: SpeakJob) -> None:
        """Start a clip, at once if the film is open, else when it has been opened or created."""
        job.mark_engine_loaded()
        films = self._all_films.of(job)
        open_film = partial(films.open, job.session)
        if films.is_open(job.session):
            self._begin_clip(job, open_film)
            return
        self._opening[job.session_id] = job
        early = self._renderer.begin_speech(job)
        self._background.submit(
            job.session_id,
            open_film,
            partial(self._on_opened, job, early),
            stage="opening",
            request_id=job.origin.request_id,
            subject=str(job.session.path),
        )

    def _on_opened(
        self, job: SpeakJob, early: EarlySpeech | None, session: "Future[Session]"
    ) -> None:
        del self._opening[job.session_id]
        if not self._begin_clip(job, session.result, early) and early is not None:
            early.close()

    def _begin_clip(
        self, job: SpeakJob, open_film: Callable[[], Session], early: EarlySpeech | None = None
    ) -> bool:
        """Begin the clip of a job that is still wanted; False if there is none."""
        error: Exception | None = None
        try:
            session = job.session = open_film()
        except Exception as failure:  # noqa: BLE001 - the top of a request
            self._fail_begun(job, failure)
            return False
        try:
            assert session.film is not None
            if not is_dropped(job):
                avatar = self._all_films.of(job).acquire_avatar(session)
                self._renderer.begin(job, session.film, avatar, early)
                return True
        except Exception as failure:  # noqa: BLE001 - the top of a request
            error = failure
        self._release(job, partial(self._fail_begun, job, error))
        return False

    def _fail_begun(self, job: SpeakJob, error: Exception | None) -> None:
        """Fail a job that has no clip; None: it is over or cancelled."""
        if error is not None:
            self._renderer.report_error(error)
            self._fail(job, error)

    def _release(self, job: SpeakJob, answer: Callable[[], None]) -> None:
        """Release the session of a job, and answer it once an empty film is deleted."""
        films = self._all_films.of(job)
        if not films.release(job.session):
            answer()
            return
        if self._is_shut_down:
            answer()
        self._background.submit(
            job.session_id,
            partial(films.clean_up, job.session),
            lambda _done: answer(),
            stage="closing",
            request_id=job.origin.request_id,
            subject=str(job.session.path),
        )

    def _fail(self, job: SpeakJob, error: Exception) -> None:
        """Fail a job, unless it is over."""
        if job.is_over:
            return
        is_interrupted = isinstance(error, Interrupted)
        if not job.is_background:
            self._counters.add(interrupted=is_interrupted, failed=not is_interrupted)
        job.fail(error)

    def _end_clip(self, clip: Clip) -> None:
        """Release the session, update the commands that ended the clip, and answer its request."""
        job = clip.job
        clip.end_live()
        try:
            record = clip.result()
        except Exception as failure:  # noqa: BLE001 - the top of a request
            self._note_in_commands(clip, was_dropped=isinstance(failure, Interrupted))
            self._release(job, partial(self._fail, job, failure))
        else:
            self._note_in_commands(clip, was_dropped=False)
            self._release(job, partial(self._answer, clip, record))

    def _note_in_commands(self, clip: Clip, *, was_dropped: bool) -> None:
        """Note in the commands of a session how its clip ended."""
        for command in self._commands:
            if command.session_id == clip.job.session_id:
                command.was_clip_cut |= clip.was_cut
                command.dropped += [clip.job] if was_dropped else []

    def _answer(self, clip: Clip, record: ClipRecord) -> None:
        job = clip.job
        job.timings.render_s = clip.age_s()
        job.timings.total_s = job.age_s()
        self._counters.add(frames=record.frames)
        if not job.is_background:
            self._counters.add(done=not clip.was_cut, interrupted=clip.was_cut)
            self._counters.on_spoken(job.timings)
        job.publish(speak_result(clip, record))
        log.info("spoken", extra=log_fields(job, record))


def may_speak(job: SpeakJob) -> bool:
    """True if a job can be given a speaking place."""
    return not job.is_background and not job.awaits_text


def is_dropped(job: SpeakJob) -> bool:
    """True if nobody waits for a job any more."""
    return job.cancel_reason is not None or job.is_over


def first_of(jobs: Sequence[SpeakJob]) -> SpeakJob | None:
    """The first of the jobs; None if there are none."""
    return next(iter(jobs), None)


def first_in_background(jobs: Sequence[SpeakJob]) -> SpeakJob | None:
    """The first background job; None if there is none."""
    return first_of([job for job in jobs if job.is_background])


def first_dropped(jobs: Sequence[SpeakJob]) -> SpeakJob | None:
    """The first of the jobs that nobody waits for; None if there is none."""
    return first_of([job for job in jobs if is_dropped(job)])


def first_joining(clip: Clip, jobs: Sequence[SpeakJob]) -> SpeakJob | None:
    """The first of the jobs whose actions a clip of another one can show; None if there is none.

    An action that was added to the avatar meanwhile waits for the next clip.
    """
    return first_of([job for job in jobs if job.may_join and has_actions(clip, job)])


def has_actions(clip: Clip, job: SpeakJob) -> bool:
    """True if a clip of the same session has the actions of a job."""
    is_same = clip.job.session_id == job.session_id
    return is_same and all(planned.name in clip.avatar.actions for planned in job.actions)


def first_blank(jobs: Sequence[SpeakJob]) -> SpeakJob | None:
    """The first of the jobs whose growing text ended without a unit; None if there is none."""
    return first_of([job for job in jobs if job.is_blank])


def error_of_blank(job: SpeakJob) -> Exception:
    """The error of a job whose growing text ended without a unit."""
    error = None if job.growing is None else job.growing.error
    return error or BadSpeechRequest("text", "the text ended without a word to speak")


def speak_result(clip: Clip, record: ClipRecord) -> SpeakResult:
    """The result of a job whose clip is complete."""
    committed = clip.film.committed
    return SpeakResult(
        session_id=clip.job.session_id,
        path=clip.film.path,
        clip=record,
        interrupted=clip.was_cut,
        said_end_s=said_end_s(clip),
        truncated_by=clip.timeline.truncated_by,
        fps=clip.film.spec.fps,
        session_frames=committed.frames,
        session_clips=len(committed.clips),
        session_bytes=committed.bytes,
        voice=clip.job.choice.voice if clip.job.given is None else None,
        remarks=tuple(dict.fromkeys(clip.job.remarks)),
        timings=clip.job.timings,
    )


def said_end_s(clip: Clip) -> float | None:
    """Position in the film at which the sound of a cut clip stops; None if it was not cut."""
    timeline = clip.timeline
    if not clip.was_cut or timeline.said_end is None:
        return None
    return (timeline.first_frame + timeline.said_end) / clip.film.spec.fps


def log_fields(job: SpeakJob, clip: ClipRecord) -> dict[str, Any]:
    """Log fields of a finished job, without its text."""
    return {
        "request_id": job.origin.request_id,
        "session_id": job.session_id,
        "clip": clip.index,
        "frames": clip.frames,
        **{
            name: value if value is None else round(value, 4)
            for name, value in asdict(job.timings).items()
        },
    }
