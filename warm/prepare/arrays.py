"""Uint8 .npy files that are written piece by piece."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from session.closeable import Closeable


def allocate(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Create a uint8 .npy file with its disk space allocated; return a writable memory map.

    Raises OSError (ENOSPC) if the disk is full; writing to a sparse map would raise SIGBUS, which
    ends the process.
    """
    with path.open("wb") as file:
        write_header(file, shape)
        header_bytes = file.tell()
        file.flush()
        os.posix_fallocate(file.fileno(), 0, header_bytes + int(np.prod(shape)))
    return np.asarray(np.load(path, mmap_mode="r+", allow_pickle=False))


def write_header(file: IO[bytes], shape: Sequence[int]) -> None:
    """Write the .npy header of a uint8 array; numpy pads it so that the first axis can grow."""
    header = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
    npy.write_array_header_1_0(file, header)


class FrameFile(Closeable):
    """A .npy file to which frames are appended one by one; none is kept in memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._shape: tuple[int, ...] | None = None
        self.count = 0
        """Frames written."""

    def append(self, picture: NDArray[np.uint8]) -> None:
        """Append a (h, w, 3) frame; raises OSError on a full disk, ValueError for another size."""
        if self._shape is None:
            self._shape = picture.shape
            write_header(self._file, (0, *self._shape))
        if picture.shape != self._shape:
            raise ValueError(f"frame {self.count} is {picture.shape}, the first {self._shape}")
        self._file.write(np.ascontiguousarray(picture).data)
        self.count += 1

    def close(self) -> None:
        """Write the number of frames into the header and close the file."""
        if self._shape is not None:
            self._file.seek(0)
            write_header(self._file, (self.count, *self._shape))
        self._file.close()
