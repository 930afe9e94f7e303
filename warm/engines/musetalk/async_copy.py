"""Pictures in the making: drawn on the device, copied back beside, placed when they are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warm.engines.base import Patch, PatchRequest
from warm.engines.musetalk.cuda_errors import device_faults
from warm.engines.musetalk.face_cache import Face


class Copy:
    """(n, …) pictures on their way from the device to the processor's memory."""

    def __init__(self, pictures: Tensor) -> None:
        """Begin to copy; waits for nothing on a GPU."""
        self._landed: torch.cuda.Event | None = None
        self._pictures = pictures
        if pictures.is_cuda:
            pinned = torch.empty(pictures.shape, dtype=pictures.dtype, pin_memory=True)
            self._pictures = pinned.copy_(pictures, non_blocking=True)
            # Who waits sleeps, and leaves its processor to the encoders.
            self._landed = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            self._landed.record(torch.cuda.current_stream(pictures.device))

    def wait(self) -> NDArray[np.uint8]:
        """The pictures; raises EngineLost when they do not come."""
        if self._landed is not None:
            with device_faults():
                self._landed.synchronize()
        return np.asarray(self._pictures)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Jobs that were drawn in one pass."""

    jobs: Sequence[PatchRequest]
    faces: Sequence[Face]
    """Of each job's avatar."""
    copy: Copy


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """Implements `warm.engines.base.PendingPatches`."""

    parts: Sequence[Part]

    def patches(self) -> list[Patch]:
        """One patch a job, in order; raises EngineLost."""
        return [
            face.patch(job.frame, picture)
            for part in self.parts
            for job, face, picture in zip(part.jobs, part.faces, part.copy.wait(), strict=True)
        ]
