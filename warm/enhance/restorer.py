"""Interface of face restorers."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from warm.enhance.errors import BadCrops


class FaceRestorer(Protocol):
    """Restores aligned crops of faces. Owned by one thread."""

    @property
    def name(self) -> str:
        """Name of the method, as `--method` takes it."""

    @property
    def size(self) -> int:
        """Width and height of a crop, pixels: 512 for gfpgan."""

    @property
    def weights_digest(self) -> str:
        """Digest of the weights, so that no film is continued with others; empty without any."""

    def restore(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the restored faces of (n, size, size, 3) BGR crops, in the same shape.

        n may be 0, and may exceed the number of crops that fit into memory at a time.
        """


def check_crops(crops: NDArray[np.uint8], size: int) -> None:
    """Raise BadCrops unless `crops` are (n, size, size, 3) uint8."""
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
        raise BadCrops(
            f"crops are {crops.shape} {crops.dtype}, expected (n, {size}, {size}, 3) uint8; "
            "cut them with warm.enhance.alignment.aligned_crop"
        )
