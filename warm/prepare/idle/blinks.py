"""Blinks of a portrait: an eyelid is painted over each eye; glasses do not move."""

from dataclasses import dataclass

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
"""Landmarks that a blink moves."""

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


def blink_landmarks(landmarks: NDArray[np.float32], closure: float) -> NDArray[np.float32]:
    """Return (468, 3) landmarks with the upper lids closed by `closure` (0…1)."""
    points = landmarks.copy()
    for upper, lower in EYES:
        u, low = list(upper), list(lower)
        points[u] += closure * CLOSED_SHARE * (landmarks[low] - landmarks[u])
    return points


@dataclass(frozen=True, slots=True, eq=False)
class EyePatch:
    """One eye with its lid drawn, to be pasted at `xyxy` in the photo or, warped, in a frame."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""
    mask: NDArray[np.float32]
    """(h, w) opacity 0…1, the same for every closure; 0 at the patch's border."""
    xyxy: tuple[int, int, int, int]
    """Pixels of the photo that the patch covers."""


class EyelidPainter:
    """Draws the lids of one portrait."""

    def __init__(self, photo: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
        self._photo = photo
        self._eyelids = [
            Eyelid(photo, landmarks[list(upper), :2], landmarks[list(lower), :2])
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

    def patches(self, closure: float) -> list[EyePatch]:
        """Return the eyes with their lids at `closure`; an eye that is not visible has none.

        Pasted over the photo with their masks, they give the picture of `paint`.
        """
        return [
            EyePatch(eyelid.paint(closure), eyelid.mask, eyelid.box) for eyelid in self._eyelids
        ]


class Eyelid:
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
        self._root = quartic_at((upper - origin) @ to_eye.T, self._s) - ROOT_LIFT * arch(self._s)
        self._lower = quartic_at((lower - origin) @ to_eye.T, self._s)
        self._picture = photo[y0:y1, x0:x1].astype(np.float32)
        self._lid = self._skin() + self._texture()

        height = float((self._lower - self._root).max())
        self.mask = np.asarray(
            ramp(self._t - self._root + 2 * ROOT_FADE, 0.5 * ROOT_FADE)
            * ramp(self._lower + 2 * height - self._t, 0.5 * height)
            * ramp(1.1 - np.abs(2 * self._s - 1), 0.08),
            np.float32,
        )
        """(h, w) opacity of everything that `paint` may change."""

    def paint(self, closure: float) -> NDArray[np.uint8]:
        """Return the pixels of the eye's box with the lid at `closure`."""
        if not closure:
            return self._picture.astype(np.uint8)
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


def box_around(
    points: NDArray[np.floating], margin: float, shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 around (k, 2) points, within a picture."""
    low = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + margin), [shape[1], shape[0]]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def quartic_at(line: NDArray[np.floating], s: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the height at `s` of the quartic through a lid line (9, 2), constant past its ends."""
    fit = np.polynomial.Polynomial.fit(line[:, 0], line[:, 1], 4)
    return np.asarray(fit(np.clip(s, line[:, 0].min(), line[:, 0].max())))


def arch(s: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 0 at the corners of the eye and beyond, 1 in its middle."""
    return np.asarray(np.clip(4 * s * (1 - s), 0, 1))


def ramp(x: NDArray[np.floating], width: float) -> NDArray[np.float64]:
    """Return a smooth step from 0 at x = 0 to 1 at `width`."""
    return smoothstep(x / width)


def bell(x: NDArray[np.floating], sigma: float) -> NDArray[np.float64]:
    """Return the Gaussian of x, 1 at x = 0."""
    return np.asarray(np.exp(-0.5 * (x / sigma) ** 2))
