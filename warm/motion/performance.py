"""Performance of an action over the path of a clip: when it begins, and its glides at both ends.

The path continues below the action, unchanged. At both ends the picture glides between the two:
the faces are moved to a common place, while one picture is mixed into the other. The action begins
and ends at a pair of frames that are alike, and a glide is so long that neither the head nor the
picture changes faster than it usually does in the idle loop.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply
from warm.avatars.action import Action
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD, Avatar, Shown
from warm.motion.glide import smooth

SHORTEST_GLIDE_S, LONGEST_GLIDE_S = 0.24, 0.8
"""Duration of a glide."""
LEAVING_S = 0.32
"""Duration of the glide out of an action that is interrupted at any of its frames: the pictures may
differ more there than at its ends."""
LATER_S, SKIPPED_S = 0.32, 0.24
"""An action may begin this much later, and skip this much at either of its ends, if the pictures
are more alike there."""
WAITING_COST, SKIPPING_COST = 0.15, 0.1
"""Cost of a frame of delay and of a skipped one, in grey levels of the difference of pictures."""
MOVE_COST = 60.0
"""Cost of a movement of the head by an eye distance, in the same unit."""
PEAK_SPEED = 1.5
"""Greatest speed of a glide, relative to its mean."""
USUAL = 75
"""Percentile of the loop's steps that a glide may make."""
LEAST_STEP_IOD, LEAST_CHANGE = 0.008, 0.6
"""A glide may always move the head, and change the picture in grey levels, by this much per frame;
the loop of a photo hardly moves."""
SAMPLE_STRIDE = 16
"""Pictures are compared at every 16th pixel in both directions."""
SAMPLED_STEPS = 16
"""Steps of the loop whose change of the picture is measured."""
CANDIDATE_STRIDE = 2
"""Every second frame of the delay is considered."""
HEAD_POINTS = np.array(
    [
        [CANONICAL_EYES[0] - CANONICAL_IOD / 2, CANONICAL_EYES[1]],
        [CANONICAL_EYES[0] + CANONICAL_IOD / 2, CANONICAL_EYES[1]],
        [CANONICAL_EYES[0], CANONICAL_EYES[1] + CANONICAL_IOD],
    ]
)
"""Eyes and mouth in the canonical crop."""

PathAt = Callable[[int], Shown]
"""The picture of the path in a frame of the clip, as far as it is known; else that of the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """An action in the frames of one clip."""

    action: Action
    start: int
    """First frame of the clip in which it is seen."""
    first: int
    """The avatar's frame that belongs to `start`."""
    frames: int
    """Frames of the clip in which it is seen, the glides included."""
    entry: int
    exit: int
    """Frames of the glides at its beginning and its end."""

    @property
    def end(self) -> int:
        """The frame of the clip after its last one."""
        return self.start + self.frames

    def over(self, base: Shown, frame: int) -> Shown:
        """Return the picture of a frame of the clip, whose path shows `base`."""
        done, left = frame - self.start + 1, self.end - frame
        if done <= 0 or left <= 0:
            return base
        share = smooth(min(1.0, done / (self.entry + 1), left / (self.exit + 1)))
        shown = self.first + frame - self.start
        return Shown(shown) if share >= 1 else base._replace(into=shown, share=share)

    def ended_by(self, frame: int, avatar: Avatar) -> "Performance | None":
        """Return it with a glide to its end that begins at `frame`; None if it has not begun.

        Used when the clip is cut there. A glide to the end that has begun goes on.
        """
        if frame <= self.start:
            return None
        if frame >= self.end - self.exit:
            return self
        glide = round(LEAVING_S * avatar.fps)
        seen = frame - self.start
        frames = min(self.frames, seen + glide)
        return replace(self, frames=frames, exit=frames - seen)


def perform(avatar: Avatar, action: Action, path_at: PathAt, earliest: int) -> Performance:
    """Choose the place of an action in a clip; it begins at `earliest` or a little later."""
    fps = avatar.fps
    later, skipped = (int(limit * fps) for limit in (LATER_S, SKIPPED_S))
    skipped = min(skipped, max(0, (action.frames - 2 * shortest_glide(fps)) // 4))
    half = shortest_glide(fps) // 2
    delay, skip = best_pair(
        [
            sight(avatar, path_at(earliest + n + half).frame)
            for n in range(0, later + 1, CANDIDATE_STRIDE)
        ],
        [sight(avatar, action.start + n + half) for n in range(skipped + 1)],
    )
    start, first = earliest + CANDIDATE_STRIDE * delay, action.start + skip
    last = action.end - 1
    full = start + last - first  # the frame of the clip that shows the last frame of the action
    _, left_out = best_pair(
        [sight(avatar, path_at(full - half).frame)],
        [sight(avatar, last - n - half) for n in range(skipped + 1)],
    )
    frames = last - left_out - first + 1
    entry = glide_length(avatar, action, path_at(start + half).frame, first + half, frames)
    shown_last = first + frames - 1
    exit_ = glide_length(
        avatar, action, path_at(start + frames - half).frame, shown_last - half, frames
    )
    return Performance(
        action=action, start=start, first=first, frames=frames, entry=entry, exit=exit_
    )


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What two frames are compared by."""

    head: NDArray[np.float64]
    """(3, 2) eyes and mouth, eye distances."""
    picture: NDArray[np.float32]
    """A few of its pixels."""


def sight(avatar: Avatar, frame: int) -> Sight:
    """Return what a frame is compared by."""
    transform = avatar.transforms[frame]
    picture = avatar.frames[frame][::SAMPLE_STRIDE, ::SAMPLE_STRIDE].astype(np.float32)
    return Sight(apply(transform, HEAD_POINTS) / iod_px(avatar), picture)


def best_pair(paths: list[Sight], actions: list[Sight]) -> tuple[int, int]:
    """Return the indices of the two that are most alike; later ones cost a little."""
    costs = np.array(
        [
            [
                difference(path, action) + WAITING_COST * delay + SKIPPING_COST * skip
                for skip, action in enumerate(actions)
            ]
            for delay, path in enumerate(paths)
        ]
    )
    delay, skip = np.unravel_index(int(costs.argmin()), costs.shape)
    return int(delay), int(skip)


def difference(one: Sight, other: Sight) -> float:
    """Return how different two frames are, in grey levels."""
    moved = float(np.linalg.norm(one.head - other.head, axis=1).mean())
    return MOVE_COST * moved + float(np.abs(one.picture - other.picture).mean())


def glide_length(avatar: Avatar, action: Action, near: int, far: int, frames: int) -> int:
    """Return the length of a glide between two frames, in `frames` of an action."""
    one, other = sight(avatar, near), sight(avatar, far)
    moved = float(np.linalg.norm(one.head - other.head, axis=1).max()) / action.head_step
    changed = float(np.abs(one.picture - other.picture).mean()) / action.picture_step
    needed = math.ceil(PEAK_SPEED * max(moved, changed))
    shortest, longest = shortest_glide(avatar.fps), round(LONGEST_GLIDE_S * avatar.fps)
    return max(1, min(max(shortest, min(longest, needed)), frames // 2 - 1))


def shortest_glide(fps: int) -> int:
    """Return the frames of the shortest glide."""
    return round(SHORTEST_GLIDE_S * fps)


@dataclass(frozen=True, slots=True)
class UsualStep:
    """What usually changes from one frame of the idle loop to the next."""

    head: float
    """Movement of the head, eye distances."""
    picture: float
    """Change of the picture, grey levels."""


def usual_step(avatar: Avatar) -> UsualStep:
    """Return the usual step of an avatar's loop, which each of its actions stores."""
    heads = apply(avatar.path, HEAD_POINTS) / iod_px(avatar)
    moved = np.linalg.norm(np.diff(heads, axis=0), axis=2).max(axis=1)
    cursors = np.linspace(0, avatar.period - 2, SAMPLED_STEPS).astype(int).tolist()
    pairs = [[sight(avatar, avatar.index_at(each + n)) for n in (0, 1)] for each in cursors]
    changed = [float(np.abs(one.picture - other.picture).mean()) for one, other in pairs]
    return UsualStep(
        max(float(np.percentile(moved, USUAL)), LEAST_STEP_IOD),
        max(float(np.percentile(changed, USUAL)), LEAST_CHANGE),
    )


def iod_px(avatar: Avatar) -> float:
    """Return the usual eye distance in the frames, pixels."""
    scales = np.sqrt(np.abs(np.linalg.det(avatar.transforms[: avatar.loop_frames, :, :2])))
    return CANONICAL_IOD * float(np.median(scales))
