"""The 68-point convention (iBUG 300-W), read off the 468-point mesh."""

import numpy as np
from numpy.typing import NDArray

# fmt: off
MESH_INDEX = np.array([
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,                                      # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,                                                # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,                          # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,                                # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,                                                  # inner lips
])
# fmt: on
"""(68,) the mesh landmark nearest to each of the 68 points."""


def to_68(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(…, 468, k) mesh landmarks to (…, 68, k)."""
    return points[..., MESH_INDEX, :]
