"""Compute device and precision of the networks, and the memory of a GPU."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from warm.engines.musetalk.cuda_errors import translate_cuda_errors
from warm.engines.musetalk.errors import NoSuchDevice
from warm.engines.musetalk.memory import to_gb

Precision = Literal["auto", "fp32", "fp16", "bf16"]
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
DEFAULT_PRECISION = {"cuda": "fp16", "cpu": "fp32"}
"""Meaning of `auto`: the reference's precision on a GPU, the most exact one on a CPU."""


@dataclass(frozen=True, slots=True)
class ComputeDevice:
    """A device and the number format that the large networks use on it."""

    device: torch.device
    precision: str
    """fp32, fp16 or bf16."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights of UNet and decoder; `precision.FP32_PARTS` stay fp32 in bf16."""
        return DTYPES[self.precision]

    @property
    def is_gpu(self) -> bool:
        """True if the device computes asynchronously."""
        return self.device.type == "cuda"

    def as_current(self) -> AbstractContextManager[object]:
        """Make this the current device of the thread: for kernels, events and pinned memory."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    @property
    def name(self) -> str:
        """Name for display."""
        if not self.is_gpu:
            return "cpu"
        return f"{self.device} ({torch.cuda.get_device_name(self.device)})"

    def memory_facts(self) -> dict[str, float | None]:
        """GB reserved by this process, in total on the device, and free on it; None on the CPU.

        Raises EngineLost.
        """
        if not self.is_gpu:
            return dict.fromkeys(("memory_used_gb", "memory_total_gb", "memory_free_gb"))
        with translate_cuda_errors():
            free, total = torch.cuda.mem_get_info(self.device)
            reserved = torch.cuda.memory_reserved(self.device)
        return {
            "memory_used_gb": to_gb(reserved),
            "memory_total_gb": to_gb(total),
            "memory_free_gb": to_gb(free),
        }


class GpuMemory:
    """`DeviceMemory` of a GPU as PyTorch counts it: without the CUDA context of about 0.5 GB."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def allocated(self) -> int:
        """Memory that tensors use."""
        return int(torch.cuda.memory_allocated(self._device))

    def free(self) -> int:
        """Memory that is free on the device, or cached by PyTorch."""
        cached = torch.cuda.memory_reserved(self._device) - self.allocated()
        return int(torch.cuda.mem_get_info(self._device)[0] + cached)

    def reserved(self) -> int:
        """Reserved memory, including the private pool of CUDA graphs, which no tensor owns."""
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        return int(torch.cuda.memory_reserved(self._device))

    def peak_during(self, run: Callable[[], object]) -> int:
        """Peak of allocated memory; the device is idle before and after."""
        torch.cuda.synchronize(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        run()
        torch.cuda.synchronize(self._device)
        return int(torch.cuda.max_memory_allocated(self._device))

    def set_limit(self, size: int) -> None:
        """Limit this process by PyTorch's memory fraction."""
        total = torch.cuda.get_device_properties(self._device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, size / total), self._device)


def choose_device(device: str, precision: Precision) -> ComputeDevice:
    """Resolve the settings `device` and `precision` on this machine; raises NoSuchDevice."""
    found = torch.device(default_device() if device == "auto" else device)
    if found.type == "cuda":
        require_gpu(device, found)
        found = torch.device("cuda", found.index or 0)
    if found.type == "cpu" and precision == "fp16":
        raise NoSuchDevice(
            "precision = 'fp16' needs a GPU; allowed with device = 'cpu': auto, fp32, bf16."
        )
    return ComputeDevice(found, DEFAULT_PRECISION[found.type] if precision == "auto" else precision)


def default_device() -> str:
    """The first GPU, or the CPU if there is none."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def require_gpu(setting: str, device: torch.device) -> None:
    """Raise NoSuchDevice unless PyTorch sees this GPU."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        raise NoSuchDevice(
            f"device = {setting!r}: PyTorch {torch.__version__} sees {count} GPUs here. Choose "
            "another (auto, cpu, cuda, cuda:N), or install the driver and a PyTorch build for it."
        )
