"""Idle loop of a portrait: a seamless loop of small head sway and blinks, rendered from one photo.

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
from warm.prepare.idle.blinks import UPPER_LIDS, EyelidPainter, blink_landmarks
from warm.prepare.idle.close_photo import close_photo
from warm.prepare.idle.motion import head_poses, lid_closures, loop_length

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


@dataclass(frozen=True, slots=True, eq=False)
class IdleClip:
    """A loop of pictures with known landmarks."""

    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR; the last leads into the first."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) frame pixels."""
    transforms: NDArray[np.float64]
    """(n, 2, 3) canonical crop to frame, similarity."""


def animate_photo(
    photo: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    *,
    fps: int,
    progress: Callable[[int, int], None] | None = None,
    out: NDArray[np.uint8] | None = None,
) -> IdleClip:
    """Render the idle loop of a portrait.

    photo: (h, w, 3) BGR; landmarks: (468, 3) of its face; parted lips are closed. `progress` gets
    (done, total) frames. `out` receives the frames, (loop_length(fps), h, w, 3), for example a
    memory map.
    """
    poses, closures = head_poses(fps), lid_closures(fps)
    count = loop_length(fps)
    frames = np.empty((count, *photo.shape), np.uint8) if out is None else out
    points = np.empty((count, *landmarks.shape), np.float32)
    photo, landmarks = close_photo(photo, landmarks, canonical_to_photo(landmarks))
    warp = ParallaxWarp(photo.shape, landmarks)
    painter = EyelidPainter(photo, landmarks)
    photos = {closure: painter.paint(closure) for closure in np.unique(closures).tolist()}
    for i, (pose, closure) in enumerate(zip(poses, closures, strict=True)):
        frames[i] = warp.warp_photo(photos[closure], pose)
        points[i] = warp.warp_points(blink_landmarks(landmarks, closure), pose)
        if progress:
            progress(i + 1, count)
    return IdleClip(frames, points, transforms_of(landmarks, points))


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
        weight, position = self._grid(landmarks)
        self._basis = np.dstack([position, np.ones_like(weight)]) * weight[..., None]
        """(gh, gw, 4) weighted homogeneous positions relative to the axis."""

    def warp_photo(self, photo: NDArray[np.uint8], pose: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the portrait in another pose (a row of `head_poses`); interpolates pixels once."""
        x0, y0, x1, y1 = self._box
        field = np.asarray((self._basis @ self._motion(pose)[:2].T), np.float32)
        source = cv2.resize(
            invert_field(field), None, fx=GRID_STEP, fy=GRID_STEP, interpolation=cv2.INTER_CUBIC
        )
        source = source[: y1 - y0, : x1 - x0] + pixel_grid(x0, y0, x1, y1)
        frame = photo.copy()
        frame[y0:y1, x0:x1] = sample_at(photo, source, cv2.INTER_LANCZOS4)
        return frame

    def warp_points(
        self, points: NDArray[np.float32], pose: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return (k, 3) points of the portrait where `warp_photo` puts them."""
        x0, y0 = self._box[:2]
        nodes = ((points[:, :2] - [x0, y0] + 0.5) / GRID_STEP - 0.5).astype(np.float32)
        basis = sample_at(self._basis, nodes[:, None])[:, 0]
        return np.asarray(points + basis @ self._motion(pose).T, np.float32)

    def _head_box(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return x0, y0, x1, y1 of all pixels that may move."""
        reach = FADE[1] * self._iod * np.hypot(*(self._axes * np.array(ELLIPSE_IOD)[:, None]))
        centre = self._eyes + self._axes[1] * ELLIPSE_DOWN_IOD * self._iod
        low = np.maximum(np.floor(centre - reach), 0).astype(int)
        high = np.minimum(np.ceil(centre + reach), [shape[1], shape[0]]).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _grid(
        self, landmarks: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return weight (gh, gw) and position relative to the axis (gh, gw, 3) at the nodes."""
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
        return weight.astype(np.float32), position.astype(np.float32)

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
    rigid = np.delete(np.arange(len(landmarks)), UPPER_LIDS)
    flat = landmarks[rigid, :2].astype(np.float64)
    motions = np.stack([fit_similarity(flat, points[rigid, :2]) for points in moved])
    return compose(motions, canonical_to_photo(landmarks))


def canonical_to_photo(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (2, 3) canonical crop to photo, by the eye centres of `warm.avatars.avatar`."""
    half = np.array([CANONICAL_IOD / 2, 0.0])
    eyes = np.array(CANONICAL_EYES)
    return fit_similarity(np.stack([eyes - half, eyes + half]), eye_centres(landmarks))
