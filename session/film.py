"""Data types of a session film: format, fragments, clips and cues."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

WriterKind = Literal["fragments", "concat"]
"""`fragments`: one file that grows. `concat`: a file that each clip replaces by a longer one."""
SAMPLE_RATE_HZ = 48_000
"""Audio clock of every film."""
TICKS_PER_FRAME = 512
"""Video clock: every frame lasts this many ticks at any frame rate."""
SAMPLES_PER_PACKET = 1024
"""Audio samples in one AAC packet."""

UNKNOWN_FRAMES = 1 << 40
"""Planned length of a cue whose end is not known when it begins; the next cue of the clip ends it.
"""

_NON_LETTERS = re.compile(r"[\W_]+")
_SIZE_RANGE = (16, 4096)
_FPS_RANGE = (5, 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmSpec:
    """Format of a film, fixed at creation. Raises ValueError for values out of range."""

    width: int
    height: int
    fps: int

    def __post_init__(self) -> None:
        low, high = _SIZE_RANGE
        for name, value in (("width", self.width), ("height", self.height)):
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; it must be {low} to {high} pixels.")
        slow, fast = _FPS_RANGE
        if not slow <= self.fps <= fast or SAMPLE_RATE_HZ % self.fps:
            raise ValueError(
                f"fps is {self.fps}; it must be in {slow} to {fast} and divide {SAMPLE_RATE_HZ},"
                " as 24, 25, 30, 50 and 60 do."
            )

    @property
    def samples_per_frame(self) -> int:
        """Audio samples for each video frame; an integer, since `fps` divides the audio clock."""
        return SAMPLE_RATE_HZ // self.fps

    @property
    def ticks_per_second(self) -> int:
        """Video timescale."""
        return TICKS_PER_FRAME * self.fps

    @property
    def coded_size(self) -> tuple[int, int]:
        """(width, height) in the file; see `coded_size`."""
        return coded_size(self.width, self.height)


def coded_size(width: int, height: int) -> tuple[int, int]:
    """Round an odd size up by one pixel: 4:2:0 needs an even width and height."""
    return width + width % 2, height + height % 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One committed moof and mdat pair: written and synced."""

    index: int
    offset: int
    """First byte in the file."""
    end: int
    """First byte after it: the committed end when it is published."""
    first_frame: int
    frames: int
    crc32: int | None = None
    """CRC-32 of its bytes; None if the journal was lost and recreated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRecord:
    """One finished clip."""

    index: int
    text: str
    first_frame: int
    frames: int
    is_whole: bool = True
    """False if the text is known to be incomplete: interrupted, or cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A sentence and the frames of the film during which it is heard.

    A later cue of the same clip with the same first frame replaces it: the sentence was cut.
    """

    text: str
    first_frame: int
    frames: int

    @property
    def end(self) -> int:
        """First frame after it."""
        return self.first_frame + self.frames


def cues_before(end: int, cues: Iterable[Cue]) -> list[Cue]:
    """Return the cues that begin before frame `end`, cut off at that frame."""
    return [
        replace(cue, frames=min(cue.end, end) - cue.first_frame)
        for cue in ended_cues(revised_cues(cues))
        if cue.first_frame < end
    ]


def revised_cues(cues: Iterable[Cue]) -> list[Cue]:
    """Return the cues of a clip without those that later ones replace."""
    return list({cue.first_frame: cue for cue in cues}.values())


def ended_cues(cues: Sequence[Cue]) -> list[Cue]:
    """Return the cues of a clip; those without a planned length end where the next one begins."""
    return [
        replace(cue, frames=following.first_frame - cue.first_frame)
        if following is not None and cue.frames == UNKNOWN_FRAMES
        else cue
        for cue, following in zip_longest(cues, cues[1:])
    ]


def text_of_clip(text: str, cues: Sequence[Cue]) -> str:
    """Return the text with which a clip was started, or that of its cues if it is empty."""
    return text or " ".join(cue.text for cue in revised_cues(cues) if cue.text)


def is_fully_spoken(text: str, cues: Sequence[Cue], end: int) -> bool:
    """Return True if the planned cues contain all of a clip's text and end by frame `end`.

    A clip without cues counts as fully spoken, since nothing is known of its sentences.
    """
    revised = revised_cues(cues)
    spoken = _letters("".join(cue.text for cue in revised))
    is_ended = all(cue.end <= end for cue in ended_cues(revised))
    return not cues or (spoken == _letters(text) and is_ended)


def _letters(text: str) -> str:
    """Strip punctuation and spaces, which the cues need not reproduce."""
    return _NON_LETTERS.sub("", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Durable part of a film at one moment."""

    bytes: int
    """Committed end: readers may only be given bytes before it."""
    frames: int
    clips: tuple[ClipRecord, ...]
    """Finished clips, in order."""
