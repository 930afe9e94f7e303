"""One clip in the making: its sentences on one side, what of it is on disk on the other."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from session.factory import Film
from session.film import ClipRecord, Committed, Cue, FilmSpec, Fragment
from tts.voice import Voices
from warm.avatars.avatar import Avatar
from warm.engines.base import Engine, PatchRequest
from warm.render.compositing import Frame, patch_requests
from warm.render.encoder import Batch, ClipEncoder
from warm.render.jobs import FragmentCommitted, Interrupted, SpeakJob
from warm.render.playback_clock import PlaybackClock
from warm.render.scheduler import BATCHES_AHEAD, STUCK_S, batch_sizes
from warm.render.utterances import TAIL_FRAMES, Utterance, closing, stillness, utterances
from warm.sessions.limits import Room

PACED_SHARE = 0.5
"""Of `lead_s`: a batch of a paced clip lasts no longer, and is begun that long before it is due, so
that no frame is early, and the other half is left for making it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stage:
    """What every clip is made with. Owned by the render thread."""

    engine: Engine
    voices: Voices
    first_batch: int
    """Frames of a clip's first batch; each further one is twice as long …"""
    largest_batch: int
    """… up to this many."""
    clock: Callable[[], float]
    """Seconds; every deadline is one of its times."""
    ring: Callable[[], None]
    """Called by any thread when there is something new for the render thread."""
    room: Callable[[Committed, FilmSpec], Room]
    """How much longer a film may become that has so much."""
    is_awake: Callable[[], bool] = lambda: True
    """Whether the engine is loaded; where it is not, nobody asks it for anything."""
    note: Callable[[Exception], None] = lambda _: None
    """Told what went wrong when somebody did."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Part:
    """Some frames of one batch that are made in one pass."""

    clip: "Clip"
    batch: Batch
    first: int
    """Counted from the first frame of the batch."""
    frames: int

    @property
    def cursor(self) -> int:
        """The first frame, counted in the film."""
        return self.batch.first_frame + self.first

    @property
    def features(self) -> NDArray[np.float32] | None:
        """What the engine wants for each of the frames; None where nobody speaks."""
        rows = self.batch.features
        return None if rows is None else rows[self.first : self.first + self.frames]

    def jobs(self) -> list[PatchRequest]:
        """What the engine is asked for."""
        rows = self.features
        return [] if rows is None else patch_requests(self.clip.avatar, self.cursor, rows)


class Clip:
    """Owned by the render thread; its sink works on a thread of its own.

    `take` gives frames to make, `bring` takes their pictures, `advance` looks what became of those
    that were handed over. It ends behind its last frame, or by `cut` or `fail`; `has_ended` says
    when nothing of it will come any more.
    """

    def __init__(
        self, job: SpeakJob, film: Film, avatar: Avatar, playing: PlaybackClock, stage: Stage
    ) -> None:
        self.job, self.film, self.avatar = job, film, avatar
        self.begun_s = stage.clock()
        self.was_cut = False
        """Whether less is said than was asked for, because somebody wanted it."""
        self.truncated_by: str | None = None
        """Which setting has kept the last sentences out of the film."""
        self._stage, self._playing = stage, playing
        self._index = len(film.committed.clips)
        self._first_frame = film.committed.frames
        self._source = utterances(stage.voices, stage.engine, job, film.spec)
        self._sizes = batch_sizes(stage.first_batch, stage.largest_batch)
        self._laid_utterances: deque[tuple[int, Utterance]] = deque()
        """Those that are not on disk as a whole, each with its first frame in the clip."""
        self._laid = 0
        """Frames of all lines so far."""
        self._cursor = 0
        """First frame of the next batch, counted in the clip."""
        self._open: deque[Batch] = deque()
        """Batches begun and not handed over; the engine is asked for the last."""
        self._has_tail = self._is_handed_over = False
        self._cut_s: float | None = None
        self._cutting: Future[int] | None = None
        self._error: Exception | None = None
        self._ending: Future[ClipRecord | None] | None = None
        self._encoder = ClipEncoder(
            lambda: film.begin(job.text), landed=self._landed, ring=stage.ring, clock=stage.clock
        )

    @property
    def due_s(self) -> float:
        """When the next frames are needed: at once for the first ones and for the end of a cut."""
        if self._cut_s is not None:
            return self._cut_s
        starts_s = max(self.begun_s, self._playing.due_s(self._first_frame))
        next_frame = (
            self._open[-1].first_frame - self._first_frame if self.is_asking else self._cursor
        )
        return starts_s + next_frame / self.film.spec.fps

    @property
    def released_s(self) -> float:
        """When the next frames may be made."""
        lead_s = self.job.lead_s
        if lead_s is None or self._cut_s is not None or self.is_asking:
            return float("-inf")
        return self.due_s - PACED_SHARE * lead_s

    @property
    def is_asking(self) -> bool:
        """Whether a batch was begun of which some frames are still to be asked for."""
        return bool(self._open) and self._open[-1].asked < self._open[-1].frames

    @property
    def has_begun(self) -> bool:
        """Whether something of it can be watched."""
        return self._encoder.frames > 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it: `record` can be taken."""
        return self._ending is not None and self._ending.done()

    @property
    def busy_since(self) -> float | None:
        """Since when its encoder is at work on one batch."""
        return self._encoder.busy_since

    @property
    def end(self) -> int:
        """Frames that the film will have at least, as far as sentences have been spoken. Any
        thread."""
        return self._first_frame + self._laid

    def age_s(self) -> float:
        """Seconds since it was begun."""
        return self._stage.clock() - self.begun_s

    def is_waiting(self) -> bool:
        """Whether it takes frames as soon as they are released."""
        if self._cutting is not None or self._ending is not None:
            return False
        if self.is_asking:
            return True
        is_all_asked = self._has_tail and self._cursor == self._laid
        return not is_all_asked and self._on_their_way <= BATCHES_AHEAD

    def backlog(self, now_s: float) -> int:
        """Its batches that are on their way to the disk; none where that is stuck."""
        since = self._encoder.busy_since
        return 0 if since is not None and now_s - since > STUCK_S else self._on_their_way

    def is_ready(self, now_s: float) -> bool:
        """Whether it takes frames now."""
        return self.is_waiting() and self.released_s <= now_s

    def take(self, room: int, *, in_crowd: bool = False) -> Part:
        """The next frames to make, `room` at most; it must be ready.

        In a crowd of clips that all begin, the first fragment must last until the second is made
        in its turn: it is twice as long. May have a sentence spoken; raises what voice and engine
        say against it.
        """
        if not self.is_asking:
            self._open.append(self._next_batch(longer=in_crowd and not self._cursor))
        batch = self._open[-1]
        first = batch.asked
        batch.asked = min(batch.frames, first + room)
        return Part(clip=self, batch=batch, first=first, frames=batch.asked - first)

    def bring(self, part: Part, pictures: list[Frame]) -> None:
        """Take the pictures of a part; parts come in the order in which they were given."""
        batch = part.batch
        if batch.is_dropped:
            return
        batch.pictures += pictures
        if len(batch.pictures) == batch.frames:
            self._open.popleft()
            self._encoder.put(batch)
            self._is_handed_over = batch.is_last

    def advance(self) -> None:
        """Go on with what the sink has done; raises what it failed with."""
        if self._ending is not None:
            return
        if self._cutting is not None:
            if self._cutting.done():
                self._end_behind(self._cutting.result())
        elif self._encoder.error is not None:
            raise self._encoder.error
        elif self._is_handed_over and not self._encoder.waiting:
            self._ending = self._encoder.finish()

    def cut(self) -> None:
        """End it where it is on disk now, in a few frames more that close the mouth."""
        if self._cut_s is None and self._ending is None:
            self._cut_s = self._stage.clock()
            self._drop_open()
            self._cutting = self._encoder.cut()

    def fail(self, error: Exception) -> None:
        """End it behind what is on disk, unless it has come to its end."""
        if self._ending is None:
            self._error = error
            self._drop_open()
            self._ending = self._encoder.abandon()

    def record(self) -> ClipRecord:
        """What it has become; raises what it failed with. Waits until it has ended."""
        assert self._ending is not None
        record = self._ending.result()
        if self._error is not None:
            raise self._error
        assert record is not None
        return record

    @property
    def _on_their_way(self) -> int:
        return self._encoder.waiting + len(self._open)

    def _next_batch(self, *, longer: bool) -> Batch:
        if self._cursor == self._laid:
            self._lay(self._fitting(next(self._source, None)))
        first, utterance = self._laid_utterances[-1]
        start = self._cursor - first
        size = self._batch_size() * (2 if longer else 1)
        frames = min(size, self._stage.largest_batch, self._laid - self._cursor)
        self._cursor += frames
        step = self.film.spec.samples_per_frame
        return Batch(
            first_frame=self._first_frame + first + start,
            frames=frames,
            sound=utterance.sound[start * step : (start + frames) * step],
            features=None
            if utterance.features is None
            else utterance.features[start : start + frames],
            cues=() if start else self._cues(first, utterance),
            is_last=self._has_tail and self._cursor == self._laid,
        )

    def _batch_size(self) -> int:
        size = next(self._sizes)
        if self.job.lead_s is None:
            return size
        return min(size, max(1, int(PACED_SHARE * self.job.lead_s * self.film.spec.fps)))

    def _lay(self, utterance: Utterance | None) -> None:
        """Put the next line of the script behind the last; stillness behind all of them."""
        if utterance is None:
            utterance = stillness(self._still_behind(self._laid), self.film.spec)
            self._has_tail = True
        while (
            self._laid_utterances
            and self._end_of(*self._laid_utterances[0]) <= self._encoder.frames
        ):
            self._laid_utterances.popleft()
        self._laid_utterances.append((self._laid, utterance))
        self._laid = self._end_of(*self._laid_utterances[-1])

    def _fitting(self, utterance: Utterance | None) -> Utterance | None:
        """A sentence if the film has room for it, else nothing more.

        Raises SessionFull where it would be the first.
        """
        if (
            utterance is None or self._cut_s is not None
        ):  # what closes a mouth is shorter than the rest
            return utterance
        end = self._end_of(self._laid, utterance)
        committed = self.film.committed
        more = self._first_frame + end + self._still_behind(end) - committed.frames
        room = self._stage.room(committed, self.film.spec)
        if room.fits(more):
            return utterance
        if not self._laid:
            room.require(more, self.job.session_id)
        self.truncated_by = room.setting
        self._source = iter(())
        return None

    def _still_behind(self, frames: int) -> int:
        """Frames of stillness with which a clip ends that has said so many."""
        return TAIL_FRAMES + -(frames + TAIL_FRAMES) % self.film.alignment_frames

    def _end_of(self, first: int, utterance: Utterance) -> int:
        return first + len(utterance.sound) // self.film.spec.samples_per_frame

    def _cues(self, first: int, utterance: Utterance) -> list[Cue]:
        """The sentence that begins with a line."""
        if utterance.speech is None:
            return []
        frames = self._end_of(first, utterance) - first
        return [
            Cue(text=utterance.speech.text, first_frame=self._first_frame + first, frames=frames)
        ]

    def _drop_open(self) -> None:
        for batch in self._open:
            batch.is_dropped = True
        self._open.clear()

    def _end_behind(self, frames: int) -> None:
        """Have what is needed to end well follow the first `frames` of it."""
        self._cutting = None
        if self._is_handed_over and frames == self._laid:
            return
        if not frames:
            self.fail(Interrupted(f"session {self.job.session_id!r} was interrupted before this"))
            return
        self.was_cut = True
        self._source = self._closing(frames, list(self._laid_utterances))
        self._laid_utterances.clear()
        self._laid = self._cursor = frames
        self._has_tail = self._is_handed_over = False

    def _closing(self, frames: int, said: list[tuple[int, Utterance]]) -> Iterator[Utterance]:
        """How the line ends that is cut there; the engine is asked when its turn comes."""
        for first, utterance in said:
            if first < frames < self._end_of(first, utterance) and utterance.features is not None:
                yield closing(self._stage.engine, utterance, frames - first, self.film.spec)

    def _landed(self, first_frame: int, fragment: Fragment | None) -> None:
        """The film took a batch. Encode thread."""
        if first_frame == self._first_frame:
            self._playing.begin(first_frame, self._stage.clock())
        if fragment is None:
            return
        if self.job.timings.first_fragment_s is None:
            self.job.timings.first_fragment_s = self.job.age_s()
        self.job.tell(
            FragmentCommitted(clip=self._index, fragment=fragment, fps=self.film.spec.fps)
        )
