"""Blinks of a still portrait: a lid painted over each eye; spectacles stay where they are."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import sample_at, smoothstep

# Mesh landmarks from the outer to the inner corner (right eye), inner to outer (left eye).
RIGHT_UPPER, RIGHT_LOWER = (33, 246, 161, 160, 159, 158, 157, 173, 133), (
    33, 7, 163, 144, 145, 153, 154, 155, 133)  # fmt: skip
LEFT_UPPER, LEFT_LOWER = (362, 398, 384, 385, 386, 387, 388, 466, 263), (
    362, 382, 381, 380, 374, 373, 390, 249, 263)  # fmt: skip
EYES = ((RIGHT_UPPER, RIGHT_LOWER), (LEFT_UPPER, LEFT_LOWER))
UPPER_LIDS = (*RIGHT_UPPER[1:-1], *LEFT_UPPER[1:-1])
"""The landmarks that a blink moves."""

# All lengths are in eye widths.
LIFT = 0.09
"""How far above the mesh's upper lid the lid's root lies: the mesh cuts through the lashes."""
SHUT_AT = 0.92
"""How far down the opening the lids meet."""
ROOT_FADE, EDGE_FADE = 0.10, 0.022
"""Softness of the lid's root and of its moving edge."""
LASHES, LASH_DEPTH = 0.026, 0.45
"""Thickness of the dark line on the moving edge, and how dark it is."""
GRAIN = 0.7
"""Contrast of the skin's texture on the lid."""
SHADOW, SHADOW_DEPTH = 0.09, 0.30
"""The same of the shadow that the lid casts on the eye."""
CREASE, CREASE_DEPTH = 0.07, 0.16
SPREAD = 0.16
"""How far the colour of the skin around the eye reaches over the lid."""
BULGE = 0.04
"""How much brighter the middle of the lid is: it is round."""
SKIN_DARKEST, SKIN_BRIGHTEST = 0.72, 1.25
"""Pixels beyond these shares of the median around an eye are no skin: lashes, rims, glare."""


def closed_lid_points(landmarks: NDArray[np.float32], closure: float) -> NDArray[np.float32]:
    """(468, 3) with the upper lids `closure` (0…1) of the way down."""
    points = landmarks.copy()
    for upper, lower in EYES:
        u, low = list(upper), list(lower)
        points[u] += closure * SHUT_AT * (landmarks[low] - landmarks[u])
    return points


class BlinkPainter:
    """Paints the blinks of one portrait."""

    def __init__(self, photo: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
        self._photo = photo
        self._eyes = [Eye(photo, landmarks[list(u), :2], landmarks[list(w), :2]) for u, w in EYES]

    def painted(self, closure: float) -> NDArray[np.uint8]:
        """The portrait with its lids `closure` (0 as in the photo … 1 shut) of the way down."""
        if not closure:
            return self._photo
        photo = self._photo.copy()
        for eye in self._eyes:
            x0, y0, x1, y1 = eye.box
            photo[y0:y1, x0:x1] = eye.painted(closure)
        return photo


class Eye:
    """One eye: its lid's texture, and the lid lines in coordinates along and down the eye."""

    def __init__(
        self,
        photo: NDArray[np.uint8],
        upper: NDArray[np.float32],
        lower: NDArray[np.float32],
    ) -> None:
        axis = (upper[-1] - upper[0]).astype(np.float64)
        self._width = float(np.hypot(*axis))
        along = axis / self._width
        to_eye = np.array([along, [-along[1], along[0]]]) / self._width
        origin = upper[0].astype(np.float64)
        self.box = box_around(np.vstack([upper, lower]), self._width, photo.shape)
        x0, y0, x1, y1 = self.box
        flat = np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), -1)
        self._s, self._t = np.moveaxis((flat - origin) @ to_eye.T, -1, 0)
        self._root = curve((upper - origin) @ to_eye.T, self._s) - LIFT * bow(self._s)
        self._lower = curve((lower - origin) @ to_eye.T, self._s)
        self._picture = photo[y0:y1, x0:x1].astype(np.float32)
        self._lid = self._skin() + self._texture()

    def painted(self, closure: float) -> NDArray[np.uint8]:
        """The eye's box with the lid down."""
        init_segment = np.maximum(self._lower - self._root, 1e-3)
        edge = self._root + closure * SHUT_AT * init_segment
        mask = ramp(self._t - self._root + ROOT_FADE, ROOT_FADE) * ramp(edge - self._t, EDGE_FADE)
        mask *= ramp(bow(self._s), 0.25)
        down = (self._t - self._root) / np.maximum(edge - self._root, 0.05)
        shade = (
            1
            + BULGE * np.sin(np.pi * np.clip(down, 0, 1))
            - CREASE_DEPTH * bell(self._t - self._root, CREASE)
        )
        lid = self._lid * shade[..., None]
        under = 1 - SHADOW_DEPTH * bell(self._t - edge, SHADOW) * ramp(bow(self._s), 0.25)
        picture = self._picture * under[..., None] * (1 - mask[..., None]) + lid * mask[..., None]
        lashes = LASH_DEPTH * bell(self._t - edge, LASHES) * ramp(bow(self._s), 0.5)
        return np.asarray(np.clip(np.rint(picture * (1 - lashes[..., None])), 0, 255), np.uint8)

    def _skin(self) -> NDArray[np.float64]:
        """(h, w, 3) the lid's colour: that of the skin around the eye, spread over it."""
        height = float((self._lower - self._root).max())
        below, above = self._t - self._lower, self._root - self._t
        near = ((below > 0.25 * height) & (below < 1.4 * height)) | (
            (above > -0.02) & (above < 0.4 * height)
        )
        near &= (self._s > -0.1) & (self._s < 1.1)
        light = self._picture.mean(axis=-1)
        middle = np.median(light[near])
        near &= (light > SKIN_DARKEST * middle) & (light < SKIN_BRIGHTEST * middle)
        weight = near.astype(np.float32)[..., None]
        spread = SPREAD * self._width
        known = cv2.GaussianBlur(np.dstack([self._picture * weight, weight]), (0, 0), spread)
        return np.asarray(known[..., :3] / np.maximum(known[..., 3:], 1e-4))

    def _texture(self) -> NDArray[np.float64]:
        """(h, w, 3) fine grain: that of the skin below the eye, mirrored on the lower lid."""
        down = 2 * (self._lower - self._t) + 0.3 * (self._lower - self._root)
        rows, columns = np.indices(self._s.shape)
        at = np.dstack([columns, rows + down * self._width]).astype(np.float32)
        grain = self._picture - cv2.GaussianBlur(self._picture, (0, 0), 0.06 * self._width)
        return sample_at(grain, at) * GRAIN


def box_around(
    points: NDArray[np.floating], margin: float, shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 around (k, 2) points, inside a picture."""
    low = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + margin), [shape[1], shape[0]]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def curve(line: NDArray[np.floating], s: NDArray[np.floating]) -> NDArray[np.float64]:
    """Height at `s` of the quartic through a lid line (9, 2), held beyond its ends."""
    fit = np.polynomial.Polynomial.fit(line[:, 0], line[:, 1], 4)
    return np.asarray(fit(np.clip(s, line[:, 0].min(), line[:, 0].max())))


def bow(s: NDArray[np.floating]) -> NDArray[np.float64]:
    """0 at the corners of the eye and beyond, 1 in its middle."""
    return np.asarray(np.clip(4 * s * (1 - s), 0, 1))


def ramp(x: NDArray[np.floating], width: float) -> NDArray[np.float64]:
    """0 … 1 smoothly while x goes from 0 to `width`."""
    return smoothstep(x / width)


def bell(x: NDArray[np.floating], width: float) -> NDArray[np.float64]:
    """Gaussian of the given standard deviation, 1 at x = 0."""
    return np.asarray(np.exp(-0.5 * (x / width) ** 2))
