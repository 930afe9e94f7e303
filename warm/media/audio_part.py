"""Parts of a sound file: each is read by one demuxer, one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPart:
    """A range of bytes of a file, and what its header says about its length."""

    demuxer: str
    """FFmpeg's name."""
    start: int
    end: int
    corrections: Mapping[int, bytes] = field(default_factory=dict)
    """Bytes of the header that FFmpeg would misread, by their position in the part."""
    present_share: Fraction | None = None
    """Share of the announced bytes that the file has; None if the header announces none that is
    credible, or in other units."""
    announced_s: Fraction | None = None
    """Duration that the header announces; None if it is unknown or left to FFmpeg."""
    container_states_length: bool = False
    """True if FFmpeg reads the duration from the header, and does not guess it."""
    notes: tuple[str, ...] = ()
    """Remarks for the user."""
