"""Measured pace of the server, and the speaking places and encoder preset that follow from it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from session.video_encoder import PRESET, Preset
from warm.render.timeliness import Remainder, are_in_time
from warm.settings.fields import AUTO_SPEAKING

FIRST_PLACES = 4
"""Places before anything was measured."""
MEMORY_S = 2.0
"""Working time after which a measurement has lost two thirds of its weight."""
LEAST_S = 0.2
"""Working time that a measurement needs."""
MARGIN = 0.82
"""Part of the pace that clips may use; the rest is for sentences, starts and other programs."""
ANOTHER_MARGIN = 0.7
"""The same for the question whether one more clip would make any frame late; smaller, because the
lengths of texts are estimates."""
GROWTH_MARGIN = 0.75
"""Part of the pace from which the lengths of batches are computed."""
MORE_PLACES_AT = 1.25
"""A place is added when the pace suffices for this many more; places are removed when it does not
suffice for the present number."""
GIVE_S = 0.25
"""Shortest time between two additions of a place."""
NEXT_S = 20.0
"""Playing time that is assumed for the next clip while none waits."""
START_LEAD_S = 0.35
"""Clips that are this far ahead of playback can spare the time in which another one starts."""
PACED_LEAD = 0.25
"""Part of `lead_s` that suffices for a clip that must not be far ahead."""
ROOM, LITTLE_ROOM = 5.2, 2.0
"""Ratio of the clips that could be rendered in real time to their present number. From `ROOM` on,
there is time for a preset that compresses better; below `LITTLE_ROOM`, the fastest one is used."""
LEAST_GROWTH, MOST_GROWTH = 1.1, 2.0
"""Range of the factor by which the batches of a clip grow."""
COST: dict[Preset, float] = {"ultrafast": 0.9, "superfast": 1.0, "faster": 1.5}
"""Time that a frame takes on the whole path, relative to the preset `superfast`."""
CROWDED: Preset = "ultrafast"
"""Preset of clips that start with little room; the number of places is computed for it."""


class Pace:
    """Frames per second of the whole path, from the voice to the disk, while it works.

    Frames are counted as if they had the preset `superfast`, so that the measurement does not
    depend on the presets that follow from it. Owned by the render thread.
    """

    def __init__(self) -> None:
        self._frames = self._spent_s = 0.0
        self._last_s: float | None = None
        self._last_frames = 0.0
        self._was_working = False

    @property
    def fps(self) -> float | None:
        """The measured pace, 0 if nothing was written; None before there is a measurement."""
        return self._frames / self._spent_s if self._spent_s >= LEAST_S else None

    def observe(self, now_s: float, frames: float, *, is_working: bool) -> None:
        """Note the number of frames written so far, and whether more are being made."""
        if self._was_working and self._last_s is not None:
            spent_s = now_s - self._last_s
            weight = math.exp(-spent_s / MEMORY_S)
            self._spent_s = weight * self._spent_s + spent_s
            self._frames = weight * self._frames + frames - self._last_frames
        self._last_s, self._last_frames, self._was_working = now_s, frames, is_working


class Pacable(Protocol):
    """The properties of a clip that the start of another one depends on."""

    @property
    def lead_s(self) -> float | None:
        """Longest time between rendering and playback; None: no limit."""
        ...

    def is_rendering(self, now_s: float) -> bool:
        """Return True if it can be given frames, or has some that are not on disk yet."""
        ...

    def ahead_s(self, now_s: float) -> float:
        """Time until playback reaches the end of its frames on disk."""
        ...

    @property
    def left_s(self) -> float:
        """Playing time of the frames that are not on disk; infinite if it is not known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceReport:
    """The measurement, and the choices that follow from it."""

    frames_per_s: float | None
    """None before there is a measurement."""
    places: int
    max_places: int
    is_automatic: bool
    preset: Preset
    """Preset of the last clip that was started."""
    reason: str


class SpeakingPlaces:
    """Number of clips that may be rendered at once, and the preset of the next one.

    Owned by the render thread; any thread may read `count` and call `report`.
    """

    def __init__(
        self, setting: int | Literal["auto"], fps: int, clock: Callable[[], float]
    ) -> None:
        """`setting`: `max_speaking`; `fps`: frame rate of the films."""
        self.pace = Pace()
        self.count = FIRST_PLACES if setting == "auto" else setting
        """Clips that may be rendered at once."""
        self._lasting = self.count
        """Clips that could be rendered at once for any length of time."""
        self.speaking = 0
        """Clips that are being rendered."""
        self.next_s = NEXT_S
        """Playing time of the longest clip that waits for a place."""
        self._is_automatic = setting == "auto"
        self._fps, self._clock = fps, clock
        self._given_s = clock()
        self._preset: Preset = PRESET

    def update(self, clips: Sequence[Pacable] = ()) -> None:
        """Follow the measured pace.

        `clips`: those being rendered. Beyond the places that the pace allows for any length of
        time, there is one for another clip while the others are far enough ahead of playback.
        """
        pace = self.pace.fps
        if not self._is_automatic or pace is None:
            return
        speed = pace / COST[CROWDED] / self._fps
        self._update_lasting(MARGIN * speed)
        self.count = self._lasting
        if self._lasting <= len(clips) < AUTO_SPEAKING and self._has_time_for_another(
            clips, ANOTHER_MARGIN * speed
        ):
            self.count = len(clips) + 1

    def _update_lasting(self, enough: float) -> None:
        """`enough`: clips for which the pace suffices."""
        now_s, count = self._clock(), self._lasting
        if enough < count and count > 1:
            self._lasting, self._given_s = max(1, math.floor(enough)), now_s
        elif (
            enough >= count + MORE_PLACES_AT
            and count < AUTO_SPEAKING
            and now_s - self._given_s >= GIVE_S
        ):
            self._lasting, self._given_s = count + 1, now_s

    def _has_time_for_another(self, clips: Sequence[Pacable], speed: float) -> bool:
        now_s = self._clock()
        rest = [Remainder(clip.ahead_s(now_s), clip.left_s) for clip in clips]
        return are_in_time([*rest, Remainder(0.0, self.next_s)], speed)

    def may_start(self, clips: Sequence[Pacable], opening: int) -> bool:
        """Return True if another clip may start now.

        With automatic places, clips start one after another: each when those before it are ahead of
        playback. A clip that does not wait for the processor keeps no other from starting.
        """
        if not self._is_automatic:
            return True
        now_s = self._clock()
        return not opening and all(
            clip.ahead_s(now_s) >= sufficient_lead_s(clip)
            for clip in clips
            if clip.is_rendering(now_s)
        )

    def batch_growth(self) -> float:
        """Return the factor by which the batches of a clip may grow."""
        return min(MOST_GROWTH, max(LEAST_GROWTH, GROWTH_MARGIN * self._room(self.speaking)))

    def choose_preset(self) -> Preset:
        """Return the preset of a clip that starts as one of `speaking`."""
        room = self._room(self.speaking)
        if room < LITTLE_ROOM:
            self._preset = CROWDED
        elif self._is_automatic and ROOM * COST["faster"] <= room < math.inf:
            self._preset = "faster"
        else:
            self._preset = PRESET
        return self._preset

    def report(self) -> PaceReport:
        """Return the measurement and the choices."""
        return PaceReport(
            frames_per_s=self.pace.fps,
            places=self.count,
            max_places=AUTO_SPEAKING if self._is_automatic else self.count,
            is_automatic=self._is_automatic,
            preset=self._preset,
            reason=self._reason(),
        )

    def _room(self, clips: int) -> float:
        """Ratio of the clips that could be rendered in real time to this number."""
        pace = self.pace.fps
        return math.inf if pace is None else pace / (self._fps * max(1, clips))

    def _reason(self) -> str:
        pace = self.pace.fps
        if not self._is_automatic:
            return f"max_speaking = {self.count}"
        if pace is None:
            return "nothing has been measured yet"
        crowded = pace / COST[CROWDED]
        enough = MARGIN * crowded / self._fps
        return f"{MARGIN:.0%} of {crowded:.0f} frames/s suffice for {enough:.1f}"


def sufficient_lead_s(clip: Pacable) -> float:
    """Lead of a clip with which another one may start."""
    return START_LEAD_S if clip.lead_s is None else min(START_LEAD_S, PACED_LEAD * clip.lead_s)
