"""Pixels around one eye of a portrait, in coordinates of the eye."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep

Floats = NDArray[np.floating]

COARSE_SIGMA_PX = 4.0
"""Layers that are blurred more are first scaled down, which looks the same and is much faster."""
MARGIN = 0.75
"""Part of the picture around the eye's corners and lids, in eye widths."""


DARK_SKIN = 50.0
"""Below this brightness, noise has too much contrast relative to skin."""


class EyeRegion:
    """The picture around one eye, and where its lids are.

    Coordinates are in eye widths: `along` is 0 at the outer corner and 1 at the inner one, `down`
    points to the chin. They are straight: a rolled head turns them, bent lids do not bend them. On
    a turned head, the farther eye is narrower but as high, so `down` is in widths of the nearer.
    """

    def __init__(
        self,
        photo: NDArray[np.uint8],
        upper: NDArray[np.float32],
        lower: NDArray[np.float32],
        *,
        width_px: float,
        mirrored: bool,
    ) -> None:
        """Take the lid lines (9, 2) from the outer to the inner corner.

        width_px: width of the nearer eye; mirrored: the inner corner lies to the left of the outer
        one when the head is upright.
        """
        axis = (upper[-1] - upper[0]).astype(np.float64)
        own_width_px = float(np.hypot(*axis))
        self._scale = np.array([own_width_px, width_px])
        self.width_px = width_px
        across = axis / own_width_px
        down = np.array([-across[1], across[0]]) * (-1 if mirrored else 1)
        self._axes = np.array([across, down])
        self._origin = upper[0].astype(np.float64)
        self.xyxy = box_around(np.vstack([upper, lower]), MARGIN * self.width_px, photo.shape)
        """x0, y0, x1, y1 of the pixels in the photo."""
        x0, y0, x1, y1 = self.xyxy
        self.pixels = photo[y0:y1, x0:x1]
        """(h, w, 3) BGR, a view."""
        self.picture = self.pixels.astype(np.float32)
        """(h, w, 3)."""
        flat = np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), -1)
        self.along, self.down = np.moveaxis(self.to_eye(flat.astype(np.float64)), -1, 0)
        """(h, w) each: coordinates of the pixels."""
        self._upper, self._lower = self.to_eye(upper), self.to_eye(lower)
        self.upper = self.upper_line(self.along)
        """(h, w) height of the upper lid's edge, where its lashes grow, in the pixel's column."""
        self.lower = self.lower_line(self.along)
        """(h, w) height of the lower lid's edge."""

    @property
    def pixel(self) -> float:
        """Size of a pixel in eye widths."""
        return 1 / self.width_px

    @property
    def contrast(self) -> float:
        """Difference between light and dark parts of the eye, relative to the skin below it.

        Open eyes have more than 0.38, closed ones and dark lenses less than 0.18.
        """
        light = self.picture.mean(axis=-1)
        middle = np.abs(self.along - 0.5)
        ball = (self.down > self.upper) & (self.down < self.lower) & (middle < 0.42)
        below = self.down - self.lower
        skin = (below > 0.15) & (below < 0.45) & (middle < 0.5)
        if not ball.any() or not skin.any():
            return 0.0
        dark, white = np.quantile(light[ball], [0.05, 0.95])
        return float((white - dark) / max(float(np.median(light[skin])), DARK_SKIN))

    def to_eye(self, points: Floats) -> NDArray[np.float64]:
        """Return (…, 2) coordinates of the eye for pixels of the photo."""
        return np.asarray((points - self._origin) @ self._axes.T / self._scale)

    def upper_line(self, along: Floats) -> NDArray[np.float64]:
        """Return the height of the upper lid's edge at `along`."""
        return line_at(self._upper, along)

    def lower_line(self, along: Floats) -> NDArray[np.float64]:
        """Return the height of the lower lid's edge at `along`, never above the upper one."""
        return np.maximum(line_at(self._lower, along), self.upper_line(along))

    def sample(self, layer: Floats, along: Floats, down: Floats) -> NDArray[np.float32]:
        """Return a (h, w[, k]) layer of the region at coordinates of the eye, interpolated."""
        points = (np.stack([along, down], -1) * self._scale) @ self._axes
        points = (points + self._origin - self.xyxy[:2]).astype(np.float32)
        x, y = points[..., 0], points[..., 1]
        border = cv2.BORDER_REPLICATE
        source = np.asarray(layer, np.float32)
        return np.asarray(cv2.remap(source, x, y, cv2.INTER_CUBIC, borderMode=border))

    def blur(self, layer: Floats, sigma: float) -> NDArray[np.float32]:
        """Return a (h, w[, k]) layer blurred by `sigma` eye widths."""
        source, sigma_px = np.asarray(layer, np.float32), max(sigma * self.width_px, 0.3)
        if sigma_px < 2 * COARSE_SIGMA_PX:
            return np.asarray(cv2.GaussianBlur(source, (0, 0), sigma_px))
        size = source.shape[1], source.shape[0]
        small_size = [max(1, round(side * COARSE_SIGMA_PX / sigma_px)) for side in size]
        small = cv2.resize(source, small_size, interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(small, (0, 0), COARSE_SIGMA_PX)
        return np.asarray(cv2.resize(blurred, size, interpolation=cv2.INTER_LINEAR), np.float32)


def box_around(points: Floats, margin: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 around (k, 2) points, within a picture."""
    size = [shape[1], shape[0]]
    low = np.clip(np.floor(points.min(axis=0) - margin), 0, size).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + margin), 0, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def line_at(line: Floats, along: Floats) -> NDArray[np.float64]:
    """Return the height at `along` of the quartic through a lid line (9, 2), constant past it."""
    fit = np.polynomial.Polynomial.fit(line[:, 0], line[:, 1], 4)
    return np.asarray(fit(np.clip(along, line[:, 0].min(), line[:, 0].max())))


def ramp(x: Floats, width: Floats | float) -> NDArray[np.float64]:
    """Return a smooth step from 0 at x = 0 to 1 at `width`."""
    return smoothstep(x / width)


def bell(x: Floats, sigma: Floats | float) -> NDArray[np.float64]:
    """Return the Gaussian of x, 1 at x = 0."""
    return np.asarray(np.exp(-0.5 * (x / sigma) ** 2))
