"""The mouth of a photo before preparation closed it; its teeth may show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ShownMouth:
    """The original photo, upright."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""
    landmarks: NDArray[np.float32]
    """(468, 3) as measured in this picture."""
