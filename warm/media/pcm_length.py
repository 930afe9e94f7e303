"""Lengths in the headers of WAV, W64 and AIFF, which programs often write before they know them.

Such a placeholder differs from the length of a file that was cut off: the sizes in its header
contradict one another or the file, or are far larger than recordings are.
"""

from dataclasses import dataclass
from fractions import Fraction

PLACEHOLDER_BYTES = 1 << 29
"""512 MiB. Larger sizes that the file does not have count as placeholders; common ones are
0x7ffff000, 2,000,000,000 and 0xffffffff."""
UNSET_BYTES = {0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}


@dataclass(frozen=True, slots=True, kw_only=True)
class PcmLength:
    """Sizes in a header and in the file, in bytes."""

    announced: int
    """Size of the samples by the header."""
    available: int
    """Bytes from the first sample to the end of the file."""
    before: int
    """Bytes from the start of the file's outermost chunk to the first sample."""
    outer: int
    """Size of the outermost chunk by the header, with its own header."""
    block: int
    """Bytes of one sample of all channels."""
    byte_rate: int

    @property
    def is_complete(self) -> bool:
        """Return True if the file has all samples that the header announces."""
        return 0 < self.announced <= self.available

    @property
    def is_credible(self) -> bool:
        """Return True if the announced size may be true, and the file was therefore cut off."""
        file_bytes = self.before + self.available
        is_consistent = self.before + self.announced <= self.outer + self.announced % 2
        return (
            0 < self.announced < PLACEHOLDER_BYTES
            and is_consistent
            and self.outer != file_bytes
            and self.announced % max(1, self.block) == 0
        )

    @property
    def present_share(self) -> Fraction | None:
        """Share of the announced bytes that the file has; None if the size is not credible."""
        if self.is_complete:
            return Fraction(1)
        return Fraction(self.available, self.announced) if self.is_credible else None

    @property
    def notes(self) -> tuple[str, ...]:
        """Remark on a length that is neither true nor marked as unknown."""
        if self.is_complete or self.is_credible or self.announced in UNSET_BYTES:
            return ()
        length = f"{self.announced / self.byte_rate:.2f} s" if self.byte_rate else "a length"
        return (
            f"The header announces {length}, which is a placeholder; the sound was read to the end "
            "of the file.",
        )
