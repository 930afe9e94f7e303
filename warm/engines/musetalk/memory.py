"""How many frames one pass may take: measured on the device, and fitted to a budget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

SIZES = 1, 4
"""Frames of the two passes by which a device is measured."""
USABLE = 0.9
"""Of the budget; the rest is lost between blocks that do not fit one another."""
USABLE_RECORDED = 0.97
"""The same where passes are recorded: what is lost between their blocks is known by then."""
GB = 1e9


class Memory(Protocol):
    """The memory of a device, in bytes."""

    def held(self) -> int:
        """What tensors of this process take now."""
        ...

    def free(self) -> int:
        """What nobody has taken, and what this process keeps without need."""
        ...

    def reserved(self) -> int:
        """What this process keeps from others, after it has given back what it can."""
        ...

    def peak_of(self, act: Callable[[], object]) -> int:
        """The most that tensors of this process took at once while `act` ran."""
        ...

    def limit(self, size: int) -> None:
        """Let this process take no more; beyond it every wish fails as if the device were full."""
        ...


class GpuMemory:
    """Of a GPU, as PyTorch counts it. Without CUDA's own context, some 0.5 GB more."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def held(self) -> int:
        """Allocated by tensors."""
        return int(torch.cuda.memory_allocated(self._device))

    def free(self) -> int:
        """Free on the device, or kept in reserve by PyTorch."""
        reserve = torch.cuda.memory_reserved(self._device) - self.held()
        return int(torch.cuda.mem_get_info(self._device)[0] + reserve)

    def reserved(self) -> int:
        """With the memory in which recordings compute, which no tensor has."""
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        return int(torch.cuda.memory_reserved(self._device))

    def peak_of(self, act: Callable[[], object]) -> int:
        """Measured with the device at rest before and after."""
        torch.cuda.synchronize(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        act()
        torch.cuda.synchronize(self._device)
        return int(torch.cuda.max_memory_allocated(self._device))

    def limit(self, size: int) -> None:
        """By PyTorch's share of the device."""
        total = torch.cuda.get_device_properties(self._device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, size / total), self._device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """What the networks need of a device, in bytes."""

    resident: int
    """Weights, always there."""
    a_pass: float
    """What a pass takes besides, whatever its size …"""
    a_frame: float
    """… and for each frame of it."""
    recorded: int = 0
    """What recordings of passes have for themselves; then no pass takes anything besides."""

    def least(self, kept: int) -> int:
        """What it takes to draw a single frame while avatars take `kept`."""
        if self.recorded:
            return int((self.resident + kept + self.recorded) / USABLE_RECORDED) + 1
        return int((self.resident + kept + self.a_pass + self.a_frame) / USABLE) + 1

    def frames_in(self, budget: int, kept: int, *, most: int) -> int:
        """Frames of the largest pass, `most` at most, while avatars take `kept`."""
        if self.recorded:
            return most if self.least(kept) <= budget else 0
        room = USABLE * budget - self.resident - kept - self.a_pass
        if self.a_frame <= 0:
            return most if room >= 0 else 0
        return max(0, min(most, int(room / self.a_frame)))


def measure(memory: Memory, draw: Callable[[int], object], *, kept: int) -> Appetite:
    """Draw passes of two sizes; `kept` is what avatars take already."""
    before = memory.held()
    few, more = (memory.peak_of(lambda: draw(size)) - before for size in SIZES)  # noqa: B023 - called at once
    a_frame = max(0.0, (more - few) / (SIZES[1] - SIZES[0]))
    return Appetite(
        resident=before - kept, a_pass=max(0.0, few - SIZES[0] * a_frame), a_frame=a_frame
    )


def budget_of(memory: Memory, max_gb: float | None) -> int:
    """Bytes that this process may take: as the settings say, and never more than there are."""
    there = memory.held() + memory.free()
    return there if max_gb is None else min(there, int(max_gb * GB))


def in_gb(size: float) -> float:
    """For people."""
    return round(size / GB, 3)
