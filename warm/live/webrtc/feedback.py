"""Reports of a viewer about one track."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One report; members without a value were not reported."""

    wants_key_frame: bool = False
    """The viewer cannot decode what it has."""
    estimate_bps: float | None = None
    """Bandwidth that the viewer estimates for all it receives (REMB)."""
    fraction_lost: float | None = None
    """Packets lost since the previous report, 0 to 1."""
