"""Clip being rendered: its timeline, the batches in progress, and its encoder."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from session.factory import Film
from session.film import ClipRecord, Fragment
from session.fragmented.writer import FilmWriter
from session.overlaid_picture import Picture
from session.video_encoder import Preset
from warm.avatars.avatar import Avatar, Shown
from warm.engines.base import PatchRequest
from warm.motion.glide import glide_frame
from warm.render.batch_joiner import BatchJoiner
from warm.render.compositing import count_patches, patch_requests
from warm.render.context import RenderContext, run_here, yielding
from warm.render.early_speech import EarlySpeech
from warm.render.encoder import ClipEncoder
from warm.render.given_sentence import FEWEST_FRAMES
from warm.render.jobs import CHARS_PER_S, FragmentCommitted, Interrupted, SpeakJob
from warm.render.live_sink import LiveFilm
from warm.render.live_tap import (
    FIRST_FRAMES,
    LIVE_LEAD_S,
    SHORT_S,
    UNWRITTEN_BYTES,
    UNWRITTEN_S,
    LiveTap,
    live_pass_frames,
)
from warm.render.pace import COST
from warm.render.pacing import Pacing, batch_sizes
from warm.render.planned_action import PlannedAction
from warm.render.playback_clock import PlaybackClock
from warm.render.scheduler import BATCHES_AHEAD, STALLED_S
from warm.render.timeline import Batch, Timeline

TEXT_CLOSES_S = 0.25
"""A growing text without a next unit is closed this long before the viewer has seen everything, or
earlier if the voice takes longer for the beginning of a sentence. A unit that came later would be
late in the film; the end of the clip takes less time."""
TEXT_GRACE_S = 0.3
"""A clip that waits longer for its text gives up its speaking place until the text arrives."""
GLIDE_WEIGHT = 3
"""A picture that glides to or from an action takes as long as this many others."""
BACKGROUND_PRESET: Preset = "faster"
BACKGROUND_BATCH = 4
"""Frames of a batch of a background clip. A clip of a session that starts competes for processors
with the batches that are being encoded, so they are short."""
"""A film that nobody is waiting for live is kept and sent as a file, so its size counts."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BatchSlice:
    """Frames of one batch that are rendered in one pass."""

    clip: "Clip"
    batch: Batch
    start: int
    """First frame, counted in the batch."""
    frames: int

    @property
    def first_frame(self) -> int:
        """First frame, counted in the film."""
        return self.batch.first_frame + self.start

    @property
    def shown(self) -> Sequence[Shown]:
        """The avatar's picture in each of these frames."""
        return self.batch.shown[self.start : self.start + self.frames]

    @property
    def needs_engine(self) -> bool:
        """True if the engine draws these frames; else they are the avatar's own."""
        return self.batch.utterance.features is not None

    @property
    def patches(self) -> int:
        """Number of mouths that the engine draws in these frames."""
        return count_patches(self.clip.avatar, self.shown) if self.needs_engine else 0

    def own_frames(
        self, own_frames: Callable[[Avatar, Sequence[Shown]], Sequence[Picture]]
    ) -> Sequence[Picture]:
        """The avatar's own pictures for these frames, from `RenderContext.own_frames`."""
        timeline, avatar = self.clip.timeline, self.clip.avatar
        frames = list(own_frames(avatar, self.shown))
        for index in range(len(frames)):
            left = timeline.first_frame + timeline.end - self.first_frame - index
            if left <= timeline.glide:
                cursor = self.first_frame + index
                frames[index] = glide_frame(avatar, cursor, left, timeline.glide)
        return frames

    def requests(self) -> list[PatchRequest]:
        """Requests to the engine for these frames."""
        rows = self.batch.utterance.features
        if rows is None:
            return []
        rows = rows[self.start : self.start + self.frames]
        return patch_requests(self.clip.avatar, self.shown, rows)


class Clip:
    """One clip from its first batch to its record. Owned by the render thread.

    `next_slice` gives frames to render, `add_frames` takes them back, and `poll` follows the
    encoder. The clip ends after its last frame, or through `cut` or `fail`. `is_done` is true when
    nothing more happens to it.
    """

    def __init__(
        self,
        job: SpeakJob,
        film: Film,
        avatar: Avatar,
        playback: PlaybackClock,
        context: RenderContext,
        early: EarlySpeech | None = None,
    ) -> None:
        """`early`: its speech, if it was begun before."""
        self.job, self.film, self.avatar = job, film, avatar
        self.timeline = Timeline(job, film, context, avatar, playback, early)
        self.was_cut = False
        """An interruption ended it before everything was said."""
        self._clock, self._engine = context.clock, context.engine
        self.index = len(film.committed.clips)
        """Its number in the film."""
        self._largest_batch = BACKGROUND_BATCH if job.is_background else context.largest_batch
        self._sizes = batch_sizes(
            context.first_batch, self._largest_batch, context.places.batch_growth
        )
        self._competes = not context.engine.benefits_from_batching
        """The engine computes on the processor, as the encoder does."""
        self._playback, self._count_fragment = playback, context.count_fragment
        self._preset = BACKGROUND_PRESET if job.is_background else context.places.choose_preset()
        self._pacing = Pacing(
            started_s=context.clock(),
            first_frame=self.timeline.first_frame,
            fps=film.spec.fps,
            lead_s=job.lead_s,
            playback=playback,
        )
        self._live = LiveTap(
            context.live,
            job,
            clip=self.index,
            film=self._live_film,
            is_readable=isinstance(film, FilmWriter),
        )
        self._joiner = BatchJoiner()
        self._unwritten: deque[Batch] = deque()
        """Batches that may not be on disk, the last one with or without all of its frames."""
        self._rendering: deque[Batch] = deque()
        """Batches not handed to the encoder; only the last one can have frames to request."""
        self._is_submitted = False
        """The encoder has the last batch."""
        self._text_awaited_s: float | None = None
        """Time since which it has waited for the next unit of its text."""
        self._cutting: Future[int] | None = None
        self._ending: Future[ClipRecord | None] | None = None
        self._error: Exception | None = None
        self._encoder = self._open_encoder(context)

    def _open_encoder(self, context: RenderContext) -> ClipEncoder:
        job, film = self.job, self.film
        run = yielding if job.is_background else run_here
        return ClipEncoder(
            lambda: run(lambda: film.begin(job.label, self._preset)),
            on_written=self._on_written,
            notify=context.notify,
            steps=context.steps,
            begin_step=partial(
                context.steps.begin,
                session_id=job.session_id,
                request_id=job.origin.request_id,
                subject=str(film.path),
                is_background=job.is_background,
            ),
            thread=context.threads.worker("encode"),
        )

    @property
    def is_background(self) -> bool:
        """True if the clips of sessions go first."""
        return self.job.is_background

    @property
    def lead_s(self) -> float | None:
        """Longest time between rendering and playback; None: no limit."""
        if not self._live.is_live:
            return self.job.lead_s
        return LIVE_LEAD_S if self.job.lead_s is None else min(LIVE_LEAD_S, self.job.lead_s)

    @property
    def due_s(self) -> float:
        """Time at which the next frames are needed."""
        return self._pacing.due_s(self._next_frame)

    @property
    def release_s(self) -> float:
        """Earliest time at which the next frames may be rendered."""
        if self.has_partial_batch:
            return float("-inf")
        return self._pacing.release_s(self._next_frame)

    @property
    def has_partial_batch(self) -> bool:
        """True if some frames of a started batch have not been requested."""
        return bool(self._rendering) and self._rendering[-1].requested < self._rendering[-1].frames

    @property
    def is_playable(self) -> bool:
        """True if the film has a part of it."""
        return self._encoder.frames > 0

    @property
    def is_done(self) -> bool:
        """True if `result` returns at once."""
        return self._ending is not None and self._ending.done()

    @property
    def written_cost(self) -> float:
        """Frames that the film has taken, weighted by the time that the preset takes."""
        return self._encoder.frames * COST[self._preset]

    def ahead_s(self, now_s: float) -> float:
        """Time until playback reaches the end of its frames on disk."""
        return self._playback.due_s(self.timeline.first_frame + self._encoder.frames) - now_s

    def is_rendering(self, now_s: float) -> bool:
        """Return True if it can be given frames, or has some that are not on disk yet."""
        return self.needs_frames() or self.backlog(now_s) > 0

    @property
    def busy_since(self) -> float | None:
        """Start of the batch that its encoder works on."""
        return self._encoder.busy_since

    @property
    def is_idle(self) -> bool:
        """True if it takes no speaking place: it waits for its text. Any thread."""
        since = self._text_awaited_s
        return since is not None and self._clock() - since > TEXT_GRACE_S

    @property
    def wakeup_s(self) -> float:
        """Time at which waiting for text or sound has a consequence; infinity if it has none."""
        draws_s = self.due_s - SHORT_S
        if self._live.is_begun and self.timeline.holds_frames and draws_s > self._clock():
            return draws_s
        since = self._text_awaited_s
        if since is None or not self.is_playable:
            return float("inf")
        return (
            self._text_closes_s if self.is_idle else min(self._text_closes_s, since + TEXT_GRACE_S)
        )

    @property
    def uncommitted_frames(self) -> int:
        """Frames of its placed utterances that the film does not have. Any thread."""
        end = self.timeline.first_frame + self.timeline.end
        return max(0, end - self.film.committed.frames)

    @property
    def expected_frames(self) -> int:
        """Estimate of the frames that it still needs. Any thread."""
        if self.timeline.is_placed:
            return self.uncommitted_frames
        spoken = len(self.job.full_text) / CHARS_PER_S / self.job.choice.speed
        expected = int(spoken * self.film.spec.fps) - self._encoder.frames
        return max(self.uncommitted_frames, expected)

    @property
    def left_s(self) -> float:
        """Playing time of the frames that are not on disk; infinite while more may be said."""
        growing = self.job.growing
        is_written = growing is None or growing.is_closed
        if self.timeline.is_placed or (is_written and self.job.given is None):
            return self.expected_frames / self.film.spec.fps
        return math.inf

    def age_s(self) -> float:
        """Seconds since it was started."""
        return self._clock() - self._pacing.started_s

    def needs_frames(self) -> bool:
        """Return True if it takes frames once they are released."""
        if self._cutting is not None or self._ending is not None:
            return False
        if self.has_partial_batch:
            return True
        if self.timeline.is_exhausted or self.timeline.awaits_speech:
            return False
        return self._encoder_keeps_up and not self._holds_back

    def is_ready(self, now_s: float) -> bool:
        """Return True if it takes frames now."""
        return self.needs_frames() and self.release_s <= now_s

    def backlog(self, now_s: float) -> int:
        """Batches between engine and disk; 0 if the encoder is stalled."""
        since = self._encoder.busy_since
        return 0 if since is not None and now_s - since > STALLED_S else self._pending

    def next_slice(self, capacity: int, *, in_burst: bool = False) -> BatchSlice:
        """The next frames to render, at most `capacity`; the clip must be ready.

        `in_burst`: several clips are rendered. The first fragment is then twice as long, because
        it must last until each of them has had its turn. Raises the errors of voice and engine.
        """
        if not self.has_partial_batch:
            self._rendering.append(self._next_batch(in_burst=in_burst))
            self._unwritten.append(self._rendering[-1])
        batch = self._rendering[-1]
        few = self._live_pass_frames()
        if few is not None:
            capacity = min(capacity, self._engine.round_up_batch(few))
        if self.timeline.glide and batch.utterance.features is None:
            capacity = 1  # a picture of the glide takes as long as a short pass
        start = batch.requested
        batch.requested = start + affordable(batch.shown[start:], capacity)
        return BatchSlice(clip=self, batch=batch, start=start, frames=batch.requested - start)

    def add_frames(self, batch: Batch, frames: Sequence[Picture]) -> None:
        """Take rendered frames of a batch, in the order in which they were requested."""
        if batch.is_dropped:
            return
        first_frame = batch.first_frame + len(batch.rendered)
        batch.rendered += frames
        self._live.add(batch, frames)
        if self._live.is_begun:  # live viewers cannot have seen them before
            self._playback.start_clip(first_frame, self._clock())
        self._follow_live()
        if len(batch.rendered) == batch.frames:
            self._rendering.popleft()
            may_wait = self.timeline.is_growing and self._live.is_begun
            self._submit(self._joiner.add(batch, may_wait=may_wait))

    def poll(self) -> None:
        """Continue after steps of the encoder and of the voice; raises the encoder's error."""
        if self._ending is not None:
            return
        self.timeline.poll_speech()
        self._poll_text()
        self._poll_live()
        if self._cutting is not None:
            if self._cutting.done():
                self._close_after(self._cutting.result())
        elif self._encoder.error is not None:
            raise self._encoder.error
        elif self._is_submitted and not self._encoder.pending:
            self._error = self._error or self.timeline.ended_by
            self._ending = self._encoder.finish()
        elif self.timeline.broken_by is not None and not self._pending:
            self._error = self.timeline.broken_by
            self._cut()

    @property
    def can_join(self) -> bool:
        """True if it may show another action: it is not ending."""
        is_ending = self._ending is not None or self._pacing.cut_s is not None
        return not is_ending and self.timeline.can_join

    def join(self, planned: PlannedAction) -> None:
        """Show an action in this clip; raises the errors of `Timeline.join`."""
        self.timeline.join(planned)

    def cut(self) -> None:
        """End the clip after its frames on disk and a few more that close the mouth."""
        if self._pacing.cut_s is None and self._ending is None:
            self._live.drop()
            self._cut()

    def _cut(self) -> None:
        """End the clip like `cut`; what was passed to live viewers is still shown.

        It also ends in this way, and its request fails, if the voice stops within a sentence.
        """
        if self._pacing.cut_s is None and self._ending is None:
            self._pacing.cut_s = self._clock()
            self.timeline.cancel_speech()
            self._drop_batches()
            self._cutting = self._encoder.cut()

    def fail(self, error: Exception) -> None:
        """End the clip after its frames on disk; no effect if it is ending already."""
        if self._ending is None:
            self._error = error
            self._live.was_cut = True
            self.timeline.cancel_speech()
            self._drop_batches()
            self._ending = self._encoder.abandon()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the clip, which is ending; False on a timeout."""
        assert self._ending is not None
        return bool(wait([self._ending], timeout_s).done)

    def result(self) -> ClipRecord:
        """Return the record of a clip that is done; raises the error it failed with."""
        assert self._ending is not None
        record = self._ending.result(0)
        if self._error is not None:
            raise self._error
        assert record is not None
        return record

    def end_live(self) -> None:
        """Note the end of the clip, which is done, for live viewers."""
        self._live.end(self.film.committed.frames)

    def _live_film(self) -> LiveFilm:
        """The state of the film."""
        committed = self.film.committed.frames
        return LiveFilm(
            session_id=self.job.session_id,
            avatar=self.avatar,
            path=self.film.path,
            fps=self.film.spec.fps,
            size=self.avatar.size,
            committed=committed,
            position=self._playback.position(committed, self._clock()),
            clip=self.index,
        )

    def _poll_live(self) -> None:
        """Follow the viewers that come and go."""
        self._pacing.lead_s = self.lead_s
        least = 1 if self.timeline.cursor else FIRST_FRAMES
        wanted = self._live_pass_frames() or FEWEST_FRAMES
        if self._engine.benefits_from_batching:  # it encodes seconds of sound for each batch
            wanted = FEWEST_FRAMES
        self.timeline.fewest_frames = min(FEWEST_FRAMES, max(least, wanted))
        self._follow_live()
        if not (self.timeline.is_growing and self._live.is_begun):
            self._submit(self._joiner.take())

    def _follow_live(self) -> None:
        written = self.timeline.first_frame + self._encoder.frames
        while self._unwritten and end_of(self._unwritten[0]) <= written:
            self._unwritten.popleft()
        was_begun, first_frame = self._live.is_begun, self.timeline.first_frame
        self._live.follow(self._unwritten, first_frame, written)
        if self._live.is_begun and not was_begun and written == first_frame:
            self._playback.start_clip(first_frame, self._clock())

    def _live_pass_frames(self) -> int | None:
        """Longest pass for live viewers; None: no limit."""
        return live_pass_frames(self.due_s - self._clock()) if self._live.is_live else None

    def _submit(self, batches: list[Batch]) -> None:
        """Hand rendered batches to the encoder."""
        for batch in batches:
            self._encoder.submit(batch)
            self._is_submitted = batch.is_last

    def _poll_text(self) -> None:
        """Record the start of a wait for the text; close the text before its viewer would wait."""
        if not self.timeline.awaits_text or self._pacing.cut_s is not None:
            self._text_awaited_s = None
            return
        now_s = self._clock()
        if self._text_awaited_s is None:
            self._text_awaited_s = now_s
        if self.is_playable and now_s >= self._text_closes_s:
            self.timeline.close_text()

    @property
    def _text_closes_s(self) -> float:
        """Time at which its text is closed unless there is another unit."""
        end_s = self._playback.due_s(self.timeline.first_frame + self.timeline.end)
        return end_s - max(TEXT_CLOSES_S, self.timeline.first_sound_s)

    @property
    def _next_frame(self) -> int:
        if self.has_partial_batch:
            return self._rendering[-1].first_frame - self.timeline.first_frame
        return self.timeline.cursor

    @property
    def _holds_back(self) -> bool:
        """True while its first batch is encoded, if the engine would slow the encoder down."""
        is_first = self._encoder.frames == 0 and self.timeline.cursor > 0
        return self._competes and is_first and not self._live.is_live

    @property
    def _pending(self) -> int:
        return self._encoder.pending + len(self._rendering) + self._joiner.has_held

    @property
    def _encoder_keeps_up(self) -> bool:
        """True unless too many frames wait for the encoder; live viewers do not wait for it."""
        if not self._live.is_live:
            return self._pending <= BATCHES_AHEAD
        (width, height), fps = self.avatar.size, self.film.spec.fps
        most = min(UNWRITTEN_S * fps, UNWRITTEN_BYTES / (3 * width * height))
        return self.timeline.cursor - self._encoder.frames <= most

    def _next_batch(self, *, in_burst: bool) -> Batch:
        size = self._pacing.limit(next(self._sizes))
        if in_burst and not self.timeline.cursor:
            size *= 2
        return self.timeline.next_batch(min(size, self._largest_batch), self._encoder.frames)

    def _drop_batches(self) -> None:
        for batch in self._rendering:
            batch.is_dropped = True
        self._rendering.clear()
        self._unwritten.clear()
        self._joiner.take()

    def _close_after(self, frames: int) -> None:
        """Follow the first `frames` of the clip, which are on disk, with the closing."""
        self._cutting = None
        if self._is_submitted and frames == self.timeline.end:
            return
        if not frames:
            interrupted = (
                f"session {self.job.session_id!r} was interrupted before this request started"
            )
            self.fail(self._error or Interrupted(self.job.cancel_reason or interrupted))
            return
        self.was_cut = self._live.was_cut = True
        self.timeline.cut(frames)
        self._is_submitted = False

    def _on_written(self, first_frame: int, fragment: Fragment | None) -> None:
        """Announce a written batch. Encode thread."""
        if first_frame == self.timeline.first_frame and not self._live.is_begun:
            self._playback.start_clip(first_frame, self._clock())
        if fragment is None:
            return
        is_first = first_frame == self.timeline.first_frame
        if not (is_first or self.is_background) and self._pacing.cut_s is None:
            self._count_fragment(self._playback.due_s(first_frame) < self._clock())
        if self.job.timings.first_fragment_s is None:
            self.job.timings.first_fragment_s = self.job.age_s()
        self.job.publish(
            FragmentCommitted(clip=self.index, fragment=fragment, fps=self.film.spec.fps)
        )


def affordable(shown: Sequence[Shown], capacity: int) -> int:
    """Number of pictures, at least one, that take no longer than `capacity` ordinary ones."""
    spent = 0
    for count, one in enumerate(shown):
        spent += 1 if one.into < 0 else GLIDE_WEIGHT
        if count and spent > capacity:
            return count
    return len(shown)


def end_of(batch: Batch) -> int:
    """The frame of the film after the last one of a batch."""
    return batch.first_frame + batch.frames
