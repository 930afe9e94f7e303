"""What a session file is made of, and what it says of itself."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

WriterKind = Literal["fragments", "concat"]
"""One file that grows, or one that each clip replaces by a longer one."""
SAMPLE_RATE_HZ = 48_000
"""Audio clock of every session."""
TICKS_PER_FRAME = 512
"""Video clock: every frame lasts this many ticks, whatever the frame rate."""
SAMPLES_PER_PACKET = 1024
"""Audio samples in one AAC packet."""

_SIGNS = re.compile(r"[\W_]+")
_SIZE_RANGE = (16, 4096)
_FPS_RANGE = (5, 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmSpec:
    """What never changes in one session file. Raises ValueError for what no film can be."""

    width: int
    height: int
    fps: int

    def __post_init__(self) -> None:
        low, high = _SIZE_RANGE
        for name, value in (("width", self.width), ("height", self.height)):
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; a film takes {low} to {high} pixels.")
        slow, fast = _FPS_RANGE
        if not slow <= self.fps <= fast or SAMPLE_RATE_HZ % self.fps:
            raise ValueError(
                f"fps is {self.fps}; it must lie in {slow} to {fast} and divide {SAMPLE_RATE_HZ},"
                " as 24, 25, 30, 50 and 60 do."
            )

    @property
    def samples_per_frame(self) -> int:
        """Audio samples that belong to one video frame; `fps` divides the audio clock."""
        return SAMPLE_RATE_HZ // self.fps

    @property
    def ticks_per_second(self) -> int:
        """Video timescale."""
        return TICKS_PER_FRAME * self.fps

    @property
    def coded_size(self) -> tuple[int, int]:
        """(width, height) in the file."""
        return coded_size(self.width, self.height)


def coded_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) in a file: 4:2:0 needs even sizes, so an odd one grows by one pixel."""
    return width + width % 2, height + height % 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One committed moof+mdat pair: on disk and fsynced."""

    index: int
    offset: int
    """First byte in the file."""
    end: int
    """First byte after it: the committed end once it is published."""
    first_frame: int
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRecord:
    """One finished clip, as the journal keeps it."""

    index: int
    text: str
    first_frame: int
    frames: int
    is_whole: bool = True
    """False where it is known that the text was not said to its end: interrupted, or cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A sentence and the frames of the film on which it is heard."""

    text: str
    first_frame: int
    frames: int

    @property
    def end(self) -> int:
        """First frame after it."""
        return self.first_frame + self.frames


def cues_before(end: int, cues: Iterable[Cue]) -> list[Cue]:
    """The parts of `cues` that lie before frame `end` of a film."""
    return [
        replace(cue, frames=min(cue.end, end) - cue.first_frame)
        for cue in cues
        if cue.first_frame < end
    ]


def is_fully_spoken(text: str, cues: Sequence[Cue], end: int) -> bool:
    """Whether the sentences, as they were meant, are all of a clip's text and over at frame `end`.

    A clip without sentences is taken as said: nobody knows better.
    """
    said = _letters("".join(cue.text for cue in cues))
    return not cues or (said == _letters(text) and all(cue.end <= end for cue in cues))


def _letters(text: str) -> str:
    """What is left of a text when it has been said: neither its signs nor its spaces."""
    return _SIGNS.sub("", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What of a film is durable, at one moment."""

    bytes: int
    """Committed end: no reader may be shown a byte from here on."""
    frames: int
    clips: tuple[ClipRecord, ...]
    """The closed ones, in order."""
