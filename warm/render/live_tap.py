"""Live tap of one clip: passes its rendered frames to the live sink."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from session.film import UNKNOWN_FRAMES, Cue
from session.overlaid_picture import Picture, as_array
from warm.render.jobs import SpeakJob
from warm.render.live_sink import LiveClip, LiveFilm, LiveFrames, LiveSentence, LiveSink
from warm.render.timeline import Batch

LIVE_LEAD_S = 0.5
"""Longest time between rendering and playback in a session with live viewers."""
FREE_S = 0.2
"""From this lead of the rendered frames over playback on, passes are as long as without viewers."""
SHORT_S, SHORT_FRAMES = 0.08, 3
"""From this lead on, a pass has up to this many frames; with less lead, it has one."""
FIRST_FRAMES = 2
"""A recording that is still arriving begins with this many frames, so that the picture and the
sound of a frame that comes a little late do not have to wait."""
MOST_JOINED = 10
"""A viewer that joins gets rendered frames that are not on disk, unless there are more than this:
then it reads them from the film, where they will be before it needs them."""
UNWRITTEN_S, UNWRITTEN_BYTES = 4.0, 128 << 20
"""Rendered frames that may wait for a slow encoder or disk while viewers watch live."""

log = logging.getLogger(__name__)


class LiveTap:
    """Passes the frames of one clip on while its session is live. Owned by the render thread.

    An error of the sink ends that, and nothing else: the film goes on.
    """

    def __init__(
        self,
        sink: LiveSink,
        job: SpeakJob,
        *,
        clip: int,
        film: Callable[[], LiveFilm],
        is_readable: bool,
    ) -> None:
        """`clip`: its number in the film; `film`: the present state of that; `is_readable`: frames
        on disk can be read before the clip ends."""
        self.is_begun = False
        """The sink receives the frames."""
        self.was_cut = False
        """Not everything is said."""
        self._is_over = self._is_dropped = False
        self._sink, self._job, self._clip, self._film = sink, job, clip, film
        self._is_readable = is_readable

    @property
    def is_live(self) -> bool:
        """True if its session has live viewers. Any thread."""
        return not self._job.is_background and self._sink.is_live(self._job.session_id)

    def follow(self, unwritten: Iterable[Batch], first_frame: int, next_frame: int) -> None:
        """Begin with the rendered frames that are not on disk, once there is a live viewer.

        `first_frame`: of the clip; `next_frame`: after the frames on disk. A clip of which nothing
        was rendered does not begin.
        """
        if not self.is_live:
            self.is_begun = False
        elif not (self.is_begun or self._is_over or self._is_dropped):
            waiting = [batch for batch in unwritten if batch.rendered]
            if waiting or next_frame > first_frame:
                with self._guarded():
                    self._join(first_frame, next_frame, waiting)

    def add(self, batch: Batch, frames: Sequence[Picture]) -> None:
        """Pass on the frames that were just added to a batch, if it has begun."""
        if self.is_begun:
            with self._guarded():
                self._send(batch, len(batch.rendered) - len(frames), frames)

    def drop(self) -> None:
        """Stop what is being spoken live; nothing more of the clip is passed on."""
        self._is_dropped = True
        if self.is_live:
            with self._guarded():
                self._sink.drop(self._job.session_id)

    def end(self, end_frame: int) -> None:
        """Note the end of the clip, unless that was done."""
        was_begun, self.is_begun, self._is_over = self.is_begun, False, True
        if was_begun:
            with self._guarded():
                self._sink.end(self._job.session_id, self._clip, end_frame, was_cut=self.was_cut)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.is_begun, self._is_dropped = False, True
            log.exception("live viewers miss a clip", extra={"session_id": self._job.session_id})

    def _join(self, first_frame: int, next_frame: int, waiting: Sequence[Batch]) -> None:
        """Begin with the waiting frames, or after them."""
        start = waiting[0].first_frame if waiting else next_frame
        frames = sum(len(batch.rendered) for batch in waiting)
        if self._is_readable and frames > MOST_JOINED:
            self._begin(first_frame, start + frames)
            last = waiting[-1]
            if last.is_last and len(last.rendered) == last.frames:
                self.end(start + frames)
        else:
            self._begin(first_frame, start)
            for batch in waiting:
                self._send(batch, 0, batch.rendered)

    def _begin(self, first_frame: int, tapped_from: int) -> None:
        self.is_begun = True
        self._sink.begin(
            LiveClip(
                clip=self._clip,
                first_frame=first_frame,
                tapped_from=tapped_from,
                utterance=self._job.utterance,
                skipped=0 if self._job.given is None else self._job.given.skipped,
                film=self._film(),
            )
        )

    def _send(self, batch: Batch, start: int, pictures: Sequence[Picture]) -> None:
        """Pass on the frames of a batch from `start` on, unless they are dropped."""
        stop = start + len(pictures)
        if not self._is_dropped:
            self._send_frames(batch, start, pictures)
        if batch.is_last and stop == batch.frames:
            self.end(batch.first_frame + stop)

    def _send_frames(self, batch: Batch, start: int, pictures: Sequence[Picture]) -> None:
        if start == 0:
            for cue in batch.cues:
                self._sink.sentence(self._sentence(cue))
        utterance, stop = batch.utterance, start + len(pictures)
        step = len(utterance.samples) // utterance.frames
        self._sink.add(
            LiveFrames(
                session_id=self._job.session_id,
                clip=self._clip,
                first_frame=batch.first_frame + start,
                pictures=tuple(map(as_array, pictures)),
                samples=utterance.samples[start * step : stop * step],
                shown=batch.shown[start:stop],
                is_speech=utterance.features is not None,
            )
        )

    def _sentence(self, cue: Cue) -> LiveSentence:
        return LiveSentence(
            session_id=self._job.session_id,
            clip=self._clip,
            text=cue.text,
            first_frame=cue.first_frame,
            frames=None if cue.frames == UNKNOWN_FRAMES else cue.frames,
        )


def live_pass_frames(lead_s: float) -> int | None:
    """Return the longest pass of a clip that is watched live; None: no limit.

    `lead_s`: time until playback reaches the end of its rendered frames.
    """
    if lead_s >= FREE_S:
        return None
    return SHORT_FRAMES if lead_s >= SHORT_S else 1
