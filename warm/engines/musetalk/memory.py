"""Memory use of batches: measured on the device, and fitted to a budget. Imports nothing heavy."""

from collections.abc import Callable
from ctypes import CDLL
from dataclasses import dataclass
from typing import Protocol

PROBE_SIZES = 1, 4
"""Frames of the two batches that measure a device."""
USABLE_FRACTION = 0.9
"""Part of the budget that batches can use; the rest is lost to fragmentation."""
USABLE_FRACTION_WITH_GRAPHS = 0.97
"""The same with CUDA graphs: the fragmentation inside their memory is already measured."""
GB = 1e9


class DeviceMemory(Protocol):
    """The memory of a device, in bytes."""

    def allocated(self) -> int:
        """Memory that tensors of this process use now."""
        ...

    def free(self) -> int:
        """Memory that is free, or cached by this process without being used."""
        ...

    def reserved(self) -> int:
        """Memory reserved by this process, after it has returned unused memory."""
        ...

    def peak_during(self, run: Callable[[], object]) -> int:
        """Largest amount that tensors of this process used at once while `run` ran."""
        ...

    def set_limit(self, size: int) -> None:
        """Limit this process; an allocation beyond it fails as if the device were full."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Memory that the networks use on a device, in bytes."""

    networks: int
    """Weights, always resident."""
    per_batch: float
    """Additional memory of a batch, whatever its size."""
    per_frame: float
    """Additional memory of each frame in a batch."""
    graphs: int = 0
    """Private memory of captured CUDA graphs; with it a batch needs no other memory."""

    def minimum(self, avatar_bytes: int) -> int:
        """Memory needed to generate a single frame while avatars use `avatar_bytes`."""
        if self.graphs:
            used = self.networks + avatar_bytes + self.graphs
            return int(used / USABLE_FRACTION_WITH_GRAPHS) + 1
        used_by_frame = self.networks + avatar_bytes + self.per_batch + self.per_frame
        return int(used_by_frame / USABLE_FRACTION) + 1

    def max_batch(self, budget: int, avatar_bytes: int, *, limit: int) -> int:
        """Frames of the largest batch, up to `limit`, while avatars use `avatar_bytes`."""
        if self.graphs:
            return limit if self.minimum(avatar_bytes) <= budget else 0
        available = USABLE_FRACTION * budget - self.networks - avatar_bytes - self.per_batch
        if self.per_frame <= 0:
            return limit if available >= 0 else 0
        return max(0, min(limit, int(available / self.per_frame)))


def measure_memory(
    memory: DeviceMemory, generate: Callable[[int], object], *, avatar_bytes: int
) -> MemoryUse:
    """Measure batches of two sizes; avatars already use `avatar_bytes`."""
    before = memory.allocated()
    small, large = (
        memory.peak_during(lambda: generate(size)) - before  # noqa: B023 - called at once
        for size in PROBE_SIZES
    )
    per_frame = max(0.0, (large - small) / (PROBE_SIZES[1] - PROBE_SIZES[0]))
    return MemoryUse(
        networks=before - avatar_bytes,
        per_batch=max(0.0, small - PROBE_SIZES[0] * per_frame),
        per_frame=per_frame,
    )


def memory_budget(memory: DeviceMemory, max_gb: float | None) -> int:
    """Bytes that this process may use: the setting, but at most the memory that is available."""
    available = memory.allocated() + memory.free()
    return available if max_gb is None else min(available, int(max_gb * GB))


def to_gb(size: float) -> float:
    """Bytes in GB, rounded for display."""
    return round(size / GB, 3)


def release_cached_memory() -> None:
    """Return PyTorch's cached memory to the GPU, and the C library's to the system."""
    import torch  # noqa: PLC0415  takes seconds

    if torch.cuda.is_available():
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.empty_cache()
    trim = getattr(CDLL(None), "malloc_trim", None)  # only glibc has it
    if trim is not None:
        trim(0)
