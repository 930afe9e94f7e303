"""Where the head is in every frame of a clip: landmarks and pictures in, steady transforms out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Smoothing = Literal["one_euro", "kalman", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEuroConstants:
    """Constants of the One-Euro filter (Casiez, Roussel and Vogel, CHI 2012)."""

    min_cutoff_hz: float = 1.5
    """Cut-off at rest: lower is calmer."""
    beta: float = 0.3
    """How fast the cut-off grows with speed, Hz per (pixel/s): higher lags less."""
    derivative_cutoff_hz: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KalmanConstants:
    """Constants of the constant-velocity Kalman filter."""

    acceleration: float = 2000.0
    """Standard deviation of the unknown acceleration, pixels/s²: higher follows faster."""
    noise: float = 0.5
    """Standard deviation of a measured coordinate, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSettings:
    """Which stages run; the names are those of `configs/live.yaml`."""

    smoothing: Smoothing = "one_euro"
    subpixel_enabled: bool = True
    scale_lock_enabled: bool = True
    scale_lock_warmup_frames: int = 50
    affine_tracking_enabled: bool = True
    landmark_weight: float = 0.05
    """How much a landmark counts against the picture's own motion when both are fused."""
    one_euro: OneEuroConstants = field(default_factory=OneEuroConstants)
    kalman: KalmanConstants = field(default_factory=KalmanConstants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """The upright crop that transforms start from."""

    iod: float
    """Distance of the eye centres in the crop, pixels."""
    eyes: tuple[float, float]
    """Where the point between the eye centres lies in the crop (x, y)."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceTrack:
    """A head followed through a clip."""

    transforms: NDArray[np.float64]
    """(n, 2, 3) similarity, crop pixel centres to frame pixel centres."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) as given, but steady."""
    steps: NDArray[np.float64]
    """(n - 1, 2, 3) affine motion of the head from each frame to the next, frame pixels;
    empty (0, 2, 3) without affine tracking."""


def track_face(
    frames: Sequence[NDArray[np.uint8]],
    landmarks: NDArray[np.float32],
    crop: Crop,
    *,
    fps: float,
    settings: TrackSettings,
    progress: Callable[[], None] = lambda: None,
) -> FaceTrack:
    """Steady transforms and landmarks of one face in (n, h, w, 3) BGR uint8 `frames`.

    `landmarks` (n, 468, 3) float32 are those of the 468-point mesh, measured frame by frame.
    `progress` is called once a frame. Zero-lag: every frame is judged with those after it.
    """
    raise NotImplementedError
