"""Asynchronous copies of pictures from the device, and the patches made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warm.engines.base import Patch, PatchRequest
from warm.engines.musetalk.cuda_errors import translate_cuda_errors
from warm.engines.musetalk.face_cache import FaceCache


class AsyncCopy:
    """A copy of (n, …) pictures from the device to host memory."""

    def __init__(self, pictures: Tensor) -> None:
        """Begin to copy; on a GPU this returns at once."""
        self._copied: torch.cuda.Event | None = None
        self._pictures = pictures
        if pictures.is_cuda:
            pinned = torch.empty(pictures.shape, dtype=pictures.dtype, pin_memory=True)
            self._pictures = pinned.copy_(pictures, non_blocking=True)
            # A blocking event sleeps instead of spinning, which leaves the core free for encoding.
            self._copied = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            self._copied.record(torch.cuda.current_stream(pictures.device))

    def wait(self) -> NDArray[np.uint8]:
        """Wait for the pictures; raises EngineLost if the device fails."""
        if self._copied is not None:
            with translate_cuda_errors():
                self._copied.synchronize()
        return np.asarray(self._pictures)


@dataclass(frozen=True, slots=True, eq=False)
class PatchBatch:
    """Requests whose pictures are generated in one batch."""

    requests: Sequence[PatchRequest]
    faces: Sequence[FaceCache]
    """Face cache of each request's avatar."""
    copy: AsyncCopy


@dataclass(frozen=True, slots=True, eq=False)
class DevicePatches:
    """Implements `warm.engines.base.PendingPatches`."""

    batches: Sequence[PatchBatch]

    def patches(self) -> list[Patch]:
        """Return one patch per request, in order; raises EngineLost."""
        return [
            face.patch(request.frame, picture)
            for batch in self.batches
            for request, face, picture in zip(
                batch.requests, batch.faces, batch.copy.wait(), strict=True
            )
        ]
