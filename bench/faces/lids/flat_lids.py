"""Lids of one colour, painted over the eyes: the reference that drawn lids must surpass.

The colour is that of the skin around the eye, the grain that of the skin below; crease, lashes and
shadow are dark lines. The lash line of the open eye stays where it is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import sample_at
from warm.prepare.idle.blinks import EYES
from warm.prepare.idle.eye_region import bell, box_around, line_at, ramp

# All lengths are in eye widths.
ROOT_LIFT = 0.09
"""Height of the lid's root above the mesh's upper lid, which runs through the lashes."""
CLOSED_SHARE = 0.92
"""Share of the eye's opening at which the lids meet."""
ROOT_FADE, EDGE_FADE = 0.10, 0.022
"""Softness of the lid's root and of its moving edge."""
LASHES, LASH_DEPTH = 0.026, 0.45
"""Thickness and darkness of the dark line on the moving edge."""
GRAIN = 0.7
"""Contrast of the skin's texture on the lid."""
SHADOW, SHADOW_DEPTH = 0.09, 0.30
"""Thickness and darkness of the shadow that the lid casts on the eye."""
CREASE, CREASE_DEPTH = 0.07, 0.16
"""Thickness and darkness of the crease at the lid's root."""
SKIN_SIGMA = 0.16
"""Sigma with which the colour of the skin around the eye is spread over the lid."""
BULGE = 0.04
"""Extra brightness of the lid's middle, which is convex."""
SKIN_DARKEST, SKIN_BRIGHTEST = 0.72, 1.25
"""Pixels beyond these shares of the median around an eye are not skin: lashes, rims, glare."""


class FlatLids:
    """Lids of one portrait in the colour of the skin around the eyes."""

    def __init__(self, photo: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
        self._photo = photo
        self._eyelids = [
            FlatLid(photo, landmarks[list(upper), :2], landmarks[list(lower), :2])
            for upper, lower in EYES
        ]

    def paint(self, closure: float) -> NDArray[np.uint8]:
        """Return the portrait with its lids at `closure` (0 as in the photo … 1 closed)."""
        if not closure:
            return self._photo
        photo = self._photo.copy()
        for eyelid in self._eyelids:
            x0, y0, x1, y1 = eyelid.box
            photo[y0:y1, x0:x1] = eyelid.paint(closure)
        return photo


class FlatLid:
    """The upper lid of one eye: its texture, and its outline in coordinates of the eye."""

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
        """x0, y0, x1, y1 of the pixels that `paint` returns."""
        x0, y0, x1, y1 = self.box
        flat = np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), -1)
        # Coordinates of the pixels along and down the eye, in eye widths.
        self._s, self._t = np.moveaxis((flat - origin) @ to_eye.T, -1, 0)
        self._root = line_at((upper - origin) @ to_eye.T, self._s) - ROOT_LIFT * arch(self._s)
        self._lower = line_at((lower - origin) @ to_eye.T, self._s)
        self._picture = photo[y0:y1, x0:x1].astype(np.float32)
        self._lid = self._skin() + self._texture()

    def paint(self, closure: float) -> NDArray[np.uint8]:
        """Return the pixels of the eye's box with the lid at `closure`."""
        opening = np.maximum(self._lower - self._root, 1e-3)
        edge = self._root + closure * CLOSED_SHARE * opening
        mask = ramp(self._t - self._root + ROOT_FADE, ROOT_FADE) * ramp(edge - self._t, EDGE_FADE)
        mask *= ramp(arch(self._s), 0.25)
        lid = self._lid * self._shading(edge)[..., None]
        shadow = SHADOW_DEPTH * bell(self._t - edge, SHADOW) * ramp(arch(self._s), 0.25)
        eye = self._picture * (1 - shadow)[..., None]
        picture = eye * (1 - mask[..., None]) + lid * mask[..., None]
        lashes = LASH_DEPTH * bell(self._t - edge, LASHES) * ramp(arch(self._s), 0.5)
        return np.asarray(np.clip(np.rint(picture * (1 - lashes[..., None])), 0, 255), np.uint8)

    def _shading(self, edge: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (h, w) brightness of the convex lid with its crease."""
        down = (self._t - self._root) / np.maximum(edge - self._root, 0.05)
        bulge = BULGE * np.sin(np.pi * np.clip(down, 0, 1))
        return np.asarray(1 + bulge - CREASE_DEPTH * bell(self._t - self._root, CREASE))

    def _skin(self) -> NDArray[np.float64]:
        """Return the (h, w, 3) colour of the lid, spread from the skin around the eye."""
        weight = self._skin_mask().astype(np.float32)[..., None]
        sigma = SKIN_SIGMA * self._width
        known = cv2.GaussianBlur(np.dstack([self._picture * weight, weight]), (0, 0), sigma)
        return np.asarray(known[..., :3] / np.maximum(known[..., 3:], 1e-4))

    def _skin_mask(self) -> NDArray[np.bool_]:
        """Return the (h, w) mask of the skin just below and above the eye."""
        height = float((self._lower - self._root).max())
        below, above = self._t - self._lower, self._root - self._t
        mask = ((below > 0.25 * height) & (below < 1.4 * height)) | (
            (above > -0.02) & (above < 0.4 * height)
        )
        mask &= (self._s > -0.1) & (self._s < 1.1)
        light = self._picture.mean(axis=-1)
        median = np.median(light[mask])
        mask &= (light > SKIN_DARKEST * median) & (light < SKIN_BRIGHTEST * median)
        return np.asarray(mask)

    def _texture(self) -> NDArray[np.float64]:
        """Return the (h, w, 3) fine grain of the skin below the eye, mirrored on the lower lid."""
        down = 2 * (self._lower - self._t) + 0.3 * (self._lower - self._root)
        rows, columns = np.indices(self._s.shape)
        points = np.dstack([columns, rows + down * self._width]).astype(np.float32)
        grain = self._picture - cv2.GaussianBlur(self._picture, (0, 0), 0.06 * self._width)
        return sample_at(grain, points) * GRAIN


def arch(s: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 0 at the corners of the eye and beyond, 1 in its middle."""
    return np.asarray(np.clip(4 * s * (1 - s), 0, 1))
