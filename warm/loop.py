"""What the render thread does in turn: errands, requests, passes, answers."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from session.film import ClipRecord
from warm.clip import Clip
from warm.job import Errand, Interrupted, SpeakJob, Spoken
from warm.queue import WorkQueue
from warm.renderer import Renderer
from warm.sessions import Sessions
from warm.tally import Tally

log = logging.getLogger(__name__)


class RenderLoop:
    """Owned by the render thread."""

    def __init__(
        self,
        *,
        queue: "WorkQueue[SpeakJob, Errand[Any]]",
        renderer: Renderer,
        sessions: Sessions,
        tally: Tally,
        max_speaking: int,
    ) -> None:
        self.last_job_s = 1.0
        """How long the last clip took to make."""
        self._queue, self._renderer = queue, renderer
        self._sessions, self._tally = sessions, tally
        self._max_speaking = max_speaking
        self._errands: list[Errand[Any]] = []
        """Those not done yet."""

    def turn(self) -> bool:
        """Once around; False when there was nothing to do."""
        for errand in self._queue.take_orders():
            self._receive(errand)
        for clip in self._renderer.take_ended():
            self._conclude(clip)
        self._run_errands()
        self._begin_waiting()
        return self._renderer.step()

    def give_up(self, error: Exception) -> None:
        """There is no engine: fail what is being said and what waits to be."""
        for clip in self._renderer.clips:
            clip.fail(error)
        while (job := self._queue.take()) is not None:
            self._tally.count(failed=1)
            job.fail(error)

    def end(self, of_clips: Exception, of_errands: Exception) -> None:
        """Close every clip behind the fragment that is being written; wait for that."""
        for clip in self._renderer.clips:
            clip.fail(of_clips)
        for clip in self._renderer.clips:
            self._conclude(clip)
        for errand in self._errands:
            errand.fail(of_errands)

    def _receive(self, errand: Errand[Any]) -> None:
        clip = self._renderer.clip_of(errand.session_id)
        if clip is not None and errand.ending == "cut":
            clip.cut()
        elif clip is not None and errand.ending == "abandon":
            clip.fail(Interrupted(errand.reason))
        self._errands.append(errand)

    def _run_errands(self) -> None:
        """Do what waits for no clip any more."""
        waiting, self._errands = self._errands, []
        for errand in waiting:
            if self._renderer.clip_of(errand.session_id) is None:
                errand.run()
            else:
                self._errands.append(errand)

    def _begin_waiting(self) -> None:
        """Take on the first request of each session in which nothing is being said."""
        while self._renderer.is_awake() and len(self._renderer.clips) < self._max_speaking:
            taken = {clip.job.session_id for clip in self._renderer.clips}
            taken |= {errand.session_id for errand in self._errands if errand.session_id}
            job = self._queue.take(self._is_free(taken))
            if job is None:
                return
            self._begin(job)

    def _is_free(self, taken: set[str]) -> Callable[[SpeakJob], bool]:
        return lambda job: job.session_id not in taken

    def _begin(self, job: SpeakJob) -> None:
        job.meet_engine()
        try:
            film = self._sessions.open(job.session_id)
            try:
                self._renderer.begin(job, film, self._sessions.avatar(job.session_id))
            except BaseException:
                self._sessions.rest(job.session_id)
                raise
        except Exception as error:  # noqa: BLE001 - the top of a request
            self._renderer.note(error)
            self._tally.count(failed=1)
            job.fail(error)

    def _conclude(self, clip: Clip) -> None:
        """Tell what became of a clip."""
        job, error = clip.job, None
        try:
            record = clip.record()
        except Exception as failure:  # noqa: BLE001 - the top of a request
            error = failure
        self._sessions.rest(job.session_id)
        cutting = [each for each in self._errands if each.session_id == job.session_id]
        for errand in cutting:
            errand.was_cut |= clip.was_cut
            errand.was_unheard |= isinstance(error, Interrupted)
        if error is not None:
            is_interrupted = isinstance(error, Interrupted)
            self._tally.count(interrupted=is_interrupted, failed=not is_interrupted)
            job.fail(error)
            return
        self._answer(clip, record)

    def _answer(self, clip: Clip, record: ClipRecord) -> None:
        job = clip.job
        self.last_job_s = job.timings.render_s = clip.age_s()
        job.timings.total_s = job.age_s()
        self._tally.count(done=not clip.was_cut, interrupted=clip.was_cut, frames=record.frames)
        job.tell(spoken(clip, record))
        log.info("spoken", extra=describe(job, record))


def spoken(clip: Clip, record: ClipRecord) -> Spoken:
    """What a finished job tells."""
    committed = clip.film.committed
    return Spoken(
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
