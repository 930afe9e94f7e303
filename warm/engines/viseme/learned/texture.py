"""A texture that follows the mouth: learned from pictures on an atlas, one for each frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep
from warm.engines.viseme.anatomy import Floats, Floats32
from warm.engines.viseme.learned.atlas import Atlas
from warm.engines.viseme.learned.data import TextureData
from warm.engines.viseme.learned.detail import Detail, low_pass
from warm.engines.viseme.learned.eigenspace import principal_components
from warm.engines.viseme.learned.regression import TEXTURE_KERNEL, Regression
from warm.engines.viseme.learned.shape_model import regression_data

MODES = 20
BORDER_IOD = 0.03
"""Width over which detail fades in at the border of what a frame showed."""
COARSE_SCALE = 56.0
"""Resolution of the low frequencies, pixels per IOD."""
LIMIT_SD = 2.2
"""Limit of the regressed coefficients."""


def learn_texture(
    rows: Floats32,
    inputs: Floats32,
    atlas: Atlas,
    *,
    reliability: Floats | None = None,
    trusted: NDArray[np.bool_] | None = None,
    kept: NDArray[np.intp],
) -> TextureData:
    """Learn from (m, h, w, 3) pictures at scaled inputs (m, 6); `kept`: frames that give detail.

    Only pixels that are `trusted` (m, h, w) give detail.
    """
    blurred = np.stack([low_pass(picture, atlas.scale) for picture in rows])
    small = np.stack([coarsened(picture, atlas.scale) for picture in blurred])
    space = principal_components(small.reshape(len(small), -1), MODES, reliability)
    regression = Regression.fit(
        TEXTURE_KERNEL, inputs, space.coefficients, limit_sd=LIMIT_SD, reliability=reliability
    )
    stacked = np.concatenate([space.mean[None], space.modes])
    fine = rows[kept] - blurred[kept]
    if trusted is not None:
        fine *= np.stack([inner_weight(seen, atlas.scale) for seen in trusted[kept]])[..., None]
    detail = np.clip(np.round(fine), -127, 127).astype(np.int8)
    return TextureData(
        atlas=atlas.as_array(),
        coarse=stacked.reshape(len(stacked), *small.shape[1:]),
        regression=regression_data(regression),
        detail=detail,
        detail_centres=inputs[kept],
    )


def inner_weight(seen: NDArray[np.bool_], scale: float) -> Floats32:
    """(h, w) 1 well inside the seen pixels, falling to 0 at their border."""
    distance = cv2.distanceTransform(seen.astype(np.uint8), cv2.DIST_L2, 3)
    return smoothstep(np.asarray(distance, np.float32) / (BORDER_IOD * scale)).astype(np.float32)


def coarsened(picture: Floats32, scale: float) -> Floats32:
    """Return a blurred (h, w, 3) picture of `scale` pixels per IOD at COARSE_SCALE, if smaller."""
    ratio = min(COARSE_SCALE / scale, 1.0)
    size = max(round(picture.shape[1] * ratio), 1), max(round(picture.shape[0] * ratio), 1)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """Draws a texture that `learn_texture` learned."""

    atlas: Atlas
    coarse: Floats32
    """(1 + j, coarse height * width * 3)."""
    shape: tuple[int, int, int]
    """Of the coarse picture."""
    regression: Regression
    detail: Detail

    @classmethod
    def of(cls, data: TextureData) -> "Texture":
        """Return the texture of stored arrays."""
        learned = data.regression
        return cls(
            Atlas.of_array(data.atlas),
            np.ascontiguousarray(data.coarse.reshape(len(data.coarse), -1), np.float32),
            data.coarse.shape[1:],
            Regression(TEXTURE_KERNEL, learned.centres, learned.weights, learned.limits),
            Detail(data.detail_centres, data.detail),
        )

    def picture(self, inputs: Floats32) -> Floats32:
        """(h, w, 3) for scaled inputs (6,)."""
        weights = np.append(np.float32(1), self.regression.predict(inputs)).astype(np.float32)
        coarse = (weights @ self.coarse).reshape(self.shape)
        picture = cv2.resize(coarse, self.atlas.size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(picture + self.detail.picture(inputs), np.float32)
