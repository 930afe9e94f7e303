"""Arrays on disk that are written piece by piece, and never by way of a full disk's SIGBUS."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from session.closeable import Closeable


def allocate(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A writable memory map of a new uint8 .npy file whose room on disk is already taken.

    A sparse map would kill the process when the disk fills; this raises OSError (ENOSPC) instead.
    """
    with path.open("wb") as file:
        write_header(file, shape)
        header_bytes = file.tell()
        file.flush()
        os.posix_fallocate(file.fileno(), 0, header_bytes + int(np.prod(shape)))
    return np.asarray(np.load(path, mmap_mode="r+", allow_pickle=False))


def write_header(file: IO[bytes], shape: Sequence[int]) -> None:
    """An .npy header of a uint8 array; numpy keeps room in it for the first axis to grow."""
    header = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
    npy.write_array_header_1_0(file, header)


class FrameFile(Closeable):
    """Frames appended to a .npy file: memory holds one of them, however many there are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._shape: tuple[int, ...] | None = None
        self.count = 0

    def append(self, picture: NDArray[np.uint8]) -> None:
        """Add one (h, w, 3) frame of the size of the first; raises OSError on a full disk."""
        if self._shape is None:
            self._shape = picture.shape
            write_header(self._file, (0, *self._shape))
        if picture.shape != self._shape:
            raise ValueError(f"frame {self.count} is {picture.shape}, the first {self._shape}")
        self._file.write(np.ascontiguousarray(picture).data)
        self.count += 1

    def close(self) -> None:
        """Write down how many frames there are."""
        if self._shape is not None:
            self._file.seek(0)
            write_header(self._file, (self.count, *self._shape))
        self._file.close()
