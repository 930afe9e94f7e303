"""Frames of a portrait: small poses of the head, and lids for its blinks, from one photo.

Every pixel of the head has a depth, taken from the landmarks and falling to the depth of the neck's
axis around the face. A turn of the head displaces its pixels by parallax. The displacement fades
to zero at an ellipse around the head, so background and collar do not move.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial.transform import Rotation

from stabilizers.interpolation import pixel_grid, sample_at, smoothstep
from stabilizers.similarity import compose, fit_similarity
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD
from warm.face.landmarks import eye_centres, inter_ocular
from warm.prepare.idle.blinks import EYES, EyelidPainter
from warm.prepare.idle.motion import PortraitMotion

ELLIPSE_IOD = (1.25, 1.9)
"""Semi-axes of the ellipse inside which the head moves as one."""
ELLIPSE_DOWN_IOD = 0.2
"""Distance of the ellipse's centre below the eyes."""
FADE = (0.72, 1.2)
"""Between these ellipse radii the movement fades to zero."""
AXIS_DEPTH_IOD = 1.0
"""Distance of the rotation axis behind the eyes: between the ears."""
AXIS_DOWN_IOD = 1.5
"""Distance of the roll and pitch axis below the eyes: in the neck, so that the collar stays."""
GRID_STEP = 4
"""Pixels between the nodes of the displacement grid; the field is smooth."""
INVERSE_STEPS = 4
"""Fixed-point steps of the inversion; each shrinks the error by the strain, below 0.1."""
DEPTH_SMOOTHING = 3.0

BROWS = ((70, 63, 105, 66, 107), (336, 296, 334, 293, 300))
"""Landmarks of the brows."""
BROW_SIGMA_IOD = (0.30, 0.17)
"""Sigma of a brow's movement across and down the face."""
BROW_ABOVE_IOD = 0.05
"""Distance of the middle of this movement above the brow, so that the eye stays."""
LID_LANDMARKS = tuple(tuple(sorted({*upper, *lower})) for upper, lower in EYES)


@dataclass(frozen=True, slots=True, eq=False)
class AnimatedPhoto:
    """Pictures of a portrait in all its poses, with known landmarks and open eyes."""

    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR, one for each pose."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) frame pixels."""
    transforms: NDArray[np.float64]
    """(n, 2, 3) canonical crop to frame, similarity."""
    lids: NDArray[np.uint8]
    """(closures, eyes, h, w, 4) the eyes with their lids drawn, BGR and opacity."""
    lid_transforms: NDArray[np.float64]
    """(n, eyes, 2, 3) pixels of these pictures to frame."""


def animate_photo(
    photo: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    motion: PortraitMotion,
    *,
    eyes: NDArray[np.float32] | None = None,
    progress: Callable[[int, int], None] | None = None,
    out: NDArray[np.uint8] | None = None,
) -> AnimatedPhoto:
    """Render a portrait in all poses of a motion.

    photo: (h, w, 3) BGR; landmarks: (468, 3) of its face, whose mouth is at rest; eyes: (468, 3)
    landmarks by which the lids are drawn, None for `landmarks`. `progress` gets (done, total)
    frames. `out` receives the frames, (n, h, w, 3), for example a memory map.
    """
    count = len(motion.poses)
    frames = np.empty((count, *photo.shape), np.uint8) if out is None else out
    points = np.empty((count, *landmarks.shape), np.float32)
    warp = ParallaxWarp(photo.shape, landmarks)
    for i, (pose, brow) in enumerate(zip(motion.poses, motion.brows, strict=True)):
        frames[i] = warp.warp_photo(photo, pose, brow)
        points[i] = warp.warp_points(landmarks, pose, brow)
        if progress:
            progress(i + 1, count)
    painter = EyelidPainter(photo, landmarks if eyes is None else eyes)
    lids, origins = lid_pictures(painter, motion.closures)
    return AnimatedPhoto(
        frames,
        points,
        transforms_of(landmarks, points),
        lids,
        lid_transforms(landmarks, points, origins),
    )


def lid_pictures(
    painter: EyelidPainter, closures: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return (closures, eyes, h, w, 4) pictures with opacity, and their (eyes, 2) origins.

    The pictures of both eyes have the same size, transparent beyond their own.
    """
    drawn = [painter.patches(closure) for closure in closures.tolist()]
    sizes = [patch.mask.shape for patch in drawn[0]]
    height, width = (max((size[axis] for size in sizes), default=1) for axis in (0, 1))
    pictures = np.zeros((len(drawn), len(sizes), height, width, 4), np.uint8)
    for patches, picture in zip(drawn, pictures, strict=True):
        for patch, one in zip(patches, picture, strict=True):
            h, w = patch.mask.shape
            one[:h, :w, :3] = patch.picture
            one[:h, :w, 3] = np.rint(patch.mask * 255)
    origins = [patch.xyxy[:2] for patch in drawn[0]]
    return pictures, np.array(origins, np.int64).reshape(-1, 2)


def lid_transforms(
    landmarks: NDArray[np.float32], moved: NDArray[np.float32], origins: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (n, eyes, 2, 3) lid picture to frame: the movement of each eye in (n, 468, 3)."""
    transforms = np.empty((len(moved), len(origins), 2, 3))
    centres = landmarks[:, :2][np.array(LID_LANDMARKS)].mean(axis=1)
    for eye, origin in enumerate(origins):
        nearest = int(np.hypot(*(centres - origin).T).argmin())
        rim = list(LID_LANDMARKS[nearest])
        source = landmarks[rim, :2].astype(np.float64) - origin
        transforms[:, eye] = [fit_similarity(source, points[rim, :2]) for points in moved]
    return transforms


class ParallaxWarp:
    """Depth of a portrait, and the warp of its pixels when the head turns."""

    def __init__(self, shape: tuple[int, ...], landmarks: NDArray[np.float32]) -> None:
        self._iod = float(inter_ocular(landmarks))
        eyes = eye_centres(landmarks)
        right = (eyes[1] - eyes[0]) / self._iod
        self._axes = np.array([right, [-right[1], right[0]]])
        """Rows: the face's own right and down in the picture."""
        self._eyes = eyes.mean(axis=0)
        self._eye_depth = float(landmarks[[33, 133, 362, 263], 2].mean())
        self._box = self._head_box(shape)
        weight, position, face = self._grid(landmarks)
        self._brow = (self._brow_weight(landmarks, face) * -self._iod)[..., None] * self._axes[1]
        self._basis = np.dstack([position, np.ones_like(weight)]) * weight[..., None]
        """(gh, gw, 4) weighted homogeneous positions relative to the axis."""

    def warp_photo(
        self, photo: NDArray[np.uint8], pose: NDArray[np.float64], brow: float = 0.0
    ) -> NDArray[np.uint8]:
        """Return the portrait in another pose (a row of `PortraitMotion.poses`).

        `brow`: lift of the brows in IOD. The pixels are interpolated once.
        """
        x0, y0, x1, y1 = self._box
        field = self._basis @ self._motion(pose)[:2].T + brow * self._brow
        field = np.asarray(field, np.float32)
        source = cv2.resize(
            invert_field(field), None, fx=GRID_STEP, fy=GRID_STEP, interpolation=cv2.INTER_CUBIC
        )
        source = source[: y1 - y0, : x1 - x0] + pixel_grid(x0, y0, x1, y1)
        frame = photo.copy()
        frame[y0:y1, x0:x1] = sample_at(photo, source, cv2.INTER_LANCZOS4)
        return frame

    def warp_points(
        self, points: NDArray[np.float32], pose: NDArray[np.float64], brow: float = 0.0
    ) -> NDArray[np.float32]:
        """Return (k, 3) points of the portrait where `warp_photo` puts them."""
        x0, y0 = self._box[:2]
        nodes = ((points[:, :2] - [x0, y0] + 0.5) / GRID_STEP - 0.5).astype(np.float32)
        basis = sample_at(self._basis, nodes[:, None])[:, 0]
        moved = points + basis @ self._motion(pose).T
        lift = sample_at(self._brow.astype(np.float32), nodes[:, None])[:, 0]
        moved[:, :2] += brow * lift
        return np.asarray(moved, np.float32)

    def _head_box(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return x0, y0, x1, y1 of all pixels that may move."""
        reach = FADE[1] * self._iod * np.hypot(*(self._axes * np.array(ELLIPSE_IOD)[:, None]))
        centre = self._eyes + self._axes[1] * ELLIPSE_DOWN_IOD * self._iod
        low = np.maximum(np.floor(centre - reach), 0).astype(int)
        high = np.minimum(np.ceil(centre + reach), [shape[1], shape[0]]).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _grid(
        self, landmarks: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
        """Return weight (gh, gw), position from the axis (gh, gw, 3) and from the eyes, in IOD."""
        x0, y0, x1, y1 = self._box
        xs = x0 + (np.arange(-(-(x1 - x0) // GRID_STEP)) + 0.5) * GRID_STEP - 0.5
        ys = y0 + (np.arange(-(-(y1 - y0) // GRID_STEP)) + 0.5) * GRID_STEP - 0.5
        flat = np.stack(np.meshgrid(xs, ys), -1)
        face = (flat - self._eyes) @ self._axes.T / self._iod
        radius = ellipse_radius(face)
        weight = 1 - smoothstep((radius - FADE[0]) / (FADE[1] - FADE[0]))
        axis = self._eyes + self._axes[1] * AXIS_DOWN_IOD * self._iod
        depth = self._depth(landmarks, face) * self._iod
        position = np.dstack([flat - axis, depth])
        return weight.astype(np.float32), position.astype(np.float32), face

    def _brow_weight(
        self, landmarks: NDArray[np.float32], face: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (gh, gw) weights of the lift of the brows, 1 at the brows."""
        weights = []
        for brow in BROWS:
            flat = landmarks[list(brow), :2].astype(np.float64)
            middle = (flat.mean(axis=0) - self._eyes) @ self._axes.T / self._iod
            offset = (face - middle + [0.0, BROW_ABOVE_IOD]) / BROW_SIGMA_IOD
            weights.append(np.exp(-0.5 * (offset**2).sum(axis=-1)))
        return np.asarray(np.clip(sum(weights), 0.0, 1.0))

    def _depth(
        self, landmarks: NDArray[np.float32], face: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the depth relative to the axis in IOD (negative: in front) at `face` (…, 2)."""
        known = (landmarks[:, :2] - self._eyes) @ self._axes.T / self._iod
        depth = (landmarks[:, 2] - self._eye_depth) / self._iod - AXIS_DEPTH_IOD
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        rim = FADE[1] * np.array(ELLIPSE_IOD) * np.column_stack([np.cos(angle), np.sin(angle)])
        rim[:, 1] += ELLIPSE_DOWN_IOD
        surface = RBFInterpolator(
            np.vstack([known, rim]),
            np.concatenate([depth, np.zeros(len(rim))]),
            smoothing=DEPTH_SMOOTHING,
        )
        return np.asarray(surface(face.reshape(-1, 2)).reshape(face.shape[:2]))

    def _motion(self, pose: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (3, 4) matrix from (position relative to the axis, 1) to displacement."""
        yaw, pitch, roll = pose[:3]
        turn = Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_matrix()
        shift = np.append(self._axes.T @ pose[3:] * self._iod, 0.0)
        return np.column_stack([turn - np.eye(3), shift])


def ellipse_radius(face: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the radius, 1 on the ellipse around the head; `face` (…, 2) in IOD from the eyes."""
    offset = (face - [0.0, ELLIPSE_DOWN_IOD]) / ELLIPSE_IOD
    return np.asarray(np.hypot(offset[..., 0], offset[..., 1]))


def invert_field(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the offset from each node to the origin of the pixel that is moved there.

    field: (gh, gw, 2) displacement in pixels at nodes GRID_STEP pixels apart.
    """
    height, width = field.shape[:2]
    nodes = pixel_grid(0, 0, width, height)
    offset = -field
    for _ in range(INVERSE_STEPS):
        offset = -sample_at(field, np.asarray(nodes + offset / GRID_STEP, np.float32))
    return offset


def transforms_of(
    landmarks: NDArray[np.float32], moved: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return (n, 2, 3) canonical crop to frame: the photo's own, then the motion of the face."""
    rigid = np.delete(np.arange(len(landmarks)), np.concatenate(BROWS))
    flat = landmarks[rigid, :2].astype(np.float64)
    motions = np.stack([fit_similarity(flat, points[rigid, :2]) for points in moved])
    return compose(motions, canonical_to_photo(landmarks))


def canonical_to_photo(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (2, 3) canonical crop to photo, by the eye centres of `warm.avatars.avatar`."""
    half = np.array([CANONICAL_IOD / 2, 0.0])
    eyes = np.array(CANONICAL_EYES)
    return fit_similarity(np.stack([eyes - half, eyes + half]), eye_centres(landmarks))
