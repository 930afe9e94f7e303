"""An avatar: a face prepared once, opened by memory map, never changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CANONICAL_SIZE = 256
"""Side of the upright crop in pixels; the inter-ocular distance in it is CANONICAL_IOD."""
CANONICAL_IOD = 80.0
"""Distance of the eye centres in the canonical crop, pixels."""
CANONICAL_EYES = (128.0, 80.0)
"""Where the point between the eye centres lies in the canonical crop (x, y)."""

Loop = Literal["forward", "pingpong"]


@dataclass(frozen=True, slots=True, eq=False)
class Avatar:
    """A prepared face. All arrays are read-only memory maps; any thread may read them."""

    id: str
    digest: str
    """Of the source's content and the preparation's settings."""
    fps: int
    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR: what is shown, mouth closed in every one."""
    transforms: NDArray[np.float64]
    """(n, 2, 3) face transform: canonical crop to frame, pixel centres."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) of the *shown* (closed) frames: x, y in frame pixels, z in the same unit."""
    loop: Loop
    """forward: the last frame leads into the first; pingpong: forwards, then backwards."""
    extras: dict[str, NDArray[np.generic]]
    """What the engine cached, by name."""
    folder: Path

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames."""
        return self.frames.shape[2], self.frames.shape[1]

    @property
    def period(self) -> int:
        """After how many shown frames the loop is where it began."""
        return len(self.frames) * (2 if self.loop == "pingpong" else 1)

    def index_at(self, cursor: int) -> int:
        """The frame shown at a session's frame cursor (frames since the session's start)."""
        step, n = cursor % self.period, len(self.frames)
        return step if step < n else 2 * n - 1 - step

    @property
    def path(self) -> NDArray[np.float64]:
        """(period, 2, 3): the face transforms of one turn of the loop, in the order shown."""
        return self.transforms[[self.index_at(step) for step in range(self.period)]]


@dataclass(slots=True, eq=False)
class AvatarBuild:
    """An avatar under construction in a temporary folder."""

    folder: Path
    fps: int
    frames: NDArray[np.uint8]
    """As in Avatar; already closed."""
    transforms: NDArray[np.float64]
    landmarks: NDArray[np.float32]
    loop: Loop
    extras: dict[str, NDArray[np.generic]]

    def write_array(self, name: str, array: NDArray[np.generic]) -> None:
        """Keep `array` with the avatar; it comes back as `Avatar.extras[name]`."""
        np.save(self.folder / f"{name}.npy", array)
        self.extras[name] = array
