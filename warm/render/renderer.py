"""Render passes: the engine draws frames of several clips at once, the most urgent first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from weakref import WeakKeyDictionary

from session.factory import Film
from session.film import FilmSpec
from session.overlaid_picture import Picture
from tts.voice import VoiceChoice
from warm.avatars.avatar import Avatar
from warm.engines.base import Patch, PendingPatches, PollablePatches, ReadyPatches
from warm.render.clip import BatchSlice, Clip
from warm.render.compositing import idle_shown, patch_requests
from warm.render.context import RenderContext
from warm.render.early_speech import EarlySpeech, can_begin_early
from warm.render.jobs import SpeakJob
from warm.render.pace import NEXT_S
from warm.render.playback_clock import PlaybackClock
from warm.render.scheduler import (
    BACKGROUND_PASS_S,
    PASS_S,
    SHORT_PASS_S,
    SOON_S,
    STARTING_S,
    Throughput,
    schedule,
    starting,
)
from warm.render.spoken_sentence import SpokenSentence
from warm.render.utterances import SentenceUtterance

BACKGROUND_POLL_S = 0.02
"""Interval at which background clips that wait for the clips of sessions are considered again."""
MOST_PASSES = 2
"""Largest number of passes in flight: the engine draws one while the other is composited."""
PATIENCE_S = 0.05
"""Longest time for which the thread blocks on a pass that it need not wait for."""
HELD_UP_POLL_S = 0.02
"""Interval at which the thread checks for the patches of such a pass."""
BURST = 2
"""When this many clips are rendered at once, one that starts gets a longer first fragment:
the second one has to wait for the passes of the others."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RenderPass:
    """One batch of the engine: frames of one or more clips."""

    slices: list[BatchSlice]
    pending: PendingPatches
    started_s: float

    @property
    def drawn_frames(self) -> int:
        """Frames that the engine draws."""
        return sum(batch_slice.patches for batch_slice in self.slices)


class Renderer:
    """Renders the frames of all clips. Owned by the render thread.

    It never waits for an encoder, and for the engine only when there is nothing else to do.
    """

    def __init__(self, context: RenderContext) -> None:
        self.clips: list[Clip] = []
        """Clips being rendered. Replaced, not changed in place, when clips end: any thread may
        read it."""
        self._context = context
        self._throughput = Throughput()
        self._in_flight: list[RenderPass] = []
        """Passes that were started and not completed, oldest first."""
        self._is_held_up = False
        """True if the engine has taken too long for the oldest pass."""
        self._written_cost = 0.0
        """Frames of the clips that are done, weighted as those of a clip."""
        self._last_pass_end_s = 0.0
        self._playback_clocks: WeakKeyDictionary[Film, PlaybackClock] = WeakKeyDictionary()

    def rehearse(
        self, text: str, choice: VoiceChoice, avatar: Avatar, beat: Callable[[], None]
    ) -> None:
        """Render `text` and discard it: the first request then finds everything warm.

        `beat` is called after every pass.
        """
        width, height = avatar.size
        spec = FilmSpec(width=width, height=height, fps=avatar.fps)
        engine, clock = self._context.engine, self._context.clock
        for speech in self._context.voices.speak(text, choice):
            sentence = SpokenSentence(speech.completed(), spec)
            rows = SentenceUtterance(sentence, engine).slice(0, sentence.frames).features
            while rows is not None and len(rows):
                started_s, some = clock(), rows[: self._pass_capacity()]
                shown = idle_shown(avatar, 0, len(some))
                patches = engine.submit(patch_requests(avatar, shown, some)).patches()
                self._context.composite(avatar, shown, patches)
                self._throughput.record(len(some), clock() - started_s)
                rows = rows[len(some) :]
                beat()

    def begin_speech(self, job: SpeakJob) -> EarlySpeech | None:
        """Ask for the first sentence of a job whose film is not open yet, if that is possible."""
        if not can_begin_early(job):
            return None
        return EarlySpeech(job, self._context.voices, self._context.threads.worker("speech"))

    def begin(
        self, job: SpeakJob, film: Film, avatar: Avatar, early: EarlySpeech | None = None
    ) -> None:
        """Start a clip; no other clip of the film may be in progress.

        `early`: the result of `begin_speech`.
        """
        if not job.is_background:
            self._context.places.speaking = len(self.live_clips) + 1
        clip = Clip(job, film, avatar, self.playback_clock(film), self._context, early)
        self.clips.append(clip)

    @property
    def live_clips(self) -> list[Clip]:
        """Clips of sessions, which go before those in the background."""
        return [clip for clip in self.clips if not clip.is_background]

    def clip_of(self, session_id: str | None) -> Clip | None:
        """The clip that is being rendered for a session."""
        return next((clip for clip in self.clips if clip.job.session_id == session_id), None)

    def playback_clock(self, film: Film) -> PlaybackClock:
        """The playback clock of a film."""
        return self._playback_clocks.setdefault(film, PlaybackClock(film.spec.fps))

    def step(self, opening: int = 0) -> bool:
        """Run one pass; False if there was nothing to do.

        While the engine draws this pass, the frames of the previous one are composited.
        `opening`: clips that start as soon as their films are open.
        """
        for clip in self.clips:
            self._guarded(clip, clip.poll)
        started = self._begin_pass(opening)
        done = self._complete_passes(started)
        is_working = any(is_live(each) for each in (*done, *self._in_flight))
        self._observe_pace(has_worked=is_working and not self._is_held_up)
        return started is not None or bool(done)

    def expect(self, jobs: Sequence[SpeakJob]) -> None:
        """Note the jobs that wait: one of them is the next clip."""
        places = self._context.places
        next_s = max((job.expected_s for job in jobs), default=NEXT_S)
        if next_s != places.next_s:
            places.next_s = next_s
            places.update(self.live_clips)

    def may_start(self, opening: int) -> bool:
        """Return True if another clip may start; `opening` clips are about to start already."""
        return self._context.places.may_start(self.live_clips, opening)

    def is_engine_loaded(self) -> bool:
        """Return True if clips can be rendered; without the engine they can only end."""
        return self._context.is_engine_loaded()

    def report_error(self, error: Exception) -> None:
        """Report an error that may come from the engine."""
        self._context.report_error(error)

    def pop_done(self) -> list[Clip]:
        """Remove and return the clips that are done."""
        done = [clip for clip in self.clips if clip.is_done]
        if done:
            self.clips = [clip for clip in self.clips if not clip.is_done]
            self._written_cost += sum(clip.written_cost for clip in done if not clip.is_background)
        return done

    def sleep_s(self) -> float:
        """Seconds until there is something to do, unless an encoder or a request comes first."""
        now_s = self._context.clock()
        if self._is_held_up:
            return HELD_UP_POLL_S
        if not self.is_engine_loaded():
            return float("inf")
        times_s = [wakeup_s(clip, now_s) for clip in self.live_clips if clip.needs_frames()]
        times_s += [clip.wakeup_s for clip in self.live_clips]
        times_s += [now_s - clip.age_s() + STARTING_S for clip in starting(self.clips, now_s)]
        if any(clip.is_background and clip.needs_frames() for clip in self.clips):
            times_s.append(now_s + BACKGROUND_POLL_S)
        return max(0.0, min(times_s, default=float("inf")) - now_s)

    def next_end_s(self, is_relevant: Callable[[SpeakJob], bool]) -> float:
        """Estimate of the time until one of the relevant clips ends, or any if none is relevant.

        0 without clips, and if nothing has been written yet. Any thread.
        """
        clips = self.live_clips
        pace = self._context.places.pace.fps
        if not clips or not pace:
            return 0.0
        ends_s = [
            clip.expected_frames
            / (clip.film.spec.fps if clip.lead_s is not None else pace / len(clips))
            for clip in [clip for clip in clips if is_relevant(clip.job)] or clips
        ]
        return min(ends_s)

    def _observe_pace(self, *, has_worked: bool) -> None:
        """Measure the pace of the clips of sessions; `has_worked`: on some of their frames."""
        now_s, places = self._context.clock(), self._context.places
        clips = self.live_clips
        written = self._written_cost + sum(clip.written_cost for clip in clips)
        is_working = has_worked or any(clip.backlog(now_s) for clip in clips)
        places.pace.observe(now_s, written, is_working=is_working)
        places.speaking = len(clips)
        places.update(clips)

    def _begin_pass(self, opening: int) -> RenderPass | None:
        """Start the next pass; None if there is nothing to draw or MOST_PASSES are in flight."""
        if len(self._in_flight) >= MOST_PASSES:
            return None
        started = self._start(self._select(opening))
        if started is not None:
            self._in_flight.append(started)
        return started

    def _complete_passes(self, started: RenderPass | None) -> list[RenderPass]:
        """Complete the passes before `started`, and `started` itself if it is already drawn.

        Passes that take too long stay in flight, so that the thread can do other work.
        """
        done: list[RenderPass] = []
        was_held_up, self._is_held_up = self._is_held_up, False
        while self._in_flight:
            oldest = self._in_flight[0]
            if oldest is started and not isinstance(oldest.pending, ReadyPatches):
                break
            if not is_drawn(oldest):
                self._is_held_up = True
                break
            done.append(self._in_flight.pop(0))
            self._complete(oldest, is_typical=not was_held_up)
        return done

    def _select(self, opening: int) -> list[BatchSlice]:
        """The frames of the next pass."""
        if not self.is_engine_loaded():
            return []
        clips = self.live_clips
        is_shared = any(clip.is_background for clip in self.clips)
        in_burst = is_shared or opening + len(clips) >= BURST
        chosen = schedule(self.clips, self._context.clock())
        if chosen and chosen[0].is_background:
            return self._take(chosen, self._background_capacity())
        slices = self._take(chosen, self._pass_capacity(), in_burst=in_burst)
        return slices + self._fill_up(slices)

    def _take(
        self, clips: Sequence[Clip], capacity: int, *, in_burst: bool = False
    ) -> list[BatchSlice]:
        """Take at most `capacity` frames from clips, in order; of one unless batches pay."""
        slices: list[BatchSlice] = []
        for clip in clips:
            if capacity <= 0 or (slices and not self._context.engine.benefits_from_batching):
                break
            batch_slice = self._guarded(clip, lambda: clip.next_slice(capacity, in_burst=in_burst))  # noqa: B023
            if batch_slice is not None:
                slices.append(batch_slice)
                capacity -= batch_slice.frames
        return slices

    def _fill_up(self, slices: Sequence[BatchSlice]) -> list[BatchSlice]:
        """Frames of background clips for the places that the engine would leave empty.

        A pass whose frames are due soon gets none, because each must be composited.
        """
        now_s = self._context.clock()
        if any(batch_slice.clip.due_s < now_s + SOON_S for batch_slice in slices):
            return []
        drawn = sum(batch_slice.patches for batch_slice in slices)
        free = self._context.engine.round_up_batch(drawn) - drawn if drawn else 0
        if free <= 0:
            return []
        background = [clip for clip in self.clips if clip.is_background]
        return self._take(schedule(background, now_s), free)

    def _background_capacity(self) -> int:
        """Maximum number of frames in a pass of background clips."""
        engine = self._context.engine
        most = engine.largest_batch or self._context.largest_batch
        return min(
            most,
            engine.round_up_batch(self._throughput.frames_in(BACKGROUND_PASS_S, 1, most)),
        )

    def _pass_capacity(self) -> int:
        """Maximum number of frames in the next pass."""
        context, engine = self._context, self._context.engine
        pass_s = PASS_S if engine.benefits_from_batching else SHORT_PASS_S
        most = engine.largest_batch or context.largest_batch
        frames = self._throughput.frames_in(pass_s, context.first_batch, most)
        return min(most, engine.round_up_batch(frames))

    def _start(self, slices: list[BatchSlice]) -> RenderPass | None:
        if not slices:
            return None
        started_s = self._context.clock()
        requests = [request for batch_slice in slices for request in batch_slice.requests()]
        pending: PendingPatches = ReadyPatches([])
        try:
            with self._context.steps.running("engine"):
                pending = self._context.engine.submit(requests) if requests else pending
        except Exception as error:  # noqa: BLE001 - the top of every request in it
            self._fail_drawn(slices, error)
        return RenderPass(slices=slices, pending=pending, started_s=started_s)

    def _complete(self, done: RenderPass, *, is_typical: bool = True) -> None:
        """Wait for the patches, composite them and give the frames to their clips.

        `is_typical`: the time counts towards the measured throughput.
        """
        patches: list[Patch] = []
        try:
            with self._context.steps.running("engine"):
                patches = done.pending.patches()
        except Exception as error:  # noqa: BLE001 - the top of every request in it
            self._fail_drawn(done.slices, error)
        remaining = iter(patches)
        for batch_slice in done.slices:
            own = list(islice(remaining, batch_slice.patches))
            if not batch_slice.batch.is_dropped:
                self._guarded(batch_slice.clip, lambda: self._deliver(batch_slice, own))  # noqa: B023
        now_s = self._context.clock()
        if is_typical:
            pass_s = now_s - max(done.started_s, self._last_pass_end_s)
            self._throughput.record(done.drawn_frames, pass_s)
        self._last_pass_end_s = now_s

    def _deliver(self, batch_slice: BatchSlice, patches: list[Patch]) -> None:
        avatar, shown = batch_slice.clip.avatar, batch_slice.shown
        frames: Sequence[Picture] = (
            batch_slice.own_frames(self._context.own_frames)
            if not batch_slice.needs_engine
            else self._context.composite(avatar, shown, patches)
        )
        batch_slice.clip.add_frames(batch_slice.batch, frames)

    def _fail_drawn(self, slices: list[BatchSlice], error: Exception) -> None:
        """Fail the clips whose frames the engine was drawing."""
        self.report_error(error)
        for batch_slice in slices:
            if batch_slice.needs_engine:
                batch_slice.clip.fail(error)

    def _guarded(self, clip: Clip, work: Callable[[], Result]) -> Result | None:
        """Run `work`; an error fails the clip and no other."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the top of a request
            self.report_error(error)
            clip.fail(error)
            return None


def is_live(done: RenderPass) -> bool:
    """True if a pass has frames of the clip of a session."""
    return any(not each.clip.is_background for each in done.slices)


def is_drawn(done: RenderPass) -> bool:
    """True if the thread should fetch the patches of a pass now, waiting for them if necessary."""
    pending = done.pending
    return not isinstance(pending, PollablePatches) or pending.wait(PATIENCE_S)


def wakeup_s(clip: Clip, now_s: float) -> float:
    """Latest time at which a pass must consider a clip that needs frames."""
    return clip.release_s if clip.release_s > now_s else clip.due_s - SOON_S
