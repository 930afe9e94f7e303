"""Path of a clip: the picture of the avatar that is shown in each of its frames."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar, Shown
from warm.motion.blinks import blink_profile, spoken_lids
from warm.motion.nods import return_path, spoken_path
from warm.motion.prosody import prosody_of
from warm.motion.rail import Rail

LOOKBACK_S = 10
"""A blink before this time does not matter any more."""


@dataclass(slots=True, eq=False)
class FramePath:
    """Pictures of one clip, from its first frame on. Owned by one thread.

    The head leaves the avatar's idle loop only while it speaks. Before a clip ends, or after a cut,
    `rest` leads it back, so that the loop continues the clip without a jump.
    """

    avatar: Avatar
    first_frame: int
    """First frame of the clip, counted in the film."""
    is_lively: bool
    """Head and lids follow the speech; else the idle loop is shown."""
    _rail: Rail | None = field(init=False)
    _shown: list[Shown] = field(default_factory=list)
    _is_away: bool = False
    """The last picture may be away from the idle loop."""

    def __post_init__(self) -> None:
        self._rail = Rail.of(self.avatar) if self.is_lively else None

    def __len__(self) -> int:
        """Number of frames that have a picture."""
        return len(self._shown)

    @property
    def longest_return(self) -> int:
        """Most frames without speech that may be needed before the idle loop can follow."""
        return self.avatar.fps if self._rail is not None else 0

    def shown(self, start: int, stop: int) -> Sequence[Shown]:
        """Return the pictures of frames `start` to `stop` of the clip."""
        return self._shown[start:stop]

    def speak(self, speech: Speech, frames: int) -> None:
        """Append the pictures of a sentence."""
        if self._rail is None or not frames:
            self._append_idle(frames)
            return
        start, rate = len(self._shown), self.avatar.fps
        idle = self._idle(start - 1, frames + 2)
        rng = self._generator(speech.text)
        prosody = prosody_of(speech)
        indices = spoken_path(self._rail, idle[:, 0], self._shown[-2:], prosody, rate, rng)
        lids = spoken_lids(
            idle[1:, 1], prosody, rate, rng, open_since=self._open_since(), is_first=not start
        )
        self._shown += map(Shown, indices.tolist(), lids.tolist())
        self._is_away = True

    def rest(self, frames: int) -> None:
        """Append pictures without speech: those that lead back to the idle loop, then the loop."""
        back = self.way_back()[:frames]
        self._shown += back
        self._append_idle(frames - len(back))

    def cut(self, frames: int) -> None:
        """Drop everything after the first `frames`."""
        del self._shown[frames:]
        self._is_away = True

    def way_back(self) -> list[Shown]:
        """Return the pictures that lead back to the idle loop; none if the path is on it."""
        if self._rail is None or not self._shown or not self._is_away:
            return []
        idle = self._idle(len(self._shown) - 1, 3 * self.avatar.fps)
        return return_path(self._rail, self._shown[-2:], idle, len(blink_profile(self.avatar.fps)))

    def _append_idle(self, frames: int) -> None:
        rows = self._idle(len(self._shown), frames)
        self._shown += map(Shown, *rows.T.tolist())
        self._is_away = False if frames > 0 else self._is_away

    def _idle(self, start: int, frames: int) -> NDArray[np.int64]:
        """Return (frames, 2) pictures of the idle loop from a frame of the clip on."""
        first = self.first_frame + start
        rows = [self.avatar.shown_at(first + n) for n in range(frames)]
        return np.array(rows, np.int64).reshape(-1, 2)

    def _open_since(self) -> int:
        """Frames since the last blink; at most those of LOOKBACK_S."""
        reach = LOOKBACK_S * self.avatar.fps
        spoken = [shown.lid for shown in self._shown[-reach:]]
        before = self._idle(-reach, reach)[len(spoken) :, 1].tolist()
        closed = np.flatnonzero([*before, *spoken])
        return reach - 1 - int(closed[-1]) if len(closed) else reach

    def _generator(self, text: str) -> np.random.Generator:
        """Return the random numbers of one sentence: the same live and offline."""
        place = self.first_frame + len(self._shown)
        return np.random.default_rng([zlib.crc32(text.encode()), place])
