"""Report of the face that an avatar was made from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Certainty = Literal["sure", "likely", "doubtful"]
SURE_EVIDENCE, LIKELY_EVIDENCE = 15.0, 12.0
"""Faces from the front, in good light, give 15 to 35; one upside down gives less than 12."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceReport:
    """How sure the face was."""

    evidence: float
    """Evidence of a face, a logit of the face mesh; in a video, its median over the frames."""
    faces: int
    """Faces in the photo, or in the frame of the video in which one was first found."""
    frames_with_face: float = 1.0
    """Share of a video's frames in which the face was found."""

    @property
    def certainty(self) -> Certainty:
        """The evidence in a word."""
        if self.evidence >= SURE_EVIDENCE:
            return "sure"
        return "likely" if self.evidence >= LIKELY_EVIDENCE else "doubtful"


def face_report_json(report: FaceReport) -> dict[str, Any]:
    """Return the report as JSON, without what follows from it."""
    return asdict(report)


def face_report_of(manifest: Mapping[str, Any]) -> FaceReport | None:
    """Return the report in a manifest; None if an older version of the program wrote it."""
    stored = manifest.get("face")
    return None if stored is None else FaceReport(**stored)
