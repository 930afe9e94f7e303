"""The interface of every lip engine: speech and frame indices in, mouth patches out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar, AvatarBuild


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A picture of the mouth and its place in the frame.

    `to_frame` maps patch pixel centres (x, y) to frame pixel centres. An engine that draws on the
    frame's own grid returns a whole-pixel translation, which needs no resampling.
    """

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""
    mask: NDArray[np.uint8]
    """(h, w), 255 where the patch is opaque."""
    to_frame: NDArray[np.float64]
    """(2, 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class PatchRequest:
    """One patch to draw: the avatar, its frame and the features of the speech."""

    avatar: Avatar
    frame: int
    """Index into the avatar's frames."""
    features: NDArray[np.float32]
    """One row of `Engine.encode_speech`."""


class PendingPatches(Protocol):
    """Patches that may still be computing; the render thread does other work meanwhile."""

    def patches(self) -> list[Patch]:
        """Wait for the patches: one per request, in order. Raises the error that stopped them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ReadyPatches:
    """The result of an engine that has finished when `submit` returns."""

    drawn: list[Patch]

    def patches(self) -> list[Patch]:
        """Return the patches at once."""
        return self.drawn


class EngineLost(RuntimeError):
    """The engine's device failed; the engine must be loaded again before it is used."""

    def __init__(self, message: str, *, needs_new_process: bool = False) -> None:
        """`needs_new_process`: no load in this process can make the device usable again."""
        super().__init__(message)
        self.needs_new_process = needs_new_process


class EngineOutOfMemory(RuntimeError):
    """The device has too little free memory for even one frame; loaded avatars stay usable."""


class Engine(Protocol):
    """A lip engine. Owned by one thread: only `load` may run while another thread calls it."""

    name: str

    @property
    def benefits_from_batching(self) -> bool:
        """True if frames take less time together than one by one."""
        ...

    @property
    def largest_batch(self) -> int | None:
        """Maximum number of requests of one `submit`; None if unlimited."""
        ...

    def round_up_batch(self, frames: int) -> int:
        """Return the largest batch size that takes no longer than `frames`; at least `frames`."""
        ...

    def load(self) -> None:
        """Load models and warm up: after it, the first patch is as fast as any other.

        May be called again after `unload`, and on another thread. Loaded avatars stay loaded.
        Until it returns, only `load_avatar`, `unload_avatar` and `device_status` may be called.
        """
        ...

    def unload(self) -> None:
        """Free the memory that `load` took; `load` brings everything back."""
        ...

    def release_cached_memory(self) -> None:
        """Free memory that is kept only to be reused by the next batch."""
        ...

    def prepare(self, build: AvatarBuild) -> None:
        """Add the engine's own data to an avatar under construction (`build.write_array`)."""
        ...

    def load_avatar(self, avatar: Avatar) -> None:
        """Compute and keep everything of an avatar that does not depend on the speech."""
        ...

    def unload_avatar(self, avatar: Avatar) -> None:
        """Drop the data of `load_avatar`; an avatar that is not loaded is not an error."""
        ...

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """Return the features of the speech for each of `frames` frames: (frames, …) float32.

        The speech is complete: it has no `pending` audio.
        """
        ...

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        """Start to draw one patch per request; one batch may mix avatars and sessions.

        May be called before the patches of the last batch were taken. This and `patches` raise
        EngineLost and EngineOutOfMemory.
        """
        ...

    def device_status(self) -> dict[str, Any]:
        """Return the device, its used and total memory in GB and more, for `/health`.

        A value is None if the device has no such figure.
        """
        ...


@runtime_checkable
class StreamingEngine(Protocol):
    """Optional interface of an engine that can draw a sentence whose sound is still arriving.

    Any other engine gets a sentence when all of its sound is there.
    """

    def lookahead_s(self, speech: Speech) -> float:
        """Return the seconds of sound after a frame that its features depend on.

        `math.inf` if they depend on the whole sentence. Any thread may call it.
        """
        ...

    def encode_part(
        self, speech: Speech, *, start: int, stop: int, fps: int
    ) -> NDArray[np.float32]:
        """Return rows `start` to `stop` of what `encode_speech` returns for the whole sentence.

        `speech.samples` may lack the sound that is more than `lookahead_s` after frame `stop`;
        `speech.phonemes` are those of the whole sentence.
        """
        ...


@runtime_checkable
class ExtendableEngine(Protocol):
    """Optional interface of an engine that can draw on the frames of actions.

    On an avatar of any other engine, actions show no speaking mouth.
    """

    def extend(self, build: AvatarBuild, part: AvatarBuild) -> Mapping[str, NDArray[np.generic]]:
        """Return the rows of the engine's arrays for further frames of a finished avatar.

        `build` has the avatar and its arrays, and `part` the frames that follow those of `build`,
        of the same person with a closed mouth. The result has every array with one row per frame,
        by its name in `build.extras`.
        """
        ...


@runtime_checkable
class HeadEncoder(Protocol):
    """Optional interface of an engine that can encode speech without its device.

    If the engine runs in actors (`warm/engines/remote/`), its speech is encoded in the server's
    process; that of any other engine is encoded by an actor.
    """

    def load_encoder(self) -> None:
        """Load only what `encode_speech`, `encode_part` and `listen` need."""
        ...


@runtime_checkable
class PollablePatches(Protocol):
    """Optional interface of pending patches for which the render thread need not block."""

    def wait(self, timeout_s: float) -> bool:
        """Wait for the patches; True if `PendingPatches.patches` would return at once."""
        ...


class HeardSound(Protocol):
    """A recording as far as it has arrived: 48 kHz mono at the loudness of the voices."""

    @property
    def arrived(self) -> int:
        """Number of samples that have arrived."""
        ...

    @property
    def is_complete(self) -> bool:
        """True if nothing more arrives."""
        ...

    def samples(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return samples `start` to `stop`, silent where there are none; old ones may be gone."""
        ...


class Listener(Protocol):
    """Features of one recording that is still arriving. Owned by the render thread."""

    def features(self, sound: HeardSound, start: int, stop: int) -> NDArray[np.float32]:
        """Return the rows of frames `start` to `stop`, in order, each frame once.

        The sound has arrived up to `sound_lookahead_s` after the frames, or is complete.
        """
        ...


@runtime_checkable
class ListeningEngine(Protocol):
    """Optional interface of an engine that follows a recording with a state of its own.

    Any other engine gets excerpts of the recording (`warm/engines/excerpts.py`).
    """

    sound_lookahead_s: float
    """Sound after a frame without which it is not drawn."""

    def listen(self, fps: int) -> Listener:
        """Return a listener for a recording that begins."""
        ...
