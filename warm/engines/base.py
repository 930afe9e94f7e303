"""The interface of every lip engine: speech and frame indices in, mouth patches out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar, AvatarBuild


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A mouth picture and where it goes.

    `to_frame` maps patch pixel centres (x, y) to frame pixel centres. An engine that draws on the
    frame's own grid gives a whole-pixel translation, and no resampling takes place.
    """

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""
    mask: NDArray[np.uint8]
    """(h, w), 255 where only the patch shows."""
    to_frame: NDArray[np.float64]
    """(2, 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchJob:
    """One frame to make: which picture of which avatar, and what the mouth does."""

    avatar: Avatar
    frame: int
    """Index into the avatar's frames."""
    condition: NDArray[np.float32]
    """One row of what `Engine.conditions` gave."""


class Rendering(Protocol):
    """Patches in the making: the engine computes while the render thread does something else."""

    def patches(self) -> list[Patch]:
        """One patch a job, in order; waits for them, and raises what went wrong in making them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The rendering of an engine that is done when `start` returns."""

    made: list[Patch]

    def patches(self) -> list[Patch]:
        """What was made."""
        return self.made


class EngineLost(RuntimeError):
    """The engine's device failed: nothing can be made before the engine was loaded anew."""

    def __init__(self, message: str, *, needs_new_process: bool = False) -> None:
        """`needs_new_process`: this process can never use the device again, whatever it loads."""
        super().__init__(message)
        self.needs_new_process = needs_new_process


class EngineFull(RuntimeError):
    """The device's memory does not do for a single frame now; what is warm stays usable."""


class Engine(Protocol):
    """A lip engine. One thread owns it; but for `load`, nothing here may be called from two."""

    name: str

    @property
    def gains(self) -> bool:
        """Whether frames that are asked for together take less time than one by one."""
        ...

    @property
    def largest_batch(self) -> int | None:
        """Most jobs that one `start` takes; None where any number will do."""
        ...

    def filled(self, frames: int) -> int:
        """As many frames in one `start` as take no longer than `frames` do; that many or more."""
        ...

    def load(self) -> None:
        """Load models and warm up; after it, the first patch costs what every patch costs.

        May be called again after `unload`, and on another thread; what was adopted need not be
        adopted again. Until it returns, nothing else is called but `adopt`, `forget` and `facts`.
        """
        ...

    def unload(self) -> None:
        """Give back the memory of what `load` loaded; `load` brings it back."""
        ...

    def give_back(self) -> None:
        """Return memory that is only kept for the next pass."""
        ...

    def prepare(self, build: AvatarBuild) -> None:
        """Add to an avatar being built what this engine wants cached (`build.write_array`)."""
        ...

    def adopt(self, avatar: Avatar) -> None:
        """Keep an avatar warm: everything that does not depend on speech is made here."""
        ...

    def forget(self, avatar: Avatar) -> None:
        """Drop what `adopt` kept; nothing happens where it kept nothing."""
        ...

    def conditions(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """What each of `frames` video frames needs of the speech: (frames, …) float32."""
        ...

    def start(self, jobs: Sequence[PatchJob]) -> Rendering:
        """Begin one patch a job; jobs of one call may mix avatars and sessions.

        The next may be started before the patches of the last were taken. This and `patches` raise
        EngineLost and EngineFull.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """What `/health` tells: device, memory used and total in GB; None where there is none."""
        ...
