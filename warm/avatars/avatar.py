"""An avatar: a prepared face, opened by memory map, never modified."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warm.avatars.action import Action, loop_frames
from warm.avatars.filmed_mouth import FilmedMouth
from warm.avatars.mouth_report import MouthReport
from warm.avatars.shown_mouth import ShownMouth

CANONICAL_SIZE = 256
"""Side of the upright crop of the face, pixels."""
CANONICAL_IOD = 80.0
"""Inter-ocular distance (between the eye centres) in the canonical crop, pixels."""
CANONICAL_EYES = (128.0, 80.0)
"""Midpoint of the eye centres in the canonical crop (x, y)."""

LANDMARKS = 468
"""Landmarks of a face mesh."""

Loop = Literal["forward", "pingpong"]

GESTURES = "gestures"
"""Array of an avatar from a photo: (g, 5) as `warm.motion.rail.Gesture`."""
FOOTAGE = "footage"
"""Array of an avatar from a video: (n, 4) as `warm.prepare.idle.footage_motion`."""
IDLE_PATH, LIDS, LID_TRANSFORMS = "idle_path", "lids", "lid_transforms"
"""Arrays of an avatar from a photo: the idle loop, (period, 2) as `Shown`; the lids of a blink,
(b, eyes, h, w, 4) BGR and opacity; and their transforms to each frame, (n, eyes, 2, 3)."""

MOUTH_SHARES = "mouth_shares"
"""Array of an avatar with actions: (n,) opacity of a drawn mouth in each frame, 0 to 1."""


class Shown(NamedTuple):
    """A displayed picture, apart from its mouth."""

    frame: int
    """Index into the avatar's frames."""
    lid: int = 0
    """Frame of a blink whose lids are drawn, from 1; 0: none."""
    into: int = -1
    """Frame of an action that the picture glides to or from; -1: none."""
    share: float = 0.0
    """Share of that frame in the picture, 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Avatar:
    """A prepared face. Its arrays are read-only memory maps; any thread may read them."""

    id: str
    digest: str
    """SHA-256 of the source's content and the settings of its preparation."""
    fps: int
    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR: the displayed frames, all with a closed mouth."""
    transforms: NDArray[np.float64]
    """(n, 2, 3) face transform: canonical crop to frame, pixel centres."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) landmarks of these frames: x, y in frame pixels, z in the same unit."""
    loop: Loop
    """forward: the last frame is followed by the first; pingpong: forwards, then backwards.
    An avatar with an idle path follows that instead."""
    extras: dict[str, NDArray[np.generic]]
    """Arrays of the engine, by name."""
    folder: Path
    base_digest: str = ""
    """Digest of the preparation without the actions; empty: `digest`."""
    actions: Mapping[str, Action] = field(default_factory=dict)
    """Action clips by name; their frames follow those of the loop and the gestures."""

    @property
    def loop_frames(self) -> int:
        """Number of frames before those of the actions."""
        return loop_frames(self.actions, len(self.frames))

    def mouth_share(self, frame: int) -> float:
        """Return the opacity of a drawn mouth in a frame: 0 where the mouth is not visible."""
        shares = self.extras.get(MOUTH_SHARES)
        return 1.0 if shares is None else float(shares[frame])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames."""
        return self.frames.shape[2], self.frames.shape[1]

    @property
    def period(self) -> int:
        """Displayed frames per turn of the loop."""
        path = self.extras.get(IDLE_PATH)
        if path is not None:
            return len(path)
        return self.loop_frames * (2 if self.loop == "pingpong" else 1)

    def index_at(self, cursor: int) -> int:
        """Return the frame to display at a cursor (frames since the session's start)."""
        return self.shown_at(cursor).frame

    def shown_at(self, cursor: int) -> Shown:
        """Return the picture of the idle loop at a cursor."""
        step, count = cursor % self.period, self.loop_frames
        path = self.extras.get(IDLE_PATH)
        if path is not None:
            return Shown(int(path[step, 0]), int(path[step, 1]))
        return Shown(step if step < count else 2 * count - 1 - step)

    @property
    def path(self) -> NDArray[np.float64]:
        """(period, 2, 3): the face transforms of one turn of the loop, in display order."""
        return self.transforms[[self.index_at(step) for step in range(self.period)]]


@dataclass(slots=True, eq=False)
class AvatarBuild:
    """An avatar under construction in a temporary folder."""

    folder: Path
    fps: int
    frames: NDArray[np.uint8]
    """As in Avatar; with closed mouths."""
    transforms: NDArray[np.float64]
    landmarks: NDArray[np.float32]
    loop: Loop
    extras: dict[str, NDArray[np.generic]]
    teeth_kept: bool = False
    """The frames show the person's own upper teeth, down to the inner lips of `landmarks`."""
    mouth: MouthReport | None = None
    """Report of the engine about its mouth; stored in the manifest."""
    filmed: FilmedMouth | None = None
    """The mouth as filmed; None for a photo."""
    shown: ShownMouth | None = None
    """The mouth as the photo shows it; None for a video."""
    base_frames: int | None = None
    """Number of frames before those of actions; None: all."""
    turns_deg: NDArray[np.float64] | None = None
    """(n, 2) yaw and pitch of the head relative to the loop's median, of frames for an action."""
    spoken: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    """Frames (h, w, 3) that the engine drew while preparing, by the sound they show; for the
    preview."""

    def avatar(self) -> Avatar:
        """Return the avatar as it is now, without an id and without its actions."""
        base = slice(0, self.base_frames)
        return Avatar(
            id=self.folder.name,
            digest="",
            fps=self.fps,
            frames=self.frames[base],
            transforms=self.transforms[base],
            landmarks=self.landmarks[base],
            loop=self.loop,
            extras=self.extras,
            folder=self.folder,
        )

    def write_array(self, name: str, array: NDArray[np.generic]) -> None:
        """Store `array` with the avatar; it is read as `Avatar.extras[name]`."""
        np.save(self.folder / f"{name}.npy", array)
        self.extras[name] = array
