"""Encoder of one clip: turns rendered batches into durable fragments on a thread of its own."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import TypeVar

from session.factory import ClipWriter
from session.film import ClipRecord, Fragment
from warm.render.steps import Stage, Step, Steps
from warm.render.timeline import Batch

Result = TypeVar("Result")


class ClipEncoder:
    """Encodes batches in order and appends them to the film; stops at the first error.

    The methods are called by the render thread and never block. `notify` is called on the encode
    thread after every step.
    """

    def __init__(
        self,
        begin: Callable[[], ClipWriter],
        *,
        on_written: Callable[[int, Fragment | None], None],
        notify: Callable[[], None],
        steps: Steps,
        begin_step: Callable[[Stage], Step],
        thread: Executor,
    ) -> None:
        """`on_written` is called on the encode thread with the first frame of each batch that the
        film has taken, and with its fragment if that can be watched now. `begin_step` records a
        step of this clip in `steps`. `thread` runs one function after another."""
        self.frames = 0
        """Frames of the clip that the film has taken."""
        self.error: Exception | None = None
        """The first error."""
        self.busy_since: float | None = None
        """Start of the batch that is being encoded."""
        self._begin, self._on_written, self._notify = begin, on_written, notify
        self._steps, self._begin_step = steps, begin_step
        self._clip: ClipWriter | None = None
        self._submitted = self._finished = 0
        self._is_cut = self._is_abandoned = False
        self._thread = thread
        self._thread.submit(self._guarded, self._open, begin_step("encoder"))

    @property
    def pending(self) -> int:
        """Batches submitted and neither written nor dropped."""
        return self._submitted - self._finished

    def submit(self, batch: Batch) -> None:
        """Queue a rendered batch."""
        self._submitted += 1
        self._thread.submit(self._encode, batch, self._begin_step("encoder"))

    def cut(self) -> "Future[int]":
        """Drop everything after the picture that is being encoded.

        The result is the number of frames that the film took. More batches may follow.
        """
        self._is_cut = True
        return self._run(self._resume)

    def finish(self) -> "Future[ClipRecord | None]":
        """End the clip after its last batch; the result raises the error of a batch."""
        return self._run_last(self._finish)

    def abandon(self) -> "Future[ClipRecord | None]":
        """End the clip after the batch that is being written, and drop the others."""
        self._is_abandoned = True
        return self._run_last(self._abandon)

    def _run_last(self, work: Callable[[], Result]) -> "Future[Result]":
        future = self._run(work)
        self._thread.shutdown(wait=False)
        return future

    def _run(self, work: Callable[[], Result]) -> "Future[Result]":
        step = self._begin_step("closing")
        future = self._thread.submit(work)
        future.add_done_callback(lambda _future: self._steps.end(step))
        future.add_done_callback(lambda _future: self._notify())
        return future

    def _guarded(self, work: Callable[[Step], None], step: Step) -> None:
        self._steps.advance(step, "encoder")
        self.busy_since = step.started_s
        try:
            work(step)
        except Exception as error:  # noqa: BLE001 - the top of the encode thread
            self.error = error
            self._notify()
        finally:
            self.busy_since = None
            self._steps.end(step)

    def _open(self, _step: Step) -> None:
        self._clip = self._begin()

    def _encode(self, batch: Batch, step: Step) -> None:
        if self.error is None and not self._is_cut and not self._is_abandoned:
            self._guarded(partial(self._write, batch), step)
        self._steps.end(step)
        self._finished += 1
        self._notify()

    def _write(self, batch: Batch, step: Step) -> None:
        assert self._clip is not None
        fragment = self._clip.write(
            batch.rendered,
            batch.utterance.samples,
            batch.cues,
            should_stop=lambda: self._is_cut,
            on_encoded=lambda: self._steps.advance(step, "writing"),
        )
        self.frames += batch.frames if fragment is None else fragment.frames
        self._on_written(batch.first_frame, fragment)

    def _resume(self) -> int:
        if self.error is not None:
            raise self.error
        self._is_cut = False
        return self.frames

    def _finish(self) -> ClipRecord | None:
        if self.error is not None:
            self._abandon()
            raise self.error
        assert self._clip is not None
        try:
            return self._clip.finish()
        finally:
            self._release()

    def _abandon(self) -> ClipRecord | None:
        try:
            return None if self._clip is None else self._clip.abandon()
        finally:
            self._release()

    def _release(self) -> None:
        """Let the native encoder and its threads end now: this object lives until a collection of
        garbage, because its clip refers to it and to an error."""
        self._clip = None
