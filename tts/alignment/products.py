"""Matrix products that stay in the calling thread.

BLAS shares large products among threads, which would take processor time from the render thread
and gain nothing for matrices of this size.
"""

import numpy as np
from numpy.typing import NDArray

MAX_OPERATIONS = 1 << 18
"""Multiplications of one product; OpenBLAS uses further threads above this."""


def product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `left @ right` of (n, k) and (k, m), computed in blocks of rows."""
    result = np.empty((len(left), right.shape[1]), np.float32)
    rows = max(MAX_OPERATIONS // max(right.size, 1), 1)
    for start in range(0, len(left), rows):
        block = slice(start, start + rows)
        np.matmul(left[block], right, out=result[block])
    return result
