"""Timeline of one clip: its utterances in order, divided into batches."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from session.factory import Film
from session.film import Cue
from warm.render.compositing import Frame
from warm.render.context import RenderContext
from warm.render.interruption import closing_utterance
from warm.render.jobs import SpeakJob
from warm.render.speech_feed import SpeechFeed
from warm.render.utterances import TAIL_FRAMES, Utterance, silent_utterance, utterances


@dataclass(slots=True, eq=False, kw_only=True)
class Batch:
    """A slice of an utterance that becomes one fragment."""

    first_frame: int
    """Counted in the film."""
    utterance: Utterance
    cues: Sequence[Cue]
    """Sentences that start with this batch."""
    is_last: bool
    """The clip ends with it."""
    requested: int = 0
    """Frames handed out to render passes."""
    rendered: list[Frame] = field(default_factory=list)
    is_dropped: bool = False
    """It is not needed any more."""

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.utterance.frames


class Timeline:
    """Utterances of one clip, placed one after another. Owned by the render thread.

    Frames are counted from the first frame of the clip. A sentence is synthesized while the one
    before it is rendered. The clip ends with a silent utterance, the tail.
    """

    def __init__(self, job: SpeakJob, film: Film, context: RenderContext) -> None:
        self.first_frame = film.committed.frames
        """First frame of the clip, counted in the film."""
        self.end = 0
        """Frames of all utterances placed so far; any thread may read it."""
        self.cursor = 0
        """First frame of the next batch."""
        self.truncated_by: str | None = None
        """The setting whose limit cut off the last sentences."""
        self._job, self._film, self._context = job, film, context
        self._feed = SpeechFeed(
            context.voices,
            job,
            film.spec,
            notify=context.notify,
            steps=context.steps,
            thread=context.threads.worker("speech"),
        )
        self._feed.request()
        self._source = utterances(self._feed, context.engine, job)
        self._placed: deque[tuple[int, Utterance]] = deque()
        """Utterances that are not completely on disk, each with its first frame."""
        self._has_tail = self._is_cut = False

    @property
    def is_exhausted(self) -> bool:
        """True if every frame of the clip is in a batch."""
        return self._has_tail and self.cursor == self.end

    @property
    def awaits_speech(self) -> bool:
        """True if the next batch begins with a sentence that is being synthesized."""
        is_at_end = self.cursor == self.end and not self._has_tail
        return is_at_end and not self._feed.is_ready

    def next_batch(self, size: int, written: int) -> Batch:
        """The next batch, of at most `size` frames; `written`: frames of the clip on disk.

        Raises SessionFull if the film has no capacity for the first sentence, and the errors of
        voice and engine.
        """
        if self.cursor == self.end:
            self._place_next(written)
        first, utterance = self._placed[-1]
        start = self.cursor - first
        stop = min(start + size, utterance.frames)
        self.cursor = first + stop
        if start or stop == utterance.frames:  # the first batch of a sentence is the most urgent
            self._feed.request()
        return Batch(
            first_frame=self.first_frame + first + start,
            utterance=utterance.slice(start, stop),
            cues=() if start else self._cues(first, utterance),
            is_last=self.is_exhausted,
        )

    def cut(self, frames: int) -> None:
        """Replace everything after the first `frames` with a closing of the mouth and the tail."""
        self._feed.close()
        self._source = self._closing(frames, list(self._placed))
        self._placed.clear()
        self.end = self.cursor = frames
        self._has_tail, self._is_cut = False, True

    def check_speech(self) -> None:
        """Raise VoiceUnavailable if a sentence takes too long."""
        self._feed.check()

    def cancel_speech(self) -> None:
        """Stop the synthesis; nothing more is taken."""
        self._feed.close()

    def _place_next(self, written: int) -> None:
        """Place the next utterance, or the tail after the last one."""
        utterance = self._fitting(next(self._source, None))
        if utterance is None:
            utterance = silent_utterance(self._tail_frames(self.end), self._film.spec)
            self._has_tail = True
        while self._placed and end_of(*self._placed[0]) <= written:
            self._placed.popleft()
        self._placed.append((self.end, utterance))
        self.end += utterance.frames

    def _fitting(self, utterance: Utterance | None) -> Utterance | None:
        """The utterance if the film has capacity for it, else None.

        A closing always fits: it is shorter than the rest of its sentence. Raises SessionFull for
        the first utterance of the clip.
        """
        if utterance is None or self._is_cut:
            return utterance
        end = end_of(self.end, utterance)
        committed = self._film.committed
        needed = self.first_frame + end + self._tail_frames(end) - committed.frames
        capacity = self._context.capacity(committed, self._film.spec)
        if capacity.fits(needed):
            return utterance
        if not self.end:
            capacity.require(needed, self._job.session_id)
        self.truncated_by = capacity.setting
        self._feed.close()
        self._source = iter(())
        return None

    def _tail_frames(self, frames: int) -> int:
        """Frames of the tail after `frames` of speech, which align the end of the clip."""
        return TAIL_FRAMES + -(frames + TAIL_FRAMES) % self._film.alignment_frames

    def _cues(self, first: int, utterance: Utterance) -> list[Cue]:
        if utterance.speech is None:
            return []
        return [
            Cue(
                text=utterance.speech.text,
                first_frame=self.first_frame + first,
                frames=utterance.frames,
            )
        ]

    def _closing(self, frames: int, placed: list[tuple[int, Utterance]]) -> Iterator[Utterance]:
        """Yield the closing of the sentence that is cut at `frames`, if there is one."""
        for first, utterance in placed:
            if first < frames < end_of(first, utterance) and utterance.features is not None:
                yield closing_utterance(
                    self._context.engine, utterance, frames - first, self._film.spec
                )


def end_of(first: int, utterance: Utterance) -> int:
    """The frame after the last one of an utterance that starts at `first`."""
    return first + utterance.frames
