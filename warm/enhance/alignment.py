"""Alignment of a face: five points, the similarity transform onto the template, the crop.

The transform is the least-squares similarity over all five points. An estimate that drops outliers
(LMEDS) drops different points in different frames, which makes the crop of a film jump.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.enhance.errors import DegenerateFace
from warm.face.landmarks import LIP_CORNERS, eye_centres

TEMPLATE_SIZE = 512
FIVE_POINTS = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
)
"""(5, 2) pixels of a TEMPLATE_SIZE crop: eyes, tip of the nose, corners of the mouth.

Of each pair, the one on the left of the picture comes first. All (5, 2) points use this order.
"""
NOSE_TIP = (1, 4)
"""Landmarks below and above the template's tip of the nose."""
BORDER_BGR = (135, 133, 132)
"""Grey of the crop outside the frame; the network is trained with it."""
MIN_SPREAD_PX = 1e-3
"""Points closer together than this define no direction."""


def five_points(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(…, 468, k) to (…, 5, 2): the points of FIVE_POINTS, pixels of the frame."""
    flat = np.asarray(landmarks)[..., :2].astype(np.float64)
    nose = flat[..., NOSE_TIP, :].mean(axis=-2, keepdims=True)
    return np.concatenate([eye_centres(landmarks), nose, flat[..., LIP_CORNERS, :]], axis=-2)


def aligned_transform(
    points: NDArray[np.float64], size: int = TEMPLATE_SIZE
) -> NDArray[np.float64]:
    """Return the (2, 3) similarity from the frame to a crop of `size` pixels.

    points: (5, 2), in the order of FIVE_POINTS. Raises DegenerateFace.
    """
    source = np.asarray(points, np.float64)
    if source.shape != FIVE_POINTS.shape or not np.isfinite(source).all():
        raise DegenerateFace(
            f"points are {source.tolist()}, expected 5 finite pairs of pixels; "
            "find the face again in this frame"
        )
    target = FIVE_POINTS * (size / TEMPLATE_SIZE)
    centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    x, y = (source - centre).T
    u, v = (target - target_centre).T
    spread = float(x @ x + y @ y)
    if spread < MIN_SPREAD_PX**2:
        raise DegenerateFace(
            f"all 5 points lie at {centre.round(1).tolist()}, expected a face; "
            "find the face again in this frame"
        )
    cosine, sine = (x @ u + y @ v) / spread, (x @ v - y @ u) / spread
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, target_centre - linear @ centre])


def inverse(transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 3) transform from the crop to the frame."""
    return np.asarray(cv2.invertAffineTransform(transform), np.float64)


def aligned_crop(
    frame: NDArray[np.uint8], transform: NDArray[np.float64], size: int = TEMPLATE_SIZE
) -> NDArray[np.uint8]:
    """Cut the (size, size, 3) crop out of a (h, w, 3) BGR frame."""
    crop = cv2.warpAffine(
        frame,
        transform,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=BORDER_BGR,
    )
    return np.asarray(crop, np.uint8)
