"""Masks of the patches: they end inside the silhouette of the face in each frame."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, invert, scale_of
from warm.engines.viseme.anatomy import JAW, OVAL, Anatomy, Floats, Pixels
from warm.engines.viseme.displacement_fields import FADE_IOD, Region, below_jaw

MASK_SIZE = 64
"""Nodes per side of a mask."""
MASK_FROM, MASK_TO = 0.02, 0.25
"""The patch fades in where the fields' window is between these."""
RAYS = 64
"""Directions from the mouth's middle in which the silhouette is measured."""
SOFT_IOD, MARGIN_PX = 0.05, 3.0
"""Width over which the patch fades; its distance from the silhouette, since masks are enlarged."""
OVERSAMPLING = 4


def patch_masks(anatomy: Anatomy) -> Pixels:
    """(n, MASK_SIZE, MASK_SIZE) mask of each frame over the region: 255 where the patch is opaque.

    A patch fades out before the region's border, and inside the silhouette of the face.
    """
    region = Region.of(anatomy)
    window = region.window(region.nodes(MASK_SIZE)).reshape(MASK_SIZE, MASK_SIZE)
    rectangle = np.clip((window - MASK_FROM) / (MASK_TO - MASK_FROM), 0.0, 1.0) * 255
    scales = scale_of(anatomy.to_frame)
    masks = [
        np.minimum(rectangle, inside(silhouette, region, MARGIN_PX / float(scale)))
        for silhouette, scale in zip(silhouettes(anatomy), scales, strict=True)
    ]
    return np.round(masks).astype(np.uint8)


def silhouettes(anatomy: Anatomy) -> Floats:
    """Return the (n, RAYS, 2) border of what the mouth may change in each frame, IOD.

    It is the border of the face; below the jaw it is lower by the distance that the jaw can drop.
    """
    drop = (below_jaw(anatomy, OVAL) - anatomy.points[OVAL])[:, 1]
    drop[np.isin(OVAL, JAW)] += FADE_IOD
    faces = apply(invert(anatomy.to_frame), anatomy.landmarks)
    dropped = faces[:, OVAL] + drop[:, None] * (0.0, 1.0)
    angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    hulls = [cv2.convexHull(points.astype(np.float32))[:, 0] for points in faces]
    reach = [
        np.maximum(reach_of(hull, rays), reach_of(low, rays))
        for hull, low in zip(hulls, dropped, strict=True)
    ]
    return np.asarray(np.stack(reach)[..., None] * rays)


def reach_of(polygon: NDArray[np.floating], rays: Floats) -> Floats:
    """Return (r,) the greatest distance at which (r, 2) rays from the origin cross a polygon."""
    start = np.asarray(polygon, np.float64)
    side = np.roll(start, -1, axis=0) - start
    facing = rays[:, :1] * side[:, 1] - rays[:, 1:] * side[:, 0]
    facing = np.where(np.abs(facing) < 1e-9, 1e-9, facing)
    distance = (start[:, 0] * side[:, 1] - start[:, 1] * side[:, 0]) / facing
    along = (start[:, 0] * rays[:, 1:] - start[:, 1] * rays[:, :1]) / facing
    crossed = (along >= 0) & (along <= 1) & (distance > 0)
    return np.asarray(np.where(crossed, distance, 0.0).max(axis=1))


def inside(silhouette: Floats, region: Region, margin: float) -> Floats:
    """Return the (MASK_SIZE, MASK_SIZE) mask of a silhouette (RAYS, 2): 0 outside, 255 well inside.

    Lengths in IOD.
    """
    length = np.maximum(np.linalg.norm(silhouette, axis=1, keepdims=True), 1e-6)
    inner = silhouette * np.maximum(1 - (margin + SOFT_IOD / 2) / length, 0)
    to_mask = region.grid_to_reference(MASK_SIZE * OVERSAMPLING)
    polygon = np.round((inner - to_mask[:, 2]) / to_mask[[0, 1], [0, 1]]).astype(np.int32)
    mask = np.zeros((MASK_SIZE * OVERSAMPLING, MASK_SIZE * OVERSAMPLING), np.uint8)
    cv2.fillPoly(mask, [polygon], (255,))
    width, height = (max(1, round(SOFT_IOD / float(step))) for step in to_mask[[0, 1], [0, 1]])
    soft = cv2.blur(mask, (width, height), borderType=cv2.BORDER_REPLICATE)
    size = (MASK_SIZE, MASK_SIZE)
    return np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_AREA), np.float64)
