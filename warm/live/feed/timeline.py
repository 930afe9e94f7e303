"""Timeline of a feed: which picture is shown at each tick, and which sound belongs to it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Shown
from warm.live.feed.played_clip import Caption, FilmFrame, PlayedClip
from warm.live.feed.shot import Shot
from warm.live.feed.subscriber import SAMPLE_RATE_HZ, EventKind

HOLD_S = 0.4
"""A clip whose next frame is not there repeats its last picture for this long; then the mouth
closes, and the idle loop goes on until the frame arrives."""
MOST_REFILLED = 6
"""Most frames that a clip collects before it goes on, when it has had to wait several times."""
CLOSING = 3
"""Pictures in which the mouth closes."""
FADE_S = 0.04
"""Time in which interrupted sound fades."""
MOST_AHEAD_S = 1.5
"""Frames that are further ahead of their time are not kept, but read from the film later."""
READ_AHEAD_S = 0.5
MAX_CLIPS = 16
"""Clips that wait for one another; a session renders one after the other."""

Note = Callable[[EventKind, dict[str, Any]], None]


@dataclass(slots=True)
class TimelineCounts:
    """Numbers of pictures, for `/stats`."""

    late: int = 0
    """Frames that arrived after their time, or whose time passed in a stall."""
    lost: int = 0
    """Frames that never arrived."""
    starved: int = 0
    """Pictures for which a clip waited for its next frame."""
    stalls: int = 0
    clears: int = 0
    from_film: int = 0
    """Frames that were read from the film."""


class Timeline:
    """Places film and idle loop on the ticks of a feed. Not thread-safe.

    A clip starts with the first tick after its first frame has arrived. If a frame is not there in
    time, picture and sound of the clip both move to the next tick; nothing of the speech is lost,
    and they stay together. After a stall both go on where the clock is.
    """

    def __init__(
        self,
        loop: Callable[[int], Shown],
        fps: int,
        *,
        cursor: int,
        note: Note,
        avatar_key: str = "",
    ) -> None:
        """`loop`: the avatar's idle loop; `cursor`: its place; `note` receives events."""
        self.epoch = 0
        self._avatar_key = avatar_key
        self.counts = TimelineCounts()
        self.cleared: int | None = None
        """Position in the film of the last interruption, until a clip begins."""
        self.loop = loop
        self._fps, self._note = fps, note
        self._cursor = cursor
        self._clips: deque[PlayedClip] = deque()
        self._closing: deque[Shot] = deque()
        """Pictures in which the mouth closes."""
        self._last: Shot | None = None
        """The picture of the film that was shown last."""

    @property
    def samples_per_picture(self) -> int:
        """Samples of sound for each picture."""
        return SAMPLE_RATE_HZ // self._fps

    @property
    def queued(self) -> int:
        """Frames that have arrived and were not shown."""
        return sum(len(clip.frames) for clip in self._clips)

    @property
    def speaking(self) -> PlayedClip | None:
        """The clip that is being shown."""
        return self._clips[0] if self._clips and self._clips[0].is_started else None

    def begin(self, clip: PlayedClip) -> None:
        """Queue a clip."""
        self.cleared = None
        if self._clips:
            self._end_where_it_begins(clip)
        if len(self._clips) < MAX_CLIPS:
            self._clips.append(clip)

    def add(self, number: int, first_frame: int, frames: list[FilmFrame]) -> None:
        """Take rendered frames of a clip; they replace frames that arrived under their numbers."""
        clip = self._find(number)
        if clip is None:
            self.counts.late += len(frames)
            return
        clip.drop_from(first_frame)
        most = self._pictures(MOST_AHEAD_S)
        taken = [clip.add(first_frame + index, frame, most) for index, frame in enumerate(frames)]
        self.counts.late += taken.count(False)

    def add_read(self, clip: PlayedClip, number: int, frame: FilmFrame) -> None:
        """Take a frame that was read from the film."""
        if clip in self._clips and number >= clip.next_frame and number not in clip.frames:
            clip.frames[number] = frame
            self.counts.from_film += 1

    def caption(self, number: int, caption: Caption) -> None:
        """Take a sentence; one with the same first frame replaces it."""
        clip = self._find(number)
        if clip is not None:
            kept = [each for each in clip.captions if each.first_frame != caption.first_frame]
            clip.captions = deque([*kept, caption])

    def end(self, number: int, end_frame: int, *, was_cut: bool) -> None:
        """Note the end of a clip."""
        clip = self._find(number)
        if clip is not None:
            clip.end_frame, clip.was_cut = end_frame, was_cut
            clip.drop_from(end_frame)

    def missing(self) -> tuple[PlayedClip, range] | None:
        """Return the frames that must be read from the film now."""
        for clip in list(self._clips)[:1]:
            missing = clip.missing(self._pictures(READ_AHEAD_S))
            if missing:
                return clip, missing
        return None

    def give_up_film(self, clip: PlayedClip) -> None:
        """Go on without frames that the film does not have."""
        following = min(clip.frames, default=clip.film_until)
        self.counts.lost += max(0, following - clip.next_frame)
        clip.next_frame = clip.film_until = max(clip.next_frame, following)

    def next_shot(self) -> Shot:
        """Return the picture of the next tick."""
        if self._closing:
            shot = self._closing.popleft()
            self._cursor = shot.cursor + 1
            return shot
        while self._clips:
            clip = self._clips[0]
            is_other = clip.avatar_key != self._avatar_key
            if is_other and clip is self._clips[-1]:
                break  # its avatar will be shown in a moment
            if is_other or clip.is_over or self._is_broken_off(clip):
                self._finish(clip)
            elif clip.next_frame in clip.frames and not self._refills(clip):
                return self._film_shot(clip, clip.frames.pop(clip.next_frame))
            elif clip.is_started and clip.is_next_lost:
                return self._lost_shot(clip)
            elif clip.is_next_lost:
                clip.next_frame = min(clip.frames)
            elif clip.is_started:
                return self._starved_shot(clip)
            else:
                break
        return self._idle_shot()

    def skip(self, pictures: int) -> None:
        """Go on after a stall of some pictures; what was due meanwhile is dropped."""
        self.counts.stalls += 1
        self._closing.clear()
        clip = self.speaking
        if clip is None or clip.starved:
            return
        before = clip.next_frame
        self.counts.late += clip.skip(pictures)
        if clip.next_frame not in clip.frames:
            clip.starved = self._pictures(HOLD_S)  # the last picture is too old to be held
        self._note("skipped", {"utterance": clip.utterance, "frames": clip.next_frame - before})

    def clear(self, epoch: int) -> int | None:
        """Drop everything that was queued and close the mouth; return the position in the film.

        None if nothing was being spoken. Another call returns the same until a clip begins.
        """
        clip = self.speaking
        self.epoch = epoch
        self.counts.clears += 1
        if clip is None:
            self._clips.clear()
            return self.cleared
        position = self.cleared = clip.next_frame
        if not clip.starved or clip.starved <= self._pictures(HOLD_S):
            self._close_mouth(clip)
        self._clips.clear()
        data = {**self._place(clip, position), "reason": "clear"}
        self._note("interrupted", data)
        return position

    def faded(self, remaining: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the sound that follows an interruption: what comes next, fading.

        `remaining`: samples of the picture that is shown. To be called before `clear`.
        """
        clip, count = self.speaking, int(FADE_S * SAMPLE_RATE_HZ)
        parts, length = [remaining], len(remaining)
        number = clip.next_frame if clip is not None else 0
        while clip is not None and length < count and number in clip.frames:
            parts.append(clip.frames[number].samples)
            length += len(parts[-1])
            number += 1
        sound = np.concatenate(parts)[:count]
        return sound * np.linspace(1, 0, count, dtype=np.float32)[: len(sound)]

    def continue_from(self, before: "Timeline") -> None:
        """Take over from the timeline of another avatar: its counts, and clips of this avatar."""
        self.epoch, self.counts = before.epoch, before.counts
        self._clips = deque(clip for clip in before._clips if clip.avatar_key == self._avatar_key)

    def _end_where_it_begins(self, clip: PlayedClip) -> None:
        """End a part of the film that was rendered before, where a clip begins."""
        earlier = self._clips[-1]
        if earlier.number is not None:
            return
        if earlier.next_frame >= clip.first_frame:
            if earlier.is_started or earlier.next_frame > clip.next_frame:
                clip.next_frame = earlier.next_frame
            clip.is_started = earlier.is_started
            clip.frames.update(earlier.frames)
            self._clips.pop()
        else:
            earlier.end_frame = clip.first_frame
            clip.next_frame = clip.first_frame
            taken = [each for each in earlier.frames if each >= clip.first_frame]
            clip.frames.update({each: earlier.frames.pop(each) for each in taken})

    def _find(self, number: int) -> PlayedClip | None:
        return next((clip for clip in self._clips if clip.number == number), None)

    def _pictures(self, seconds: float) -> int:
        return max(1, round(seconds * self._fps))

    def _idle_shot(self) -> Shot:
        shot = Shot(cursor=self._cursor, shown=self.loop(self._cursor), epoch=self.epoch)
        self._cursor += 1
        return shot

    def _film_shot(self, clip: PlayedClip, frame: FilmFrame) -> Shot:
        clip.is_started = True
        if not clip.is_announced:
            clip.is_announced = True
            self._note("started", self._place(clip, clip.next_frame))
        clip.starved = 0
        shot = Shot(
            cursor=clip.next_frame,
            shown=frame.shown,
            picture=frame.picture,
            samples=frame.samples,
            frame=clip.next_frame,
            utterance=clip.utterance,
            position=clip.position(clip.next_frame, self.samples_per_picture),
            epoch=self.epoch,
        )
        self._note_captions(clip)
        clip.next_frame += 1
        self._cursor = clip.next_frame
        self._last = shot
        return shot

    def _lost_shot(self, clip: PlayedClip) -> Shot:
        """Pass over a frame that will not arrive: its time passes with the last picture."""
        self.counts.lost += 1
        clip.next_frame += 1
        return self._repeated()

    def _is_broken_off(self, clip: PlayedClip) -> bool:
        """Return True if the rest of a clip will not arrive: it was dropped on its way."""
        has_all = clip.end_frame is not None or clip is not self._clips[-1]
        return has_all and not clip.frames and clip.next_frame >= clip.film_until

    def _refills(self, clip: PlayedClip) -> bool:
        """Return True if a clip that has waited several times should wait for some more frames.

        One longer pause in the speech disturbs less than many short ones.
        """
        needed = min(clip.waits, MOST_REFILLED)
        ends = clip.end_frame is not None and clip.next_frame + needed >= clip.end_frame
        is_patient = 0 < clip.starved <= self._pictures(HOLD_S)
        return is_patient and not ends and len(clip.frames) < needed

    def _starved_shot(self, clip: PlayedClip) -> Shot:
        self.counts.starved += 1
        clip.starved += 1
        clip.waits += clip.starved == 1
        hold = self._pictures(HOLD_S)
        if clip.starved <= hold:
            return self._repeated()
        if clip.starved == hold + 1:
            self._close_mouth(clip)
            return self.next_shot()
        return self._idle_shot()

    def _repeated(self) -> Shot:
        assert self._last is not None
        return replace(self._last, samples=None, epoch=self.epoch, is_repeated=True)

    def _close_mouth(self, clip: PlayedClip) -> None:
        """Queue pictures in which the mouth closes, over the next frames or the last one."""
        assert self._last is not None
        base = self._last
        for step in range(CLOSING):
            following = clip.frames.get(clip.next_frame + step)
            cursor = base.cursor + (1 if following else 0)
            if following is not None:
                base = replace(
                    base, picture=following.picture, shown=following.shown, cursor=cursor
                )
            self._closing.append(
                replace(
                    base,
                    closed=(step + 1) / CLOSING,
                    samples=None,
                    frame=None,
                    utterance=None,
                    position=None,
                    epoch=self.epoch,
                )
            )

    def _finish(self, clip: PlayedClip) -> None:
        self._clips.popleft()
        if clip.is_announced:
            place = self._place(clip, clip.next_frame)
            self._note("interrupted" if clip.was_cut else "finished", place)

    def _note_captions(self, clip: PlayedClip) -> None:
        while clip.captions and clip.captions[0].first_frame <= clip.next_frame:
            caption = clip.captions.popleft()
            self._note(
                "caption",
                {
                    "utterance": clip.utterance,
                    "text": caption.text,
                    "first_frame": caption.first_frame,
                    "frames": caption.frames,
                },
            )

    def _place(self, clip: PlayedClip, frame: int) -> dict[str, Any]:
        return {
            "utterance": clip.utterance,
            "clip": clip.number,
            "frame": frame,
            "position": clip.position(frame, self.samples_per_picture),
        }
