"""NumPy's linear algebra: the number of threads of the OpenBLAS that its wheels bring."""

from ctypes import CDLL
from pathlib import Path

import numpy as np

_SUFFIXES = ("64_", "")
"""Endings of OpenBLAS's names in the wheels of NumPy and SciPy."""


def limit_blas_threads() -> None:
    """Compute products of matrices in the calling thread; no effect with another library.

    The products of a mouth are small. OpenBLAS's own threads would wait for each of them in a busy
    loop, on the cores that the video encoder needs: without them, a learned mouth is rendered 1.4
    times as fast on two cores.
    """
    for library in openblas_libraries():
        for suffix in _SUFFIXES:
            limit = getattr(library, f"scipy_openblas_set_num_threads{suffix}", None)
            if limit is not None:
                limit(1)


def openblas_libraries() -> list[CDLL]:
    """Return the OpenBLAS of NumPy's wheel, which is loaded already."""
    folder = Path(np.__file__).parents[1] / "numpy.libs"
    return [CDLL(str(path)) for path in sorted(folder.glob("libscipy_openblas*"))]
