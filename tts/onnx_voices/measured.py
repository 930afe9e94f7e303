"""Result of loading a network: its faults, and its speed, which decides if it is live."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tts.speech import Speech

LIVE_PACE = 1.3
"""Seconds of sound per second of processor time that a voice must reach to be live."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Result of loading a voice."""

    problem: str | None = None
    pace: float = 0.0
    """Seconds of sound per second of processor time."""
    is_live: bool = True

    @classmethod
    def parse(cls, header: Mapping[str, Any]) -> "Measured":
        """Read the answer to a request with `describe`."""
        problem, pace = header.get("problem"), float(header.get("pace", 0.0))
        return cls(problem, pace, problem is not None or pace >= LIVE_PACE)


def with_remark(speech: Speech | None, voice: str, measured: Measured) -> Speech | None:
    """Return the speech; that of a slow voice has a remark."""
    if speech is None or measured.is_live:
        return speech
    remark = (
        f"the voice {voice} computes {measured.pace:.1f} s of sound a second on this machine, "
        "which is too slow to be live"
    )
    return replace(speech, remarks=(*speech.remarks, remark))
