"""A still portrait becomes a listening one: a seamless loop of small head sway and blinks.

The photo is a relief: every pixel of the head has a depth, taken from the landmarks and fading
to the neck's axis around it. A turned head moves its pixels by parallax; at the ellipse around
the head the movement has faded to nothing, so background and collar stand still.
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
from warm.prepare.idle.blinks import UPPER_LIDS, BlinkPainter, closed_lid_points
from warm.prepare.idle.close_photo import close_photo
from warm.prepare.idle.sway import blinks, loop_length, sway

ELLIPSE_IOD = (1.25, 1.9)
"""Half axes of the ellipse inside which the head moves as one."""
ELLIPSE_DOWN_IOD = 0.2
"""How far below the eyes the ellipse's centre lies."""
FADE = (0.72, 1.2)
"""Between these ellipse radii the movement fades to nothing."""
AXIS_DEPTH_IOD = 1.0
"""How far behind the eyes the head's axis runs: between the ears."""
AXIS_DOWN_IOD = 1.5
"""How far below the eyes it rolls and nods: in the neck, so that the collar stays."""
GRID_STEP = 4
"""Pixels between the nodes of the displacement grid; the field is smooth."""
INVERSE_STEPS = 4
"""Fixed-point steps that invert it; each shrinks the error by the strain, below .1."""
DEPTH_SMOOTHING = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class IdleClip:
    """A loop of pictures whose every landmark is known."""

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
    """Make the idle loop of a portrait.

    photo: (h, w, 3) BGR; landmarks: (468, 3) of the face in it; parted lips are closed. `progress`
    is told (done, all) frames. `out` is where the frames go, (loop_length(fps), h, w, 3), such as
    a memory map.
    """
    poses, closures = sway(fps), blinks(fps)
    count = loop_length(fps)
    frames = np.empty((count, *photo.shape), np.uint8) if out is None else out
    points = np.empty((count, *landmarks.shape), np.float32)
    photo, landmarks = close_photo(photo, landmarks, canonical_to_picture(landmarks))
    relief = ParallaxWarp(photo.shape, landmarks)
    lids = BlinkPainter(photo, landmarks)
    photos = {closure: lids.painted(closure) for closure in np.unique(closures).tolist()}
    for i, (pose, closure) in enumerate(zip(poses, closures, strict=True)):
        frames[i] = relief.turned(photos[closure], pose)
        points[i] = relief.moved(closed_lid_points(landmarks, closure), pose)
        if progress:
            progress(i + 1, count)
    return IdleClip(frames, points, transforms_of(landmarks, points))


class ParallaxWarp:
    """A portrait's depth and what a turn of the head does to its pixels."""

    def __init__(self, shape: tuple[int, ...], landmarks: NDArray[np.float32]) -> None:
        self._iod = float(inter_ocular(landmarks))
        eyes = eye_centres(landmarks)
        across = (eyes[1] - eyes[0]) / self._iod
        self._upright = np.array([across, [-across[1], across[0]]])
        """Rows: the face's own right and down in the picture."""
        self._eyes = eyes.mean(axis=0)
        self._eye_depth = float(landmarks[[33, 133, 362, 263], 2].mean())
        self._box = self._head_box(shape)
        self._weight, relative = self._grid(landmarks)
        self._basis = np.dstack([relative, np.ones_like(self._weight)]) * self._weight[..., None]

    def turned(self, photo: NDArray[np.uint8], pose: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The portrait in another pose (a row of `sway`): one interpolation of its pixels."""
        x0, y0, x1, y1 = self._box
        field = np.asarray((self._basis @ self._motion(pose)[:2].T), np.float32)
        back = cv2.resize(
            inverse(field), None, fx=GRID_STEP, fy=GRID_STEP, interpolation=cv2.INTER_CUBIC
        )
        back = back[: y1 - y0, : x1 - x0] + pixel_grid(x0, y0, x1, y1)
        frame = photo.copy()
        frame[y0:y1, x0:x1] = sample_at(photo, back, cv2.INTER_LANCZOS4)
        return frame

    def moved(self, points: NDArray[np.float32], pose: NDArray[np.float64]) -> NDArray[np.float32]:
        """(k, 3) points of the portrait, where `turned` puts them."""
        x0, y0 = self._box[:2]
        nodes = ((points[:, :2] - [x0, y0] + 0.5) / GRID_STEP - 0.5).astype(np.float32)
        basis = sample_at(self._basis, nodes[:, None])[:, 0]
        return np.asarray(points + basis @ self._motion(pose).T, np.float32)

    def _head_box(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of all pixels that may move."""
        reach = FADE[1] * self._iod * np.hypot(*(self._upright * np.array(ELLIPSE_IOD)[:, None]))
        centre = self._eyes + self._upright[1] * ELLIPSE_DOWN_IOD * self._iod
        low = np.maximum(np.floor(centre - reach), 0).astype(int)
        high = np.minimum(np.ceil(centre + reach), [shape[1], shape[0]]).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _grid(
        self, landmarks: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """On the grid: the weight (gh, gw) and the place relative to the axis (gh, gw, 3)."""
        x0, y0, x1, y1 = self._box
        xs = x0 + (np.arange(-(-(x1 - x0) // GRID_STEP)) + 0.5) * GRID_STEP - 0.5
        ys = y0 + (np.arange(-(-(y1 - y0) // GRID_STEP)) + 0.5) * GRID_STEP - 0.5
        flat = np.stack(np.meshgrid(xs, ys), -1)
        face = (flat - self._eyes) @ self._upright.T / self._iod
        radius = ellipse_radius(face)
        weight = 1 - smoothstep((radius - FADE[0]) / (FADE[1] - FADE[0]))
        axis = self._eyes + self._upright[1] * AXIS_DOWN_IOD * self._iod
        depth = self._depth(landmarks, face) * self._iod
        relative = np.dstack([flat - axis, depth])
        return weight.astype(np.float32), relative.astype(np.float32)

    def _depth(
        self, landmarks: NDArray[np.float32], face: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Depth behind the head's axis in IOD (negative: in front of it) at face coordinates."""
        known = (landmarks[:, :2] - self._eyes) @ self._upright.T / self._iod
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
        """(3, 4): what (place relative to the axis, 1) is displaced by."""
        yaw, pitch, roll = pose[:3]
        turn = Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_matrix()
        shift = np.append(self._upright.T @ pose[3:] * self._iod, 0.0)
        return np.column_stack([turn - np.eye(3), shift])


def ellipse_radius(face: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 on the ellipse around the head; `face` (…, 2) in IOD from between the eyes."""
    offset = (face - [0.0, ELLIPSE_DOWN_IOD]) / ELLIPSE_IOD
    return np.asarray(np.hypot(offset[..., 0], offset[..., 1]))


def inverse(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the pixel that arrives at each node came from, minus the node.

    field: (gh, gw, 2) displacement in pixels at nodes GRID_STEP pixels apart.
    """
    height, width = field.shape[:2]
    nodes = pixel_grid(0, 0, width, height)
    back = -field
    for _ in range(INVERSE_STEPS):
        back = -sample_at(field, np.asarray(nodes + back / GRID_STEP, np.float32))
    return back


def transforms_of(
    landmarks: NDArray[np.float32], moved: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(n, 2, 3) canonical crop to frame: the photo's own, then how the face as a whole moved."""
    still = np.delete(np.arange(len(landmarks)), UPPER_LIDS)
    flat = landmarks[still, :2].astype(np.float64)
    moves = np.stack([fit_similarity(flat, points[still, :2]) for points in moved])
    return compose(moves, canonical_to_picture(landmarks))


def canonical_to_picture(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(2, 3) canonical crop to picture: the eye centres where `warm.avatars.avatar` wants them."""
    half = np.array([CANONICAL_IOD / 2, 0.0])
    eyes = np.array(CANONICAL_EYES)
    return fit_similarity(np.stack([eyes - half, eyes + half]), eye_centres(landmarks))
