"""Shot: one picture of the timeline, before it is drawn, with the sound that belongs to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Shown


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shot:
    """One picture of a feed. Without `picture` it is the avatar's own."""

    cursor: int
    """Place in the idle loop, or the frame of the film."""
    shown: Shown
    """The avatar's picture in it, apart from the mouth."""
    picture: NDArray[np.uint8] | None = None
    """(h, w, 3) BGR of the film."""
    closed: float = 0.0
    """Share of the avatar's own picture, whose mouth is closed, that is mixed in."""
    samples: NDArray[np.float32] | None = None
    """Sound during this picture; None: silence."""
    frame: int | None = None
    """Frame of the film that it shows."""
    utterance: str | None = None
    position: int | None = None
    """First sample of the utterance, at 48 kHz."""
    epoch: int = 0
    is_repeated: bool = False
    """The picture before it is shown again, because the next one has not arrived."""
