"""Decision whether a mouth can be learned from its footage, and for which poses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep
from warm.avatars.avatar import Loop
from warm.avatars.filmed_mouth import FilmedMouth
from warm.avatars.mouth_report import MouthChoice, MouthReport
from warm.avatars.recipe import PreparationError
from warm.engines.viseme.anatomy import Floats, Floats32, smooth_along_loop
from warm.engines.viseme.learned.numbers import Number

OPEN_GAP_IOD = 0.05
"""A frame with a wider gap shows the inside of the mouth."""
MIN_OPEN_FRAMES = 40
MIN_WIDEST_IOD = 0.15
"""Least gap at the 95th percentile of the frames."""
POSE_REACH_DEG = 8.0
FEW, ENOUGH = 3, 10
"""Open frames within POSE_REACH_DEG of a pose: the mouth is painted up to the first number, and
learned from the second on."""
TRUST_SMOOTH_FRAMES = 6.0
NEAR_DEG, FAR_DEG = 3.0, 9.0
"""A pose of an action is trusted like the nearest pose of the footage up to the first distance, and
not at all beyond the second."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Figures of the footage that decide."""

    open_frames: int
    widest_gap_iod: float
    """95th percentile of the gap."""

    @classmethod
    def of(cls, numbers: Floats, usable: NDArray[np.bool_]) -> "Evidence":
        """Measure (n, 4) numbers of the frames that are `usable` (n,)."""
        gaps = numbers[usable, Number.GAP]
        widest = float(np.percentile(gaps, 95)) if len(gaps) else 0.0
        return cls(int((gaps > OPEN_GAP_IOD).sum()), widest)

    @property
    def is_enough(self) -> bool:
        """True if a learned mouth will look better than a painted one."""
        return self.open_frames >= MIN_OPEN_FRAMES and self.widest_gap_iod >= MIN_WIDEST_IOD

    @property
    def reason(self) -> str:
        """One sentence for the user: the figures that decided."""
        shown = f"The video shows an open mouth in {self.open_frames} frames"
        widest = f"and opens it to {self.widest_gap_iod:.2f} of the distance between the eyes"
        needed = f"at least {MIN_OPEN_FRAMES} and {MIN_WIDEST_IOD} are needed"
        return f"{shown} {widest}; {needed}."


def mouth_report(
    filmed: FilmedMouth | None, numbers: Floats | None, choice: MouthChoice
) -> MouthReport:
    """Decide between a learned and a painted mouth, by the numbers (n, 4) of the filmed frames.

    Raises PreparationError if `choice` is learned but the footage does not allow it.
    """
    report = judge(filmed, numbers, choice)
    if choice == "learned" and report.kind == "painted":
        raise PreparationError(
            f"mouth is 'learned', but this mouth cannot be learned. {report.reason} "
            "Use a talking video, or set mouth to 'auto' or 'painted'."
        )
    return report


def judge(filmed: FilmedMouth | None, numbers: Floats | None, choice: MouthChoice) -> MouthReport:
    """Return the kind of mouth that the footage allows, if the settings allow it."""
    if choice == "painted":
        return MouthReport(kind="painted", reason="The settings ask for it.")
    if filmed is None or numbers is None:
        reason = "A mouth is learned from talking videos only."
        return MouthReport(kind="painted", reason=reason)
    evidence = Evidence.of(numbers, ~filmed.covered)
    return MouthReport(
        kind="learned" if evidence.is_enough else "painted",
        reason=evidence.reason,
        open_frames=evidence.open_frames,
        widest_gap_iod=round(evidence.widest_gap_iod, 3),
    )


def pose_trust(turns_deg: Floats, open_frames: NDArray[np.intp], loop: Loop) -> Floats32:
    """(n,) 0…1: how well frames with an open mouth cover the pose of each frame."""
    distance = np.linalg.norm(turns_deg[:, None] - turns_deg[None, open_frames], axis=-1)
    near = (distance < POSE_REACH_DEG).sum(axis=1)
    trust = smoothstep((near - FEW) / (ENOUGH - FEW))
    trust = smooth_along_loop(trust, loop, TRUST_SMOOTH_FRAMES)
    return np.where(trust > 1 - 1e-3, 1.0, trust).astype(np.float32)


def trust_near(turns_deg: Floats, known_deg: Floats32, known_trust: Floats32) -> Floats32:
    """(n,) trust in other poses (n, 2), given that in the poses of the footage."""
    distance = np.linalg.norm(turns_deg[:, None] - known_deg[None], axis=-1)
    share = smoothstep((FAR_DEG - distance.min(axis=1)) / (FAR_DEG - NEAR_DEG))
    trust = known_trust[distance.argmin(axis=1)] * share
    steady = smooth_along_loop(trust, "pingpong", TRUST_SMOOTH_FRAMES)
    return np.where(steady > 1 - 1e-3, 1.0, steady).astype(np.float32)
