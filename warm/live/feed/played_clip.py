"""Clip that a feed plays: its frames that have arrived, and the place that it has reached."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Shown


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FilmFrame:
    """One frame of a film."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR, read-only."""
    samples: NDArray[np.float32]
    shown: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A sentence and the frame with which it begins."""

    text: str
    first_frame: int
    frames: int | None


@dataclass(slots=True, eq=False, kw_only=True)
class PlayedClip:
    """Frames of one clip, counted in the film."""

    number: int | None
    """None for a part of the film that was rendered before the feed existed."""
    utterance: str
    avatar_key: str
    """Identity of the avatar that its frames show."""
    first_frame: int
    next_frame: int
    """The frame to show next."""
    film_until: int
    """Frames before this one that have not arrived are read from the film."""
    path: str
    end_frame: int | None = None
    """First frame after the clip; None while it is rendered."""
    was_cut: bool = False
    frames: dict[int, FilmFrame] = field(default_factory=dict)
    captions: deque[Caption] = field(default_factory=deque)
    is_started: bool = False
    """A frame of it has been shown, or of the part of the film that it continues."""
    is_announced: bool = False
    skipped: int = 0
    """Samples of a recording before those of the first frame, which were silent."""
    starved: int = 0
    """Pictures for which it has waited for the next frame."""
    waits: int = 0
    """Number of such waits."""

    def position(self, frame: int, samples_per_picture: int) -> int:
        """Return the first sample of the utterance that belongs to a frame."""
        return self.skipped + (frame - self.first_frame) * samples_per_picture

    @property
    def is_over(self) -> bool:
        """True if it has been shown to its end."""
        return self.end_frame is not None and self.next_frame >= self.end_frame

    @property
    def is_next_lost(self) -> bool:
        """True if the next frame will not arrive: later ones have, and the film is not read."""
        first = min(self.frames, default=self.next_frame)
        return first > self.next_frame >= self.film_until

    def add(self, number: int, frame: FilmFrame, most_ahead: int) -> bool:
        """Take a frame; return False if it is late.

        A frame that is more than `most_ahead` before its time is read from the film later.
        """
        if number < self.next_frame:
            return False
        if number - self.next_frame > most_ahead:
            self.film_until = max(self.film_until, number + 1)
        else:
            self.frames[number] = frame
        return True

    def drop_from(self, number: int) -> None:
        """Drop the frames from `number` on, which others will replace."""
        for each in [each for each in self.frames if each >= number]:
            del self.frames[each]

    def skip(self, frames: int) -> int:
        """Go on without showing `frames`; return how many of them had arrived."""
        end = self.next_frame + frames
        if self.end_frame is not None:
            end = min(end, self.end_frame)
        dropped = [each for each in self.frames if each < end]
        for each in dropped:
            del self.frames[each]
        self.next_frame = end
        return len(dropped)

    def missing(self, ahead: int) -> range:
        """Return the next frames that must be read from the film, at most `ahead` of them."""
        stop = min(self.film_until, self.next_frame + ahead)
        first = self.next_frame
        while first in self.frames:
            first += 1
        return range(first, max(first, stop))
