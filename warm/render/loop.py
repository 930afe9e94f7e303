"""What the render thread does in turn: errands, requests, passes, answers."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

from session.factory import Film
from session.film import ClipRecord
from warm.render.background import BackgroundPool
from warm.render.clip import Clip
from warm.render.counters import Counters
from warm.render.jobs import Command, Interrupted, SpeakJob, SpeakResult
from warm.render.queue import WorkQueue
from warm.render.renderer import Renderer
from warm.sessions.manager import Sessions

log = logging.getLogger(__name__)


class RenderLoop:
    """Owned by the render thread."""

    def __init__(
        self,
        *,
        queue: "WorkQueue[SpeakJob, Command[Any]]",
        renderer: Renderer,
        sessions: Sessions,
        counters: Counters,
        max_speaking: int,
    ) -> None:
        self.last_job_s = 1.0
        """How long the last clip took to make."""
        self._queue, self._renderer = queue, renderer
        self._sessions, self._counters = sessions, counters
        self._max_speaking = max_speaking
        self._commands: list[Command[Any]] = []
        """Those not done yet."""
        self._beside = BackgroundPool(ring=queue.ring)
        self._opening: dict[str, SpeakJob] = {}
        """Requests whose session is being opened, by its name; some may be over."""

    def turn(self) -> bool:
        """Once around; False when there was nothing to do."""
        for command in self._queue.take_orders():
            self._receive(command)
        for clip in self._renderer.take_ended():
            self._conclude(clip)
        self._beside.advance()
        self._run_errands()
        self._begin_waiting()
        return self._renderer.step(coming=len(self._opening))

    def give_up(self, error: Exception) -> None:
        """There is no engine: fail what is being said and what waits to be."""
        for clip in self._renderer.clips:
            clip.fail(error)
        self._fail_opening(error)
        while (job := self._queue.take()) is not None:
            self._fail(job, error)

    def end(self, of_clips: Exception, of_errands: Exception) -> None:
        """Answer everybody; close every clip behind the fragment that is being written, and wait
        for that."""
        self._fail_opening(of_clips)
        for command in self._commands:
            command.fail(of_errands)
        for clip in self._renderer.clips:
            clip.fail(of_clips)
        for clip in self._renderer.clips:
            self._conclude(clip)

    def close(self) -> None:
        """Wait for the disk, wherever a film is being opened or taken away. Behind `end`."""
        self._beside.end()

    def stuck_s(self) -> float:
        """How long the slowest film has been written to, opened or deleted. Any thread."""
        return max(self._renderer.stuck_s(), self._beside.busy_s())

    def _fail_opening(self, error: Exception) -> None:
        for job in self._opening.values():
            self._fail(job, error)

    def _receive(self, command: Command[Any]) -> None:
        opening = self._opening.get(command.session_id or "")
        if opening is not None and command.drops(opening) and not opening.is_over:
            self._fail(opening, Interrupted(command.reason))
            command.dropped += 1
        clip = self._renderer.clip_of(command.session_id)
        if clip is not None and command.ending == "cut":
            clip.cut()
        elif clip is not None and command.ending == "abandon":
            clip.fail(Interrupted(command.reason))
        self._commands.append(command)

    def _run_errands(self) -> None:
        """Do what waits for no clip any more."""
        waiting, self._commands = self._commands, []
        for command in waiting:
            session_id = command.session_id
            if self._renderer.clip_of(session_id) or self._beside.is_at(session_id):
                self._commands.append(command)
            elif command.is_slow and session_id is not None:
                self._beside.start(session_id, command.run)
            else:
                command.run()

    def _begin_waiting(self) -> None:
        """Take on the first request of each session in which nothing is being said."""
        while self._renderer.is_awake() and self._speaking < self._max_speaking:
            taken = {clip.job.session_id for clip in self._renderer.clips} | self._beside.sessions
            taken |= {command.session_id for command in self._commands if command.session_id}
            job = self._queue.take(self._is_free(taken))
            if job is None:
                return
            self._begin(job)

    @property
    def _speaking(self) -> int:
        return len(self._renderer.clips) + len(self._opening)

    def _is_free(self, taken: set[str]) -> Callable[[SpeakJob], bool]:
        return lambda job: job.session_id not in taken

    def _begin(self, job: SpeakJob) -> None:
        """At once where its film is open; else when it has been opened, or made."""
        job.meet_engine()
        session_id = job.session_id
        open_it = partial(self._sessions.open, session_id)
        if self._sessions.is_open(session_id):
            self._take_on(job, open_it)
            return
        self._opening[session_id] = job
        self._beside.start(session_id, open_it, partial(self._opened, job))

    def _opened(self, job: SpeakJob, film: "Future[Film]") -> None:
        del self._opening[job.session_id]
        self._take_on(job, film.result)

    def _take_on(self, job: SpeakJob, opened: Callable[[], Film]) -> None:
        try:
            film = opened()
            with ExitStack() as unless_begun:
                unless_begun.callback(self._sessions.rest, job.session_id)
                if not job.is_over:
                    self._renderer.begin(job, film, self._sessions.avatar(job.session_id))
                    unless_begun.pop_all()
        except Exception as error:  # noqa: BLE001 - the top of a request
            self._renderer.note(error)
            self._fail(job, error)

    def _fail(self, job: SpeakJob, error: Exception) -> None:
        """Answer a request with an error, unless it is over."""
        if job.is_over:
            return
        is_interrupted = isinstance(error, Interrupted)
        self._counters.count(interrupted=is_interrupted, failed=not is_interrupted)
        job.fail(error)

    def _conclude(self, clip: Clip) -> None:
        """Tell what became of a clip."""
        job, error = clip.job, None
        try:
            record = clip.record()
        except Exception as failure:  # noqa: BLE001 - the top of a request
            error = failure
        self._sessions.rest(job.session_id)
        cutting = [each for each in self._commands if each.session_id == job.session_id]
        for command in cutting:
            command.was_cut |= clip.was_cut
            command.was_unheard |= isinstance(error, Interrupted)
        if error is not None:
            self._fail(job, error)
            return
        self._answer(clip, record)

    def _answer(self, clip: Clip, record: ClipRecord) -> None:
        job = clip.job
        self.last_job_s = job.timings.render_s = clip.age_s()
        job.timings.total_s = job.age_s()
        self._counters.count(done=not clip.was_cut, interrupted=clip.was_cut, frames=record.frames)
        job.tell(spoken(clip, record))
        log.info("spoken", extra=describe(job, record))


def spoken(clip: Clip, record: ClipRecord) -> SpeakResult:
    """What a finished job tells."""
    committed = clip.film.committed
    return SpeakResult(
        session_id=clip.job.session_id,
        path=clip.film.path,
        clip=record,
        interrupted=clip.was_cut,
        truncated_by=clip.truncated_by,
        fps=clip.film.spec.fps,
        session_frames=committed.frames,
        session_clips=len(committed.clips),
        session_bytes=committed.bytes,
        timings=clip.job.timings,
    )


def describe(job: SpeakJob, clip: ClipRecord) -> dict[str, Any]:
    """What the log keeps of a finished job; not what was said."""
    return {
        "request_id": job.request_id,
        "session_id": job.session_id,
        "clip": clip.index,
        "frames": clip.frames,
        **{
            name: value if value is None else round(value, 4)
            for name, value in asdict(job.timings).items()
        },
    }
