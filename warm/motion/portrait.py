"""Mover of a portrait: a path along its rail, and lids, for the sentences of one clip."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar, Shown
from warm.motion.blinks import blink_profile, spoken_lids
from warm.motion.nods import return_path, spoken_path
from warm.motion.prosody import prosody_of
from warm.motion.rail import Rail

LOOKBACK_S, LOOKAHEAD_S = 10, 3
"""Blinks longer ago than the first do not count; the idle loop is reached within the second."""
LONGEST_RETURN_S = 1.5
"""Longest way back to the idle loop, from a nod into a blink of the loop."""


@dataclass(frozen=True, slots=True, eq=False)
class PortraitMover:
    """Pictures of a portrait that follow the speech of one clip."""

    avatar: Avatar
    first_frame: int
    """First frame of the clip, counted in the film."""
    rail: Rail

    @property
    def longest_return(self) -> int:
        """Upper limit of the frames without speech needed to return to the idle loop."""
        return round(LONGEST_RETURN_S * self.avatar.fps)

    def speak(self, before: Sequence[Shown], speech: Speech, frames: int) -> list[Shown]:
        """Return the pictures of a sentence; `before`: all pictures of the clip before it."""
        start, fps = len(before), self.avatar.fps
        idle = self._idle(start - 1, frames + 2)
        rng = self._generator(speech.text, start)
        prosody = prosody_of(speech)
        indices = spoken_path(self.rail, idle[:, 0], before[-2:], prosody, fps, rng)
        open_since = self._open_since(before)
        lids = spoken_lids(
            idle[1:, 1], prosody, fps, rng, open_since=open_since, is_first=not start
        )
        return list(map(Shown, indices.tolist(), lids.tolist()))

    def way_back(self, before: Sequence[Shown]) -> list[Shown]:
        """Return the pictures that lead back to the idle loop; none if the path is on it."""
        if not before:
            return []
        idle = self._idle(len(before) - 1, LOOKAHEAD_S * self.avatar.fps)
        return return_path(self.rail, before[-2:], idle, len(blink_profile(self.avatar.fps)))

    def _idle(self, start: int, frames: int) -> NDArray[np.int64]:
        """Return (frames, 2) pictures of the idle loop from a frame of the clip on."""
        first = self.first_frame + start
        rows = [self.avatar.shown_at(first + n)[:2] for n in range(frames)]
        return np.array(rows, np.int64).reshape(-1, 2)

    def _open_since(self, before: Sequence[Shown]) -> int:
        """Frames since the last blink; at most those of LOOKBACK_S."""
        reach = LOOKBACK_S * self.avatar.fps
        spoken = [shown.lid for shown in before[-reach:]]
        idle = self._idle(-reach, reach)[len(spoken) :, 1].tolist()
        closed = np.flatnonzero([*idle, *spoken])
        return reach - 1 - int(closed[-1]) if len(closed) else reach

    def _generator(self, text: str, start: int) -> np.random.Generator:
        """Return the random numbers of one sentence: the same live and offline."""
        return np.random.default_rng([zlib.crc32(text.encode()), self.first_frame + start])
