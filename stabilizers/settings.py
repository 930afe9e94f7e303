"""Settings of the stabilizers. Imports no heavy package."""

from dataclasses import dataclass, field
from typing import Any, Literal

Smoothing = Literal["one_euro", "kalman", "none"]


def setting(description: str, **limits: float) -> dict[str, Any]:
    """Metadata of a field that users may set; `limits` are `gt`, `ge`, `le` as in pydantic."""
    return {"description": description, **limits}


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEuroConstants:
    """Constants of a One-Euro filter; "unit" is the unit of the filtered values."""

    min_cutoff_hz: float = field(
        default=1.0,
        metadata=setting(
            "Cut-off frequency at rest: a lower value is smoother, but lags more in motion.",
            gt=0,
            le=10_000,
        ),
    )
    beta: float = field(
        default=0.05,
        metadata=setting(
            "Growth of the cut-off frequency with speed, Hz per unit/s: a higher value lags less.",
            ge=0,
            le=1000,
        ),
    )
    derivative_cutoff_hz: float = field(
        default=1.0,
        metadata=setting(
            "Cut-off frequency of the speed estimate: higher detects a sudden move earlier, but "
            "also more noise.",
            gt=0,
            le=10_000,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KalmanConstants:
    """Constants of a Kalman filter; "unit" is the unit of the filtered values."""

    acceleration: float = field(
        default=80.0,
        metadata=setting(
            "Standard deviation of the acceleration of a calm head, unit/s².", gt=0, le=10_000
        ),
    )
    noise: float = field(
        default=0.5,
        metadata=setting("Standard deviation of a measured value, unit.", gt=0, le=10_000),
    )
    surprise: float = field(
        default=8.0,
        metadata=setting(
            "Squared innovation, in variances, above which the head counts as moving suddenly.",
            gt=0,
            le=10_000,
        ),
    )
    sudden: float = field(
        default=100.0,
        metadata=setting(
            "Factor by which the acceleration may be larger in a sudden move.", gt=0, le=10_000
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSettings:
    """Switches and constants of `track_face`.

    The filters' unit is the crop pixel. Sizes and angles count as the displacement that they
    cause at one eye distance.
    """

    subpixel_enabled: bool = field(
        default=True,
        metadata=setting(
            "Place patches between pixels; if off, positions are rounded to whole pixels."
        ),
    )
    scale_lock_enabled: bool = field(
        default=True,
        metadata=setting(
            "Keep the size of the face at its median until a running median differs from it by 4 %."
        ),
    )
    scale_lock_warmup_frames: int = field(
        default=50, metadata=setting("Frames of that running median.", ge=1, le=1000)
    )
    affine_tracking_enabled: bool = field(
        default=True,
        metadata=setting("Fuse Lucas-Kanade tracks of nose bridge and eyes with the landmarks."),
    )
    smoothing: Smoothing = field(
        default="one_euro",
        metadata=setting(
            "Filter of the face transforms. Its unit is the pixel of the upright 256-pixel crop.",
        ),
    )
    landmark_weight: float = 0.01
    """Weight of a landmark against the motion of the picture in their fusion."""
    one_euro: OneEuroConstants = field(default_factory=OneEuroConstants)
    kalman: KalmanConstants = field(default_factory=KalmanConstants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Geometry of the upright crop that face transforms start from."""

    iod: float
    """Distance between the eye centres in the crop, pixels."""
    eyes: tuple[float, float]
    """Position (x, y) of the point between the eye centres in the crop."""
