"""What the stabilizers are switched and tuned by. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Literal

Smoothing = Literal["one_euro", "kalman", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEuroConstants:
    """What a One-Euro filter is tuned by; "unit" is that of the filtered values."""

    min_cutoff_hz: float = 1.0
    """Cut-off at rest: lower is calmer."""
    beta: float = 0.05
    """How fast the cut-off grows with speed, Hz per (unit/s): higher lags less."""
    derivative_cutoff_hz: float = 1.0
    """Cut-off of the speed estimate: higher notices a sudden move earlier, and noise too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KalmanConstants:
    """What a Kalman filter is tuned by; "unit" is that of the filtered values."""

    acceleration: float = 80.0
    """Standard deviation of the unknown acceleration of a calm head, unit/s²."""
    noise: float = 0.5
    """Standard deviation of a measured value, unit."""
    surprise: float = 8.0
    """Squared innovation, in variances, from which on the head counts as moving suddenly."""
    sudden: float = 100.0
    """How many times the acceleration may be larger in a sudden move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSettings:
    """Which stages of `track_face` run; the names are those of `configs/live.yaml`.

    The filters' unit is the crop pixel: positions, and sizes and angles as seen at one eye
    distance.
    """

    smoothing: Smoothing = "one_euro"
    subpixel_enabled: bool = True
    scale_lock_enabled: bool = True
    scale_lock_warmup_frames: int = 50
    affine_tracking_enabled: bool = True
    landmark_weight: float = 0.01
    """How much a landmark counts against the picture's own motion when both are fused."""
    one_euro: OneEuroConstants = field(default_factory=OneEuroConstants)
    kalman: KalmanConstants = field(default_factory=KalmanConstants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """The upright crop that face transforms start from."""

    iod: float
    """Distance of the eye centres in the crop, pixels."""
    eyes: tuple[float, float]
    """Where the point between the eye centres lies in the crop (x, y)."""
