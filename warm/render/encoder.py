"""From pictures and sound to durable fragments, on a thread of the clip's own."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from session.factory import ClipWriter
from session.film import ClipRecord, Cue, Fragment
from warm.render.compositing import Frame

Result = TypeVar("Result")


@dataclass(slots=True, eq=False, kw_only=True)
class Batch:
    """What becomes one fragment."""

    first_frame: int
    """Of the film."""
    frames: int
    sound: NDArray[np.float32]
    """(frames * samples per frame,) 48 kHz."""
    features: NDArray[np.float32] | None
    """(frames, …) what the engine wants for each frame; None where nobody speaks."""
    cues: Sequence[Cue]
    """Of the sentences that begin with it."""
    is_last: bool
    """Whether the clip ends with it."""
    asked: int = 0
    """Frames that the engine has been asked for."""
    pictures: list[Frame] = field(default_factory=list)
    is_dropped: bool = False
    """Whether nobody wants it any more."""


class ClipEncoder:
    """Encodes and appends batches in order, until one fails.

    The render thread calls; nothing here waits. `ring` is called, by the encode thread, whenever
    there is something new to see.
    """

    def __init__(
        self,
        begin: Callable[[], ClipWriter],
        *,
        landed: Callable[[int, Fragment | None], None],
        ring: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        """`landed` is told, on the encode thread, the first frame of each batch that was taken, and
        its fragment where it can be watched now."""
        self.frames = 0
        """Of the clip: taken by the film."""
        self.done = 0
        """Batches taken, dropped or failed."""
        self.error: Exception | None = None
        """What the first batch that failed met."""
        self.busy_since: float | None = None
        """Since when the batch in hand is being worked on."""
        self._begin, self._landed, self._ring, self._clock = begin, landed, ring, clock
        self._clip: ClipWriter | None = None
        self._put = 0
        self._is_cut = self._is_over = False
        self._thread = ThreadPoolExecutor(1, "encode")
        self._thread.submit(self._guarded, self._open)

    @property
    def waiting(self) -> int:
        """Batches handed over that are not done."""
        return self._put - self.done

    def put(self, batch: Batch) -> None:
        """Hand over a painted batch."""
        self._put += 1
        self._thread.submit(self._take, batch)

    def cut(self) -> "Future[int]":
        """Drop what is not on disk, from the picture on that is being encoded.

        The result is the number of frames that the film took; further batches may follow.
        """
        self._is_cut = True
        return self._submit(self._go_on)

    def finish(self) -> "Future[ClipRecord | None]":
        """Close the clip behind its last batch; the result raises what a batch met."""
        return self._last(self._finish)

    def abandon(self) -> "Future[ClipRecord | None]":
        """Close the clip behind the batch that is being written, and drop the rest."""
        self._is_over = True
        return self._last(self._abandon)

    def _last(self, work: Callable[[], Result]) -> "Future[Result]":
        done = self._submit(work)
        self._thread.shutdown(wait=False)
        return done

    def _submit(self, work: Callable[[], Result]) -> "Future[Result]":
        done = self._thread.submit(work)
        done.add_done_callback(lambda _done: self._ring())
        return done

    def _guarded(self, work: Callable[[], None]) -> None:
        self.busy_since = self._clock()
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the top of the encode thread
            self.error = error
            self._ring()
        finally:
            self.busy_since = None

    def _open(self) -> None:
        self._clip = self._begin()

    def _take(self, batch: Batch) -> None:
        if self.error is None and not self._is_cut and not self._is_over:
            self._guarded(lambda: self._write(batch))
        self.done += 1
        self._ring()

    def _write(self, batch: Batch) -> None:
        assert self._clip is not None
        fragment = self._clip.write(batch.pictures, batch.sound, batch.cues, lambda: self._is_cut)
        self.frames += batch.frames if fragment is None else fragment.frames
        self._landed(batch.first_frame, fragment)

    def _go_on(self) -> int:
        if self.error is not None:
            raise self.error
        self._is_cut = False
        return self.frames

    def _finish(self) -> ClipRecord | None:
        if self.error is not None:
            self._abandon()
            raise self.error
        assert self._clip is not None
        return self._clip.finish()

    def _abandon(self) -> ClipRecord | None:
        return None if self._clip is None else self._clip.abandon()
