"""Report of an avatar's mouth: learned from its own footage, or painted, and why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

MouthChoice = Literal["auto", "learned", "painted"]
"""Requested mouth. auto: learned if the footage allows it, else painted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MouthReport:
    """The mouth that an engine prepared for an avatar."""

    kind: Literal["learned", "painted"]
    reason: str
    """For the user: the reason for this kind, with the figures that decided; for photos also a
    sentence about their teeth."""
    open_frames: int = 0
    """Frames of the footage that show an open mouth."""
    widest_gap_iod: float = 0.0
    """95th percentile of the gap between the lips in the footage, inter-ocular distances."""

    def line(self) -> str:
        """Return the report in one line for a terminal."""
        return f"Mouth: {self.kind}. {self.reason}"


def mouth_json(report: MouthReport) -> dict[str, Any]:
    """Return the report as JSON."""
    return asdict(report)


def mouth_of(manifest: Mapping[str, Any]) -> MouthReport | None:
    """Return the report in a manifest; None if the avatar was prepared without one."""
    stored = manifest.get("mouth")
    return None if stored is None else MouthReport(**stored)
