"""Selection of the clips that a render pass works on, and of the number of its frames.

Clips of sessions, which somebody may be watching, go first. Background clips get the passes that no
clip of a session needs.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

PASS_S, SHORT_PASS_S = 0.05, 0.02
"""Longest pass of an engine that benefits from large batches, and of any other engine. A request
that arrives during a pass waits about this long."""
BACKGROUND_PASS_S = 0.01
"""Longest pass of background clips, unless one frame takes longer."""
SOON_S = 0.3
"""A clip whose next frames are due within this time shares passes only with others like it."""
BATCHES_AHEAD = 2
"""Batches that may be between engine and disk while one more is started: per clip, and, unless
frames are due soon, for all clips together. More would only take memory and CPU time."""
BACKGROUND_AHEAD = 1
"""The same for all background clips together."""
STALLED_S = 0.5
"""An encoder that works on one batch for longer does not count in the backlog of all clips."""
EASE_S = 0.75
"""A clip whose frames on disk last for this long can share the processors while it is encoded."""
START_S = 1.0
"""Time for which a clip that has no frame on disk keeps the processors to itself."""
STARTING_S, STARTED_LEAD_S = 0.5, 0.3
"""For this long, a clip of a session that is less far ahead of playback has the processors to
itself while the other clips can spare them (`EASE_S`): its voice and its encoder need them, too."""
DECAY = 0.9
"""Factor by which each pass reduces the weight of earlier ones in the measured throughput."""


class Schedulable(Protocol):
    """The properties of a clip that scheduling depends on."""

    @property
    def is_background(self) -> bool:
        """True if the clips of sessions go first."""
        ...

    @property
    def is_playable(self) -> bool:
        """True if some of its frames are on disk."""
        ...

    @property
    def due_s(self) -> float:
        """Time at which its next frames are needed."""
        ...

    @property
    def has_partial_batch(self) -> bool:
        """True if those frames belong to a batch that was started."""
        ...

    def is_ready(self, now_s: float) -> bool:
        """Return True if it takes frames now."""
        ...

    def backlog(self, now_s: float) -> int:
        """Batches between engine and disk; 0 if its encoder is stalled."""
        ...

    def ahead_s(self, now_s: float) -> float:
        """Time until playback reaches the end of its frames on disk."""
        ...

    def age_s(self) -> float:
        """Seconds since it was started."""
        ...


ClipT = TypeVar("ClipT", bound=Schedulable)


def schedule(clips: Sequence[ClipT], now_s: float) -> list[ClipT]:
    """Return the clips for the next pass, the earliest deadline first.

    Clips that are due soon exclude those that are not, and clips of sessions exclude background
    clips.
    """
    live = [clip for clip in clips if not clip.is_background]
    background = [clip for clip in clips if clip.is_background]
    chosen = choose(live, now_s)
    if chosen or not background or any(needs_processors(clip, now_s) for clip in live):
        return chosen
    return choose(background, now_s, BACKGROUND_AHEAD)


def choose(clips: Sequence[ClipT], now_s: float, batches_ahead: int = BATCHES_AHEAD) -> list[ClipT]:
    """Return those of equal clips that are ready, the earliest deadline first.

    With more than `batches_ahead` batches between engine and disk, no further one is started,
    except for a clip that is due soon. While a clip starts, those that are far ahead get nothing.
    """
    ready = sorted((clip for clip in clips if clip.is_ready(now_s)), key=lambda clip: clip.due_s)
    if starting(clips, now_s):
        ready = [clip for clip in ready if not can_spare_time(clip, now_s)]
    soon = [clip for clip in ready if clip.due_s < now_s + SOON_S]
    is_full = sum(clip.backlog(now_s) for clip in clips) > batches_ahead
    return soon or [clip for clip in ready if clip.has_partial_batch or not is_full]


def starting(clips: Sequence[ClipT], now_s: float) -> list[ClipT]:
    """Return the clips of sessions that are in their first fragments."""
    return [
        clip
        for clip in clips
        if not clip.is_background
        and clip.age_s() < STARTING_S
        and clip.ahead_s(now_s) < STARTED_LEAD_S
    ]


def can_spare_time(clip: Schedulable, now_s: float) -> bool:
    """Return True if a clip is far enough ahead of playback to wait for the start of another."""
    return clip.is_playable and clip.ahead_s(now_s) >= EASE_S


def needs_processors(clip: Schedulable, now_s: float) -> bool:
    """Return True if a background pass could make a clip of a session late.

    The clip is about to take frames, has a batch on its way to the disk that is due soon, or was
    started very recently.
    """
    if clip.is_ready(now_s + BACKGROUND_PASS_S):
        return True
    if not clip.is_playable:
        return clip.age_s() < START_S
    return clip.backlog(now_s) > 0 and clip.ahead_s(now_s) < EASE_S


class Throughput:
    """Frames per second of the engine, measured over the last passes."""

    def __init__(self) -> None:
        self._frames = self._spent_s = 0.0

    def record(self, frames: int, spent_s: float) -> None:
        """Add a pass of `frames` that took `spent_s`."""
        self._frames = DECAY * self._frames + frames
        self._spent_s = DECAY * self._spent_s + spent_s

    def frames_in(self, pass_s: float, least: int, most: int) -> int:
        """Frames that fit into `pass_s`, at least `least` and at most `most`."""
        if self._spent_s <= 0:
            return most
        return min(most, max(least, int(pass_s * self._frames / self._spent_s)))
