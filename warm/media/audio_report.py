"""Report on the decoding of a sound file: what was decoded, what was lost, what was odd."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from av.audio.frame import AudioFrame

from warm.media.sniff import DamagedMediaError

LOST_SHARE, LOST_S = Fraction(1, 5), Fraction(1, 2)
"""A file of which more than both is missing or damaged is refused."""
MAX_LISTED = 3
"""Changes of the format that a remark lists."""


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """Properties of a frame that a resampler depends on."""

    sample_format: str
    layout: str
    channels: int
    rate_hz: int

    @classmethod
    def of(cls, frame: AudioFrame) -> "FrameFormat":
        """Return the format of a frame."""
        layout = frame.layout
        return cls(frame.format.name, layout.name, layout.nb_channels, frame.sample_rate)

    def __str__(self) -> str:
        plural = "" if self.channels == 1 else "s"
        return f"{self.rate_hz} Hz, {self.channels} channel{plural}"


@dataclass(slots=True)
class AudioReport:
    """Findings of one read, collected while it goes on."""

    path: Path
    decoded_s: Fraction = Fraction(0)
    damaged_s: Fraction = Fraction(0)
    """Duration of the packets that could not be decoded."""
    damaged_at_s: Fraction | None = None
    """Time of the first of them."""
    missing_s: Fraction = Fraction(0)
    """Duration that headers announce and the file does not have."""
    invalid_samples: int = 0
    """Samples that are NaN or infinity."""
    reason: str = ""
    """Message of the first error."""
    formats: list[tuple[Fraction, FrameFormat]] = field(default_factory=list)
    """Format of the first frame, and every change, with its time."""
    part_notes: list[str] = field(default_factory=list)
    """Remarks on the headers."""

    def count(self, frame: AudioFrame) -> None:
        """Count a decoded frame."""
        found = FrameFormat.of(frame)
        if not self.formats or self.formats[-1][1] != found:
            self.formats.append((self.decoded_s, found))
        self.decoded_s += Fraction(frame.samples, frame.sample_rate)

    def lose(self, duration_s: Fraction, reason: str) -> None:
        """Count a part that could not be decoded."""
        self.reason = self.reason or reason
        self.damaged_s += duration_s
        if self.damaged_at_s is None:
            self.damaged_at_s = self.decoded_s

    def check(self) -> None:
        """Raise DamagedMediaError if nothing was decoded, or too much was lost."""
        if not self.decoded_s:
            reason = f" ({self.reason})" if self.reason else ""
            raise DamagedMediaError(
                f"The audio file {self.path} is damaged or truncated: it has no sample that can be "
                f"decoded{reason}. Send the file again."
            )
        lost_s = self.damaged_s + self.missing_s
        total_s = self.decoded_s + lost_s
        if lost_s > LOST_S and lost_s > LOST_SHARE * total_s:
            at_s = self.decoded_s if self.damaged_at_s is None else self.damaged_at_s
            raise DamagedMediaError(
                f"The audio file {self.path} is damaged or truncated at {float(at_s):.2f} s "
                f"({float(lost_s):.2f} s of {float(total_s):.2f} s are missing). Send the file "
                "again."
            )

    def notes(self) -> list[str]:
        """Return remarks for the user."""
        return [*self.part_notes, *self._losses(), *self._changes()]

    def _losses(self) -> list[str]:
        notes = []
        if self.damaged_at_s is not None:
            notes.append(
                f"{float(self.damaged_s):.2f} s of the sound, from {float(self.damaged_at_s):.2f} s"
                f" on, could not be decoded and are left out ({self.reason})."
            )
        if self.missing_s:
            notes.append(
                f"The sound ends at {float(self.decoded_s):.2f} s, {float(self.missing_s):.2f} s "
                "earlier than the file announces. If words are missing, send the file again."
            )
        if self.invalid_samples:
            notes.append(f"{self.invalid_samples} samples are not finite numbers; they are silent.")
        return notes

    def _changes(self) -> list[str]:
        if len(self.formats) < 2:
            return []
        listed = [
            f"{found} from {float(at_s):.2f} s on"
            for at_s, found in self.formats[1 : 1 + MAX_LISTED]
        ]
        more = len(self.formats) - 1 - len(listed)
        end = f"; and {more} more changes" if more else ""
        return [f"The sound changes its format: {self.formats[0][1]}; {'; '.join(listed)}{end}."]
