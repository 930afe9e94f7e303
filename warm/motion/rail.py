"""Rail of a portrait: a closed curve of frames, and gestures that branch off it.

Neighbouring frames differ by a fraction of a pixel, so a path along the rail never jumps. Frame
numbers are those of the avatar: first the curve, then the gestures one after another.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import GESTURES, Avatar

NOD, LIFT = 0, 1
"""Kinds of gestures: the head goes down; head and brows go up."""
GESTURE_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Gesture:
    """A branch of the rail."""

    kind: int
    junction: int
    """Frame of the curve that its first frame follows."""
    first: int
    frames: int
    strength: int
    """Percent."""

    def frame_at(self, depth: int) -> int:
        """Return the frame `depth` frames into the branch; 0 is the junction."""
        return self.junction if depth == 0 else self.first + depth - 1


@dataclass(frozen=True, slots=True, eq=False)
class Rail:
    """The curve and its gestures."""

    length: int
    """Frames of the closed curve."""
    gestures: tuple[Gesture, ...]

    @staticmethod
    def of(avatar: Avatar) -> "Rail | None":
        """Return the rail of an avatar; None if it was not made from a photo."""
        table = avatar.extras.get(GESTURES)
        if table is None:
            return None
        gestures = tuple(Gesture(*map(int, row)) for row in np.asarray(table))
        return Rail(min(gesture.first for gesture in gestures), gestures)

    def locate(self, frame: int) -> tuple[Gesture, int] | None:
        """Return the gesture that a frame belongs to and its depth; None on the curve."""
        for gesture in self.gestures:
            if 0 <= frame - gesture.first < gesture.frames:
                return gesture, frame - gesture.first + 1
        return None

    def unwrapped(self, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a path on the closed curve without the jumps from its end to its start."""
        steps = np.diff(frames.astype(np.float64))
        steps -= self.length * np.rint(steps / self.length)
        return np.concatenate([frames[:1], frames[0] + np.cumsum(steps)]).astype(np.float64)

    def nearest(self, junction: int, place: float) -> float:
        """Return the unwrapped place of a junction that is nearest to an unwrapped place."""
        return junction + self.length * round((place - junction) / self.length)
