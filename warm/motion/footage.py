"""Paths of a speaking head in the footage of a video: the loop runs a little faster or slower.

A path shows the idle loop with an offset in time that changes by at most one frame per frame: a
frame is shown twice, or one is left out where the step that remains is an ordinary one of the loop.
This places the head's own dips on accents, and its own blinks at the ends of phrases.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import FOOTAGE, Avatar, Shown
from warm.motion.prosody import Prosody, prosody_of

BEHIND_S, AHEAD_S = 0.6, 0.32
"""Largest offsets of the path from the idle loop."""
ACCENT_SIGMA_S = 0.06
"""Width of an accent, within which the head should be low."""
BLINK_SIGMA_S, BLINK_GAIN, BLINK_LOSS = 0.15, 8.0, 3.0
"""Width of the end of a phrase, the gain of a blink there, and the loss of one elsewhere."""
BLINK_FRAMES = 5
CHANGE_COST = 0.15
"""Cost of a step that is not one frame."""
OFFSET_COST, FINAL_COST = 0.004, 1.2
"""Cost of a frame of offset, in each frame and at the end of a sentence."""
STEPS = (0, 2, 1, 1)
"""Steps of a path in frames of the loop, by state: a frame shown twice, a frame left out, the first
ordinary step after one of these, and all others."""
ALLOWED = ((3,), (3,), (0, 1), (2, 3))
"""States before each state: between two steps that are not ordinary lie two that are."""
RETURN_EVERY = 2
"""On the way back to the idle loop, one step in this many may differ from one frame."""


@dataclass(frozen=True, slots=True, eq=False)
class LoopFeatures:
    """One period of the idle loop of a video, in display order."""

    low: NDArray[np.float64]
    """(period,) how low the head is, standard deviations."""
    blinks: NDArray[np.float64]
    """(period,) 1 / BLINK_FRAMES in each frame around the middle of a blink, so that none is hidden
    by leaving out one frame."""
    may_skip: NDArray[np.bool_]
    """(period,) True if the next frame may be left out."""

    @staticmethod
    def of(avatar: Avatar) -> "LoopFeatures | None":
        """Return the features of an avatar; None if it was prepared without them."""
        table = avatar.extras.get(FOOTAGE)
        if table is None:
            return None
        order = [avatar.index_at(cursor) for cursor in range(avatar.period)]
        low, blinks, forward, backward = np.asarray(table, np.float64)[order].T
        following = np.roll(order, -1)
        may_skip = np.where(np.array(order) <= following, forward, backward) > 0
        around = [np.roll(blinks, n - BLINK_FRAMES // 2) for n in range(BLINK_FRAMES)]
        return LoopFeatures(low, np.mean(around, axis=0), may_skip)


@dataclass(slots=True, eq=False)
class FootageMover:
    """Offsets of one clip's pictures from the idle loop. Owned by one thread."""

    avatar: Avatar
    first_frame: int
    features: LoopFeatures
    _offsets: list[int] = field(default_factory=list)
    """Of the first frames of the clip; 0 for all others."""

    @property
    def longest_return(self) -> int:
        """Upper limit of the frames without speech needed to return to the idle loop."""
        return 2 * self.avatar.fps

    def speak(self, before: Sequence[Shown], speech: Speech, frames: int) -> list[Shown]:
        """Return the pictures of a sentence; `before`: all pictures of the clip before it."""
        start = len(before)
        prosody, fps = prosody_of(speech), self.avatar.fps
        rewards = reward_table(self.features, prosody, self.first_frame + start, frames, fps)
        skips = skip_table(self.features, self.first_frame + start, frames, fps)
        offsets = best_offsets(rewards, skips, self._offset_before(start), behind_frames(fps))
        return self._record(start, offsets)

    def way_back(self, before: Sequence[Shown]) -> list[Shown]:
        """Return the pictures that lead back to the idle loop; none if the path is on it."""
        start = len(before)
        offset, offsets = self._offset_before(start), list[int]()
        while offset:
            cursor = self.first_frame + start + len(offsets) - 1 + offset
            offset += self._step_back(offset, cursor, len(offsets)) - 1
            offsets.append(offset)
        return self._record(start, offsets)

    def _step_back(self, offset: int, cursor: int, count: int) -> int:
        """Return the next step towards the idle loop."""
        is_late = count >= self.avatar.fps  # a large step is better than a long silence
        if count % RETURN_EVERY and not is_late:
            return 1
        if offset > 0:
            return 0
        return 2 if is_late or self.features.may_skip[cursor % self.avatar.period] else 1

    def _offset_before(self, start: int) -> int:
        return self._offsets[start - 1] if 0 < start <= len(self._offsets) else 0

    def _record(self, start: int, offsets: list[int]) -> list[Shown]:
        kept = self._offsets[:start]
        self._offsets = [*kept, *([0] * (start - len(kept))), *offsets]
        first = self.first_frame + start
        return [self.avatar.shown_at(first + n + offset) for n, offset in enumerate(offsets)]


def behind_frames(fps: int) -> int:
    """Return the number of offsets below 0."""
    return round(BEHIND_S * fps)


def cursors(first: int, frames: int, fps: int) -> NDArray[np.int64]:
    """Return (frames, offsets) places in the idle loop."""
    offsets = np.arange(-behind_frames(fps), round(AHEAD_S * fps) + 1)
    return first + np.arange(frames)[:, None] + offsets


def reward_table(
    features: LoopFeatures, prosody: Prosody, first: int, frames: int, fps: int
) -> NDArray[np.float64]:
    """Return (frames, offsets) scores of each picture in each frame of a sentence."""
    places = cursors(first, frames, fps) % len(features.low)
    times = (np.arange(frames) + 0.5) / fps
    accents = bumps(
        times,
        [accent.time_s for accent in prosody.accents],
        [accent.strength for accent in prosody.accents],
        ACCENT_SIGMA_S,
    )
    ends = [0.0, *prosody.phrase_ends_s]
    pauses = bumps(times, ends, [1.0] * len(ends), BLINK_SIGMA_S)
    blinks = BLINK_GAIN * np.minimum(pauses, 1) - BLINK_LOSS
    offset = np.abs(np.arange(places.shape[1]) - behind_frames(fps))
    return np.asarray(
        (accents - accents.mean())[:, None] * features.low[places]
        + blinks[:, None] * features.blinks[places]
        - OFFSET_COST * offset
    )


def bumps(
    times: NDArray[np.float64], centres: list[float], heights: list[float], sigma_s: float
) -> NDArray[np.float64]:
    """Return (n,) the sum of Gaussians at `centres`."""
    distances = (times[:, None] - np.array(centres).reshape(1, -1)) / sigma_s
    return np.asarray(np.exp(-0.5 * distances**2) @ np.array(heights))


def skip_table(features: LoopFeatures, first: int, frames: int, fps: int) -> NDArray[np.bool_]:
    """Return (frames, offsets) True if the frame after the previous place may be left out."""
    return features.may_skip[(cursors(first, frames, fps) - 1) % len(features.may_skip)]


def best_offsets(
    rewards: NDArray[np.float64], skips: NDArray[np.bool_], begin: int, behind: int
) -> list[int]:
    """Return (frames,) offsets of the path with the best sum of rewards, by dynamic programming.

    A state is the kind of the last step and the offset. `begin`: the offset before the sentence.
    """
    frames, width = rewards.shape
    lost = -1e9
    score = np.full((len(STEPS), width), lost)
    score[-1, begin + behind] = 0.0
    origins = np.zeros((frames, len(STEPS), width), np.int8)
    switch = switch_costs()
    for frame in range(frames):
        reached = score[None] - switch[:, :, None]  # (state, state before, offset before)
        origins[frame] = reached.argmax(axis=1)
        best = reached.max(axis=1)
        moved = best.copy()
        moved[0, :-1], moved[0, -1] = best[0, 1:], lost
        moved[1, 1:], moved[1, 0] = np.where(skips[frame, :-1], best[1, :-1], lost), lost
        score = moved + rewards[frame]
    final = score - FINAL_COST * np.abs(np.arange(width) - behind)
    return traced(origins, int(final.argmax()), behind)


def switch_costs() -> NDArray[np.float64]:
    """Return (states, states before) the cost of a step."""
    costs = np.full((len(STEPS), len(STEPS)), 1e9)
    for state, before in enumerate(ALLOWED):
        costs[state, list(before)] = CHANGE_COST * abs(STEPS[state] - 1)
    return costs


def traced(origins: NDArray[np.int8], final: int, behind: int) -> list[int]:
    """Return the offsets that lead to a final state."""
    width = origins.shape[2]
    step, place = divmod(final, width)
    offsets = list[int]()
    for origin in origins[::-1]:
        offsets.append(place - behind)
        before = place - (STEPS[step] - 1)
        step, place = int(origin[step, before]), before
    return offsets[::-1]
