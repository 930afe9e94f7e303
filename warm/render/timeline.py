"""Timeline of one clip: its utterances in order, divided into batches."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from session.factory import Film
from session.film import SAMPLE_RATE_HZ, UNKNOWN_FRAMES, Cue
from session.overlaid_picture import Picture
from tts.speech import Speech
from warm.avatars.action import Action, find_action
from warm.avatars.avatar import Avatar, Shown
from warm.engines.excerpts import sound_lookahead_s
from warm.motion.frame_path import FramePath
from warm.render.context import RenderContext
from warm.render.early_speech import EarlySpeech
from warm.render.given_sentence import FEWEST_FRAMES, GivenSentence
from warm.render.interruption import closing_of_recording, closing_utterance
from warm.render.jobs import PLAIN_ENDING, SpeakJob
from warm.render.planned_action import NoSpeech, PlannedAction
from warm.render.playback_clock import PlaybackClock
from warm.render.sound_reader import SoundReader
from warm.render.speech_feed import SpeechFeed, SpeechPieces
from warm.render.spoken_sentence import SpokenSentence
from warm.render.synthesis import Synthesis
from warm.render.tail import Tail, tail_of
from warm.render.utterances import (
    GivenUtterance,
    SentenceUtterance,
    Utterance,
    lookahead_s,
    silent_utterance,
)
from warm.sessions.limits import Capacity

LEAST_S = 1.0
"""A film must have capacity for this much of a recording whose length is not known."""
LONGEST_PLAN_S = 10
"""Movements of the head are planned for this much of a recording at once."""

Placed = Utterance | SentenceUtterance | GivenUtterance


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
    shown: Sequence[Shown] = ()
    """The avatar's picture in each frame."""
    rendered: list[Picture] = field(default_factory=list)
    is_dropped: bool = False
    """It is not needed any more."""

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.utterance.frames


class Timeline:
    """Utterances of one clip, placed one after another. Owned by the render thread.

    Frames are counted from the first frame of the clip. A sentence is placed whole when the first
    piece of its sound has arrived, and its frames go to batches as their sound arrives. The next
    one is synthesized while it is rendered. The clip ends with a silent utterance, the tail.
    """

    def __init__(
        self,
        job: SpeakJob,
        film: Film,
        context: RenderContext,
        avatar: Avatar,
        playback: PlaybackClock | None = None,
        early: EarlySpeech | None = None,
    ) -> None:
        """`playback`: clock of the film; a voice serves listeners with little sound left first.

        `early`: the speech of the job, if it was begun before.
        """
        self.first_frame = film.committed.frames
        """First frame of the clip, counted in the film."""
        self.end = 0
        """Frames of all utterances placed so far; any thread may read it."""
        self.cursor = 0
        """First frame of the next batch."""
        self.glide = 0
        """Frames at the end of the clip that glide to the beginning of the idle loop."""
        self.said_end: int | None = None
        """Frame at which the sound of a cut clip stops; None if it was not cut."""
        self.fewest_frames = FEWEST_FRAMES
        """Frames of a recording that are waited for while its sound arrives; any thread may read
        it."""
        self.truncated_by: str | None = None
        """The setting whose limit cut off the last sentences."""
        self._job, self._film, self._context, self._playback = job, film, context, playback
        self._path = FramePath(avatar, self.first_frame, context.is_lively)
        self._waiting = deque(map(self._found, job.actions))
        """Actions that begin with the next utterance."""
        self._feed = SpeechFeed(
            self._pieces(early),
            job,
            notify=context.notify,
            steps=context.steps,
            thread=context.threads.worker("speech") if early is None else early.thread,
        )
        self._feed.request()
        self._sentences = 0
        """Number of sentences taken from the feed."""
        self._closing: Utterance | None = None
        """The closing of a cut sentence, until it is placed."""
        self._revision: Cue | None = None
        """The caption of the spoken part of a cut sentence, until it is in a batch."""
        self._placed: deque[tuple[int, Placed]] = deque()
        """Utterances that are not completely on disk, each with its first frame."""
        self._has_tail = self._is_cut = False
        self._is_open = False
        """The last utterance is a recording that may get more frames."""
        self._given: GivenUtterance | None = None
        """The recording of this clip, once it is placed."""
        self._text_error: Exception | None = None
        """The error that ended a growing text, once everything before it is placed."""

    @property
    def is_placed(self) -> bool:
        """True if its last frame is known: nothing more will be said. Any thread."""
        return self._has_tail

    @property
    def is_exhausted(self) -> bool:
        """True if every frame of the clip is in a batch."""
        return self._has_tail and self.cursor == self.end

    @property
    def awaits_speech(self) -> bool:
        """True if the sound of the next batch has not arrived, or will not arrive."""
        if self.cursor < self.end or self._is_open:
            return self._ready_frames <= 0
        return not (self._has_tail or self._is_cut or self._feed.is_ready)

    @property
    def is_growing(self) -> bool:
        """True if its last utterance is a recording that may get more frames."""
        return self._is_open and self.broken_by is None

    @property
    def holds_frames(self) -> bool:
        """True if a recording has frames that wait only for others, to be drawn together."""
        if not self._is_open or self._given is None:
            return False
        return self._placed[-1][0] + self._given.sentence.known_frames > self.cursor

    @property
    def awaits_text(self) -> bool:
        """True if every frame so far is in a batch, and a growing text may go on."""
        is_used_up = self.cursor == self.end and not (self._has_tail or self._is_cut)
        return is_used_up and self._feed.awaits_text

    @property
    def first_sound_s(self) -> float:
        """Time that the voice took for the beginning of the latest sentence."""
        return self._feed.first_sound_s

    @property
    def broken_by(self) -> Exception | None:
        """The error of a voice that stopped within a sentence, once its sound is in batches."""
        is_broken = (self.cursor < self.end or self._is_open) and self._ready_frames <= 0
        return self._feed.error if is_broken else None

    @property
    def ended_by(self) -> Exception | None:
        """The error that ended a recording or a growing text early.

        Everything before it was spoken.
        """
        if self._is_cut:
            return None
        return self._text_error if self._given is None else self._given.sentence.broken_by

    def next_batch(self, size: int, written: int) -> Batch:
        """The next batch, of at most `size` frames; `written`: frames of the clip on disk.

        Raises SessionFull if the film has no capacity for the first sentence, and the errors of
        voice and engine.
        """
        while not self._has_frames(written):
            self._await_piece()
        first, utterance = self._placed[-1]
        start = self.cursor - first
        stop = min(start + size, utterance.ready)
        self.cursor = first + stop
        if start or stop == utterance.frames:  # the first batch of a sentence is the most urgent
            self._feed.request()
        self._follow(first, stop)
        return Batch(
            first_frame=self.first_frame + first + start,
            utterance=utterance.slice(start, stop),
            cues=() if start else self._cues(first, utterance),
            is_last=self.is_exhausted,
            shown=self._path.shown(first + start, first + stop),
        )

    @property
    def can_join(self) -> bool:
        """True if an action may join: the tail is not placed."""
        return not (self._has_tail or self._is_cut) and self.truncated_by is None

    def join(self, planned: PlannedAction) -> None:
        """Show an action over what is said, or after it.

        Raises SessionFull if the film has no capacity for it, and UnknownAction.
        """
        action = self._found(planned)
        end = max(self.cursor, self.end, self._path.actions_end) + action.frames
        needed = self.first_frame + end + self._longest_tail - self._film.committed.frames
        self._capacity().require(needed, self._job.session_id)
        if planned.when == "now":
            self._path.play(action, self.cursor)
        else:
            self._waiting.append(action)

    def cut(self, frames: int) -> None:
        """Replace everything after the first `frames` with a closing of the mouth and the tail."""
        self._feed.close()
        self._closing = self._closing_at(frames)
        self.said_end = self._said_end(frames)
        self._revision = self._cut_cue(frames)
        self._path.cut(frames)
        self._waiting.clear()
        self._placed.clear()
        self.end = self.cursor = frames
        self._has_tail, self._is_cut, self._is_open = False, True, False

    def poll_speech(self) -> None:
        """Continue after a piece of speech has arrived; give up a voice that takes too long."""
        self._feed.poll()
        self._grow()

    def close_text(self) -> None:
        """End a growing text that awaits its next part, unless that has just arrived."""
        self._feed.close_text()

    def cancel_speech(self) -> None:
        """Stop the synthesis; nothing more is taken."""
        self._feed.close()

    @property
    def _ready_frames(self) -> int:
        """Frames from the cursor on whose sound has arrived, in the utterance at the cursor."""
        first, utterance = self._placed[-1]
        return first + utterance.ready - self.cursor

    def _has_frames(self, written: int) -> bool:
        """Place the next utterance if the last one is used up; True if there are frames."""
        self._grow()
        if self.cursor == self.end and not self._is_open:
            self._place_next(written)
        return self._ready_frames > 0

    def _grow(self) -> None:
        """Follow a recording that is still arriving, up to the capacity of the film."""
        if not self._is_open or self._given is None:
            return
        first, _ = self._placed[-1]
        self._is_open = self._given.is_open  # before the length, which is final from then on
        self.end = first + self._given.frames
        capacity = self._capacity()
        free = self._film.committed.frames + capacity.frames - self.first_frame
        most = max(self.cursor, free - self._longest_tail)
        if self.end > most:
            self._given.sentence.stop_at(most - first)
            self.truncated_by = capacity.setting
            self._feed.close()
            self._is_open, self.end = False, first + self._given.frames

    def _follow(self, first: int, stop: int) -> None:
        """Choose the avatar's pictures for a recording up to its frame `stop`."""
        if self._given is None or self._placed[-1][1] is not self._given:
            return
        spec, begin = self._film.spec, len(self._path) - first
        frames = min(self._given.frames - begin, LONGEST_PLAN_S * spec.fps)
        step = spec.samples_per_frame
        sound = self._given.sentence.audio.samples(begin * step, (begin + frames) * step)
        known = Speech(self._job.text, sound, SAMPLE_RATE_HZ, None)
        self._path.follow(first + stop, known, frames)

    def _await_piece(self) -> None:
        """Wait for more of the current sentence; raises the error of the voice."""
        if self._feed.error is not None:
            raise self._feed.error
        self._feed.wait()

    def _place_next(self, written: int) -> None:
        """Place the next utterance, or the tail after the last one."""
        utterance = self._next_utterance()
        while self._waiting:
            self._path.play(self._waiting.popleft(), self.end)
        if utterance is None:
            returning = max(len(self._path.way_back()), self._actions_left(self.end))
            tail = self._tail(self.end, returning)
            utterance = silent_utterance(tail.frames, self._film.spec)
            self._has_tail, self.glide = True, tail.glide
        while self._placed and end_of(*self._placed[0]) <= written:
            self._placed.popleft()
        self._show(utterance)
        self._placed.append((self.end, utterance))
        self.end += utterance.frames

    def _show(self, utterance: Placed) -> None:
        """Choose the avatar's pictures for an utterance; `_follow` does for a recording."""
        if isinstance(utterance, SentenceUtterance):
            self._path.speak(utterance.sentence.speech, utterance.frames)
        elif isinstance(utterance, Utterance):
            self._path.rest(utterance.frames)

    def _next_utterance(self) -> Placed | None:
        """The next sentence, or after a cut the closing; None after the last one."""
        if self._is_cut:
            closing, self._closing = self._closing, None
            return closing
        if self.truncated_by is not None:
            return None
        sentence = self._taken()
        if sentence is None:
            self._note_end()
            return None
        if isinstance(sentence, GivenSentence):
            return self._begun(sentence)
        self._announce(sentence)
        utterance = SentenceUtterance(sentence, self._context.engine)
        return utterance if self._fits(utterance) else None

    def _taken(self) -> GivenSentence | SpokenSentence | None:
        """The next sentence; None after the last one.

        An error of the voice ends a growing text after the sentences before it, which may have
        been heard. The first sentence of any text raises it.
        """
        growing = self._job.growing
        try:
            sentence = self._feed.take()
        except Exception as error:
            if growing is None or not self.end:
                raise
            self._text_error = error
            return None
        if sentence is None and growing is not None:
            self._text_error = growing.error
        return sentence

    def _announce(self, sentence: SpokenSentence) -> None:
        """Announce a sentence that begins with the next frame of the clip."""
        self._job.add_speech(
            self._sentences,
            sentence.speech,
            first_frame=self.first_frame + self.end,
            fps=self._film.spec.fps,
            text_start=sentence.text_start,
        )
        self._sentences += 1

    def _begun(self, sentence: GivenSentence) -> GivenUtterance:
        """The recording, of which the first sound has arrived; raises SessionFull."""
        announced_s = max(LEAST_S, sentence.announced_s or 0.0)
        needed = math.ceil(announced_s * self._film.spec.fps) + self._longest_tail
        committed = self._film.committed.frames
        self._capacity().require(self.first_frame + needed - committed, self._job.session_id)
        self._job.add_recording(sentence.announced_s)
        self._given, self._is_open = GivenUtterance(sentence, self._context.engine), True
        return self._given

    def _note_end(self) -> None:
        """Pass on the remarks on a recording."""
        if self._given is not None:
            self._job.remarks += self._given.sentence.remarks

    @property
    def _longest_tail(self) -> int:
        """Upper limit of the frames of the tail."""
        spec = self._film.spec
        returning = max(self._path.longest_return, self._actions_left(self.cursor))
        longest = self._tail(0, returning).frames
        return longest + self._film.alignment_frames + spec.fps

    def _capacity(self) -> Capacity:
        """The remaining capacity of the film."""
        context = self._context
        capacity_of = context.private_capacity if self._job.is_background else context.capacity
        return capacity_of(self._film.committed, self._film.spec)

    def _fits(self, sentence: SentenceUtterance) -> bool:
        """Return True if the film has capacity for all of a sentence, else end the clip before it.

        Raises SessionFull for the first sentence of the clip.
        """
        end = self.end + sentence.frames
        longest = max(self._path.longest_return, self._actions_left(end))
        committed = self._film.committed
        needed = self.first_frame + end + self._tail(end, longest).frames - committed.frames
        capacity = self._capacity()
        if capacity.fits(needed):
            return True
        if not self.end:
            capacity.require(needed, self._job.session_id)
        self.truncated_by = capacity.setting
        self._feed.close()
        return False

    def _tail(self, frames: int, returning: int) -> Tail:
        """The tail after `frames` of speech, which aligns the end of the clip.

        The path returns to the idle loop during the tail; `returning`: frames that this takes.
        """
        return tail_of(
            PLAIN_ENDING if self._is_cut else self._job.ending,
            spoken=frames,
            returning=returning,
            fps=self._film.spec.fps,
            period=self._path.avatar.period,
            alignment=self._film.alignment_frames,
        )

    def _found(self, planned: PlannedAction) -> Action:
        """The action of the avatar; raises UnknownAction."""
        avatar = self._path.avatar
        return find_action(avatar.id, avatar.actions, planned.name)

    def _actions_left(self, end: int) -> int:
        """Frames after `end` until no action is seen; the last one shows the loop alone."""
        seen = max((self._path.actions_end or end - 1) + 1 - end, 0)
        return seen + sum(action.frames + 1 for action in self._waiting)

    def _cues(self, first: int, utterance: Placed) -> list[Cue]:
        """The caption of a whole sentence, or the new one of a sentence that was cut.

        The caption of a recording has no end yet; the tail after a whole recording has a caption
        without text.
        """
        first_frame, frames, text = self.first_frame + first, utterance.frames, ""
        if self._revision is not None:
            revision, self._revision = self._revision, None
            return [revision]
        if isinstance(utterance, Utterance):
            is_said = self._given is not None and not self._is_cut and self.ended_by is None
            if not is_said or self.truncated_by is not None:
                return []
        elif isinstance(utterance, GivenUtterance):
            text, frames = self._job.text, UNKNOWN_FRAMES
        else:
            text = utterance.sentence.speech.text
        return [Cue(text=text, first_frame=first_frame, frames=frames)]

    def _said_end(self, frames: int) -> int:
        """The frame at which the sound stops after a cut at `frames`.

        A sentence that is nearly over is spoken to its end.
        """
        ends = (end_of(first, placed) for first, placed in self._placed if first < frames)
        end = next((end for end in ends if end > frames), frames)
        closing = self._closing
        is_rest = closing is not None and frames + closing.frames == end
        return end if is_rest else frames

    def _cut_cue(self, frames: int) -> Cue | None:
        """The caption of the spoken part of the sentence that is cut at `frames`, if there is one.

        Its planned length stays that of the whole sentence, which marks it as incomplete.
        """
        for first, placed in self._placed:
            is_cut = first < frames < end_of(first, placed) and self.said_end == frames
            if is_cut and isinstance(placed, SentenceUtterance):
                said_s = (frames - first) / self._film.spec.fps
                text = said_text(placed.sentence, self._job.full_text, said_s)
                first_frame = self.first_frame + first
                return Cue(text=text, first_frame=first_frame, frames=placed.frames)
        return None

    def _pieces(self, early: EarlySpeech | None) -> SpeechPieces:
        """The sound of the job: its recording, or the sentences of its text."""
        job, spec, engine = self._job, self._film.spec, self._context.engine
        if job.is_silent:
            return NoSpeech()
        if job.given is not None:
            return SoundReader(
                job.given,
                job,
                spec,
                lookahead_s=sound_lookahead_s(engine),
                fewest_frames=lambda: self.fewest_frames,
            )
        sound_needed = partial(lookahead_s, engine)
        voices = self._context.voices
        return Synthesis(
            voices, job, spec, lookahead_s=sound_needed, ahead_s=self._ahead_s, early=early
        )

    def _ahead_s(self) -> float:
        """Time until playback reaches the end of what is placed. Any thread."""
        if self._playback is None:
            return 0.0
        due_s = self._playback.due_s(self.first_frame + self.end)
        return max(0.0, due_s - self._context.clock())

    def _closing_at(self, frames: int) -> Utterance | None:
        """The closing of the sentence that is cut at `frames`, if there is one.

        It always fits: it is shorter than the rest of its sentence.
        """
        for first, utterance in self._placed:
            is_said = frames >= end_of(first, utterance)
            if (
                isinstance(utterance, GivenUtterance)
                and first < frames
                and (utterance.is_open or not is_said)
            ):
                return closing_of_recording(self._context.engine, utterance, frames - first)
            if isinstance(utterance, SentenceUtterance) and first < frames and not is_said:
                return closing_utterance(self._context.engine, utterance, frames - first)
        return None


def said_text(sentence: SpokenSentence, text: str, said_s: float) -> str:
    """The beginning of a sentence of `text`, up to the last word spoken in its first `said_s`.

    The whole sentence if its words are not known.
    """
    speech = sentence.speech
    if not speech.words or speech.place is None:
        return speech.text
    ends = [
        word.end
        for word in speech.words
        if word.start_s is not None
        and word.end_s is not None
        and (word.start_s + word.end_s) / 2 < said_s
    ]
    start = sentence.text_start
    return " ".join(text[start + speech.place[0] : start + max(ends, default=0)].split())


def end_of(first: int, utterance: Placed) -> int:
    """The frame after the last one of an utterance that starts at `first`."""
    return first + utterance.frames
