"""Synthetic turned head: the face of a portrait as a surface, rotated in front of a background."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Landmarks around the face of a mesh seen from the front."""
AXIS_IOD = 0.9
"""Distance of the axis behind the eyes."""


class TurnedHead:
    """Renders one portrait in several poses."""

    def __init__(self, photo: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> None:
        """photo (h, w, 3) with a face seen from the front; landmarks (468, 3)."""
        self._photo, self._points = photo, landmarks.astype(np.float64)
        self._triangles = Delaunay(landmarks[:, :2]).simplices
        eyes = self._points[[33, 133, 362, 263]]
        iod = float(np.linalg.norm(eyes[2:, :2].mean(axis=0) - eyes[:2, :2].mean(axis=0)))
        self._axis = np.append(self._points[[10, 152], :2].mean(axis=0), eyes[:, 2].mean())
        self._axis[2] += AXIS_IOD * iod
        self.background = textured_background(photo.shape, iod)
        """(h, w, 3), as far as the head does not hide it."""

    def points(self, yaw_deg: float, pitch_deg: float = 0.0) -> NDArray[np.float64]:
        """Return (468, 3) the landmarks of the turned head."""
        yaw, pitch = np.radians([yaw_deg, pitch_deg])
        about_y = np.array(
            [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
        )
        about_x = np.array(
            [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
        )
        return np.asarray((self._points - self._axis) @ (about_x @ about_y).T + self._axis)

    def picture(self, yaw_deg: float, pitch_deg: float = 0.0) -> NDArray[np.uint8]:
        """Return (h, w, 3) the turned head in front of the background."""
        points = self.points(yaw_deg, pitch_deg)
        picture = self.background.copy()
        corners = points[self._triangles]
        seen = signed_areas(corners) * signed_areas(self._points[self._triangles]) > 0
        far_first = np.argsort(-corners[..., 2].mean(axis=1))
        for index in far_first[seen[far_first]]:
            source = self._points[self._triangles[index], :2]
            draw_triangle(picture, self._photo, source, corners[index, :, :2])
        return picture

    def silhouette(self, yaw_deg: float, pitch_deg: float = 0.0) -> NDArray[np.bool_]:
        """Return (h, w) True on the pixels that the turned head covers."""
        mask = np.zeros(self._photo.shape[:2], np.uint8)
        for triangle in self.points(yaw_deg, pitch_deg)[self._triangles, :2]:
            cv2.fillConvexPoly(mask, np.rint(triangle).astype(np.int32), (255,))
        return mask > 0


def textured_background(shape: tuple[int, ...], iod: float) -> NDArray[np.uint8]:
    """Return an (h, w, 3) picture of soft spots, which make every motion visible."""
    noise = np.random.default_rng(7).normal(0, 1, shape).astype(np.float32)
    spots = cv2.GaussianBlur(noise, (0, 0), 0.05 * iod)
    return np.asarray(np.clip(110 + 35 * spots / spots.std(), 0, 255), np.uint8)


def signed_areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (k,) twice the signed areas of (k, 3, 2 or 3) triangles in the picture."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])


def draw_triangle(
    picture: NDArray[np.uint8],
    photo: NDArray[np.uint8],
    source: NDArray[np.float64],
    target: NDArray[np.float64],
) -> None:
    """Draw the (3, 2) triangle `source` of a photo on the triangle `target` of a picture."""
    low = np.maximum(np.floor(target.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(target.max(axis=0)).astype(int) + 2, picture.shape[1::-1])
    if (high <= low).any():
        return
    corners = (source.astype(np.float32), (target - low).astype(np.float32))
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    drawn = cv2.warpAffine(
        photo, cv2.getAffineTransform(*corners), size, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(corners[1]).astype(np.int32), (255,))
    cv2.copyTo(drawn, mask, picture[low[1] : high[1], low[0] : high[0]])
