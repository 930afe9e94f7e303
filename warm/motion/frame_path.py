"""Path of a clip: the picture of the avatar that is shown in each of its frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tts.speech import Speech
from warm.avatars.action import Action
from warm.avatars.avatar import Avatar, Shown
from warm.motion.footage import FootageMover, LoopFeatures
from warm.motion.performance import Performance, perform
from warm.motion.portrait import PortraitMover
from warm.motion.rail import Rail

PLANNED_S = 3
"""Least sound that is known when the movements of the head follow a recording."""


class Mover(Protocol):
    """Pictures that follow the speech of one clip."""

    @property
    def longest_return(self) -> int:
        """Upper limit of the frames without speech needed to return to the idle loop."""
        ...

    def speak(self, before: Sequence[Shown], speech: Speech, frames: int) -> list[Shown]:
        """Return the pictures of a sentence; `before`: all pictures of the clip before it."""
        ...

    def way_back(self, before: Sequence[Shown]) -> list[Shown]:
        """Return the pictures that lead back to the idle loop; none if the path is on it."""
        ...


def mover_of(avatar: Avatar, first_frame: int) -> Mover | None:
    """Return the mover of a clip; None if the avatar was prepared without data for one."""
    rail = Rail.of(avatar)
    if rail is not None:
        return PortraitMover(avatar, first_frame, rail)
    features = LoopFeatures.of(avatar)
    return None if features is None else FootageMover(avatar, first_frame, features)


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
    _mover: Mover | None = field(init=False)
    _shown: list[Shown] = field(default_factory=list)
    _performances: list[Performance] = field(default_factory=list)
    """The actions of the clip, one after another. The path continues below them."""

    def __post_init__(self) -> None:
        self._mover = mover_of(self.avatar, self.first_frame) if self.is_lively else None

    def __len__(self) -> int:
        """Number of frames that have a picture."""
        return len(self._shown)

    @property
    def longest_return(self) -> int:
        """Upper limit of the frames without speech needed to return to the idle loop."""
        return 0 if self._mover is None else self._mover.longest_return

    def shown(self, start: int, stop: int) -> Sequence[Shown]:
        """Return the pictures of frames `start` to `stop` of the clip."""
        shown = self._shown[start:stop]
        for each in self._performances:
            if each.start < stop and start < each.end:
                shown = [each.over(one, n) for n, one in enumerate(shown, start)]
        return shown

    def play(self, action: Action, earliest: int) -> Performance:
        """Show an action from the frame `earliest` on, or a little later.

        It begins after the actions before it. No frame from there on may have been shown yet.
        """
        earliest = max(earliest, self.actions_end)
        performance = perform(self.avatar, action, self._at, earliest)
        self._performances.append(performance)
        return performance

    @property
    def actions_end(self) -> int:
        """The frame after the last action."""
        return max((each.end for each in self._performances), default=0)

    def speak(self, speech: Speech, frames: int) -> None:
        """Append the pictures of a sentence."""
        if self._mover is None or not frames:
            self._append_idle(frames)
        else:
            self._shown += self._mover.speak(self._shown, speech, frames)

    def follow(self, stop: int, known: Speech, frames: int) -> None:
        """Append pictures of a recording, of which little may be known, at least up to `stop`.

        `known`: the sound of the next `frames`. The head follows it if that is long enough to
        plan a movement; otherwise it is on the idle loop, or on the way there.
        """
        if len(self) >= stop:
            return
        if frames >= PLANNED_S * self.avatar.fps:
            self.speak(known, frames)
        if len(self) < stop:
            self.rest(stop - len(self))

    def rest(self, frames: int) -> None:
        """Append pictures without speech: those that lead back to the idle loop, then the loop."""
        back = self.way_back()[:frames]
        self._shown += back
        self._append_idle(frames - len(back))

    def cut(self, frames: int) -> None:
        """Drop all but the first `frames`; an action that is seen there ends soon after."""
        del self._shown[frames:]
        ended = [each.ended_by(frames, self.avatar) for each in self._performances]
        self._performances = [each for each in ended if each is not None]

    def way_back(self) -> list[Shown]:
        """Return the pictures that lead back to the idle loop; none if the path is on it."""
        return [] if self._mover is None else self._mover.way_back(self._shown)

    def _at(self, frame: int) -> Shown:
        """The picture of the path in a frame; that of the idle loop if it is not known yet."""
        if frame < len(self._shown):
            return self._shown[frame]
        return self.avatar.shown_at(self.first_frame + frame)

    def _append_idle(self, frames: int) -> None:
        first = self.first_frame + len(self._shown)
        self._shown += [self.avatar.shown_at(first + n) for n in range(frames)]
