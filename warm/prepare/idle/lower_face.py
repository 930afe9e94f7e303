"""Mesh landmarks of the lower face, and how far each follows the jaw."""

import numpy as np
from numpy.typing import NDArray

# From the person's right mouth corner to the left one.
OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
MIDDLE_UPPER = (184, 74, 73, 72, 11, 302, 303, 304, 408)
MIDDLE_LOWER = (77, 90, 180, 85, 16, 315, 404, 320, 307)
CORNERS = (61, 291, 78, 308)
UPPER_LIP = tuple(
    dict.fromkeys(
        (*OUTER_UPPER[1:-1], *INNER_UPPER[1:-1], *MIDDLE_UPPER,
         183, 42, 41, 38, 12, 268, 271, 272, 407)
    )
)  # fmt: skip
LOWER_LIP = tuple(
    dict.fromkeys(
        (*OUTER_LOWER[1:-1], *INNER_LOWER[1:-1], *MIDDLE_LOWER,
         96, 89, 179, 86, 15, 316, 403, 319, 325)
    )
)  # fmt: skip
LIPS = (*CORNERS, 76, 62, 292, 306, *UPPER_LIP, *LOWER_LIP)
"""All landmarks on the lips."""

AROUND_UPPER = (92, 165, 167, 164, 393, 391, 322)
AROUND_LOWER = (43, 106, 182, 83, 18, 313, 406, 335, 273)
CORNER_SKIN = (57, 186, 287, 410)
CHEEKS = (205, 425, 207, 427, 216, 436, 212, 432, 206, 426)

JAW_SHARE = {
    152: 1.0, 148: 1.0, 377: 1.0, 176: 0.95, 400: 0.95, 149: 0.85, 378: 0.85, 150: 0.7, 379: 0.7,
    136: 0.5, 365: 0.5, 172: 0.3, 397: 0.3, 58: 0.1, 288: 0.1,
    175: 1.0, 199: 1.0, 200: 1.0, 171: 1.0, 396: 1.0, 208: 1.0, 428: 1.0,
    140: 0.95, 369: 0.95, 170: 0.85, 395: 0.85, 169: 0.65, 394: 0.65, 211: 0.8, 431: 0.8,
    32: 0.95, 262: 0.95, 204: 0.95, 424: 0.95, 210: 0.7, 430: 0.7, 135: 0.45, 364: 0.45,
    138: 0.2, 367: 0.2, 214: 0.3, 434: 0.3, 202: 0.85, 422: 0.85, 194: 0.95, 418: 0.95,
}  # fmt: skip
"""Share of the chin's drop that each landmark of jaw and chin follows."""
CHIN = (152, 148, 377, 175, 199, 200, 171, 396)
"""Landmarks whose mean measures the jaw's drop."""

NOSE_BASE = (2, 98, 327, 64, 294, 129, 358, 50, 280, 36, 266)
"""Landmarks that hardly move with the mouth."""

SKULL = (10, 151, 9, 8, 168, 6, 197, 195, 33, 133, 362, 263, 127, 356, 234, 454, 162, 389, 108,
         337, 109, 338, 54, 284, 122, 351)  # fmt: skip
"""Landmarks that move with the skull alone."""


def lip_line(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (11, k) line on which the lips of (468, k) points meet, from right to left."""
    upper, lower = points[list(INNER_UPPER)], points[list(INNER_LOWER)]
    return np.asarray((upper + lower) / 2, np.float64)
