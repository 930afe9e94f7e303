"""Stages of a preparation, and the share of the time that each takes."""

from typing import Literal

SourceKind = Literal["photo", "video"]
PHOTO_STAGES = {"animating": (0.3, 0.6), "finishing": (0.6, 1.0)}
VIDEO_STAGES = {
    "reading": (0.2, 0.45),
    "stabilizing": (0.45, 0.55),
    "matting": (0.55, 0.58),
    "closing": (0.58, 0.7),
    "finishing": (0.7, 1.0),
}
"""Measured first and last share of each stage. The time before the first one is for loading the
face models and for the search of the face, which has no steps to count."""
ENHANCING, ENHANCED_SHARE = "enhancing", 0.2
"""Stage in which the source is enhanced, and the share of progress at its end; only preparations
with `enhance` have it. With a network on a CPU it takes nearly all of the time."""
ACTIONS, ACTIONS_SHARE = "actions", 0.4
"""Stage of all actions, and its share of a preparation that has some."""
FIRST_STAGE = "finding the face"
STAGE_WORDS = {
    ENHANCING: "enhancing the face",
    "reading": "following the face",
    "stabilizing": "steadying the face",
    "matting": "replacing the background",
    "closing": "closing the mouth",
    "animating": "drawing the idle loop",
    "finishing": "preparing the mouth",
    ACTIONS: "preparing the actions",
}
"""The stages in words for the user."""


def overall_fraction(
    kind: SourceKind, stage: str, done: int, total: int, base_share: float = 1.0
) -> float:
    """Return the finished share of a whole preparation, 0 to 1.

    `base_share`: that of everything except the actions.
    """
    share = min(1.0, done / max(1, total))
    if stage == ACTIONS:
        return base_share + (1 - base_share) * share
    if stage == ENHANCING:
        return base_share * ENHANCED_SHARE * share
    first, last = (PHOTO_STAGES if kind == "photo" else VIDEO_STAGES)[stage]
    return base_share * (first + (last - first) * share)
