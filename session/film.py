"""What a session file is made of, and what it says of itself."""

from dataclasses import dataclass

SAMPLE_RATE_HZ = 48_000
"""Audio clock of every session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmSpec:
    """What never changes in one session file."""

    width: int
    height: int
    fps: int

    @property
    def samples_per_frame(self) -> int:
        """Audio samples that belong to one video frame; `fps` divides the audio clock."""
        return SAMPLE_RATE_HZ // self.fps


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
